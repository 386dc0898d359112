#!/usr/bin/env bash
# The Rust crate `prometheus` counts `process_cpu_seconds_total` in whole seconds.
#
# Expected: the process collector behaves like those of the Go, Python and Java clients, whose
# `process_cpu_seconds_total` is a floating-point counter with a resolution of 10 ms (clock ticks) or better.
# Actual (0.14.0, src/process_collector.rs: `cpu_total: IntCounter`): the counter is an integer. A process that has used
# 0.9 s of CPU reports 0, and the metric then moves in steps of 1.
# Relevance: rekeyd uses a few milliseconds of CPU a minute, so `rate(process_cpu_seconds_total[5m])` on a stock
# dashboard is 0 nearly always, then 1/300 = 3.3 ms/s for one window. A CPU alert or a cost comparison must use
# `increase(…[1d])`, or the container's own metric (`container_cpu_usage_seconds_total`), not a short rate.
#
# Runs without rekeyd. Needs cargo and crates.io; about a minute.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
mkdir "$folder/src"
cat >"$folder/Cargo.toml" <<'TOML'
[package]
name = "cpu-seconds"
version = "0.0.0"
edition = "2021"

[dependencies]
prometheus = { version = "=0.14.0", default-features = false, features = ["process"] }
TOML
cat >"$folder/src/main.rs" <<'RUST'
use prometheus::{process_collector::ProcessCollector, Registry};

/// User and system time of this process in clock ticks of 10 ms, from `/proc/self/stat`.
fn ticks() -> u64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
}

fn main() {
    let registry = Registry::new();
    registry.register(Box::new(ProcessCollector::for_self())).unwrap();
    for goal in [90, 150] {
        while ticks() < goal {
            std::hint::black_box((0..100_000u64).sum::<u64>());
        }
        let families = registry.gather();
        let family = families.iter().find(|family| family.name() == "process_cpu_seconds_total").unwrap();
        println!("{} {}", ticks() as f64 / 100.0, family.get_metric()[0].get_counter().get_value());
    }
}
RUST

seen=$(cd "$folder" && CARGO_TARGET_DIR="$folder/target" cargo run --quiet)
echo "prometheus 0.14.0: CPU seconds by the kernel, and as process_cpu_seconds_total:"
echo "$seen"
awk 'NR == 1 && $1 < 1 && $2 != 0 { exit 1 } NR == 2 && $1 < 2 && $2 != 1 { exit 1 } END { if (NR != 2) exit 1 }' <<<"$seen" || {
    echo "changed: the counter is no longer cut to whole seconds" >&2
    exit 1
}
