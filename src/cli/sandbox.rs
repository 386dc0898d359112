//! `rekeyd sandbox`: the daemon and a simulated Azure in one process, or the simulated Azure alone.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;

use clap::Args;
use serde_json::json;
use time::{Duration, OffsetDateTime};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use url::Url;

use super::run::AnyError;
use super::{Output, print_error, print_line, progress};
use crate::app::App;
use crate::clock::SystemClock;
use crate::config::Config;
use crate::domain::{StatusReason, WaitReason};
use crate::ports::{Clock, chain};
use crate::sandbox::{FaultLevel, Options, Sandbox, Summary, TimelineEventKind};
use crate::shutdown::requested;
use crate::telemetry;

/// What `rekeyd sandbox` takes.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  rekeyd sandbox                                   rotate what is due, then serve until Ctrl-C\n  \
    rekeyd sandbox --until-rotated --output json     rotate and retire what is due, then say what came of it\n  \
    rekeyd sandbox --days 400 --secrets 20 --faults heavy --seed 7\n  \
    rekeyd sandbox --azure-only --dir /tmp/azure     only the simulated Azure, for `rekeyd run` in another process\n  \
    unshare --net --mount sh -c 'ip link set lo up; rekeyd sandbox --azure-only --production-names --dir /tmp/azure'\n                                                   \
    the same under Azure's own names, once /tmp/azure/hosts is /etc/hosts in there\n\n\
    Exits with 1 if a consumer could not sign in or a credential was left behind."
)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
pub(super) struct SandboxCommand {
    /// How many secrets, each of an application of its own.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..=500))]
    secrets: u16,
    /// How many vaults they are spread over.
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u16).range(1..=20))]
    vaults: u16,
    /// Live through this many days as fast as the machine can, then stop.
    #[arg(long, value_name = "N", conflicts_with_all = ["until_rotated", "azure_only"],
          value_parser = clap::value_parser!(u16).range(1..=3_650))]
    days: Option<u16>,
    /// Stop when everything that is due is rotated and its old credentials are retired.
    #[arg(long, conflicts_with = "azure_only")]
    until_rotated: bool,
    /// How many of the daemon's calls fail: light 1 %, heavy 5 %.
    #[arg(long, value_enum, default_value = "none")]
    faults: FaultLevel,
    /// How long a new or removed credential takes to be known everywhere.
    #[arg(long, value_name = "FROM..TO", default_value = "4s..18s", value_parser = parse_propagation)]
    propagation: (Duration, Duration),
    /// Seeds the world: its secrets, dates and dice. The order in which requests arrive stays free.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How the result is printed.
    #[arg(long, value_enum, default_value = "text")]
    output: Output,
    /// Only the simulated Azure and its consumers, until SIGTERM or Ctrl-C.
    #[arg(long, requires = "dir")]
    azure_only: bool,
    /// Serve one HTTPS port of 127.0.0.1 under Azure's own names (login.microsoftonline.com, graph.microsoft.com,
    /// vault-1.vault.azure.net ...), so that a client needs no endpoint at all: only DIR/ca.pem and DIR/hosts.
    #[arg(long, requires = "azure_only")]
    production_names: bool,
    /// The port of --production-names. Clients expect 443, which needs root or a network namespace of your own.
    #[arg(long, value_name = "PORT", default_value_t = 443, requires = "production_names")]
    https_port: u16,
    /// Where --azure-only writes ca.pem, rekeyd.toml and endpoints.json, and hosts with --production-names.
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// Leave the `sandbox` table out of rekeyd.toml, for a daemon that was built without the sandbox.
    #[arg(long, requires = "azure_only")]
    no_clock_url: bool,
    /// A Storage Queue that events go to as well, and that rekeyd.toml reads: Azurite's, which is trusted with
    /// DIR/localhost.pem and DIR/localhost.key. It is made as soon as somebody answers there.
    #[arg(long, value_name = "URL", requires = "azure_only")]
    queue: Option<Url>,
    /// What the daemon logs, in the syntax of RUST_LOG.
    #[arg(long, default_value = "off", value_name = "FILTER")]
    log: String,
}

impl SandboxCommand {
    pub(super) fn execute(self) -> ExitCode {
        let done = if self.azure_only { self.serve_azure() } else { self.rehearse() };
        match done {
            Ok(code) => code,
            Err(error) => {
                print_error(format_args!("the sandbox can't run: {}", chain(&*error)));
                ExitCode::FAILURE
            }
        }
    }

    #[tokio::main]
    async fn serve_azure(self) -> Result<ExitCode, AnyError> {
        telemetry::init_rehearsal(&self.log)?;
        let directory = self.dir.clone().unwrap_or_default();
        // The daemon comes later; its port is only found to be free now.
        let daemon = TcpListener::bind(LOOPBACK).await?.local_addr()?;
        let mut sandbox = Sandbox::start(self.options(daemon)).await?;
        if let Some(queue) = &self.queue {
            sandbox = sandbox.with_queue(queue.clone())?;
        }
        sandbox.clock().go_real_time();
        sandbox.write_directory(&directory, !self.no_clock_url)?;
        let shown = directory.display();
        print_line(format_args!("a simulated Azure is ready; {shown}/endpoints.json says where"));
        print_line(format_args!("  rekeyd run --config {shown}/rekeyd.toml"));
        requested().await?;
        sandbox.shutdown().await;
        Ok(ExitCode::SUCCESS)
    }

    #[tokio::main]
    async fn rehearse(self) -> Result<ExitCode, AnyError> {
        telemetry::init_rehearsal(&self.log)?;
        let began = Instant::now();
        let listener = TcpListener::bind(LOOPBACK).await?;
        let sandbox = Sandbox::start(self.options(listener.local_addr()?)).await?;
        let told = self.tell(&sandbox);
        let start = sandbox.clock().now();
        let directory = Scratch::new()?;
        let app = start_daemon(&sandbox, listener, directory.path(), self.seed).await?;
        self.live(&sandbox, &app, start).await?;
        let summary = sandbox.summary();
        let days = (sandbox.clock().now() - start).whole_days();
        app.drain().await;
        sandbox.shutdown().await;
        told.await?;
        self.conclude(&summary, days, began);
        let clean = summary.consumer_sign_in_failures == 0 && summary.orphans_left == 0;
        Ok(if clean { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }

    fn options(&self, daemon_address: SocketAddr) -> Options {
        let (shortest, longest) = self.propagation;
        Options {
            secrets: self.secrets.into(),
            vaults: self.vaults.into(),
            propagation: shortest..=longest,
            faults: self.faults,
            seed: self.seed,
            start: SystemClock.now(),
            daemon_address,
            production_names: self.production_names.then_some(self.https_port),
        }
    }

    /// Prints what happens, as it happens.
    fn tell(&self, sandbox: &Sandbox) -> JoinHandle<()> {
        let (mut timeline, output) = (sandbox.timeline(), self.output);
        #[expect(clippy::disallowed_methods, reason = "it ends by itself, when the sandbox does")]
        tokio::spawn(async move {
            while let Some(event) = timeline.recv().await {
                match output {
                    Output::Text => print_line(progress::line(&event)),
                    Output::Json if event.kind == TimelineEventKind::FaultInjected => {}
                    // Standard output is for the one object at the end.
                    Output::Json => print_error(progress::line(&event)),
                }
            }
        })
    }

    async fn live(&self, sandbox: &Sandbox, app: &App, start: OffsetDateTime) -> Result<(), AnyError> {
        let clock = sandbox.clock();
        if let Some(days) = self.days {
            let end = start + Duration::days(days.into());
            clock.run_until(end - CALM).await;
            sandbox.stop_faults();
            clock.run_until(end).await;
            return Ok(());
        }
        let patience = start + MAX_RUN_LENGTH;
        while clock.now() < patience && !self.is_done(sandbox, app) {
            clock.run_until(clock.now() + STEP).await;
        }
        if !self.until_rotated {
            clock.go_real_time();
            invite(sandbox, app);
            requested().await?;
        }
        Ok(())
    }

    /// Whether what was due is rotated, and (if that was asked for) nothing is left to retire.
    fn is_done(&self, sandbox: &Sandbox, app: &App) -> bool {
        let (summary, statuses) = (sandbox.summary(), app.board().list());
        let mut reasons = statuses.iter().map(|status| status.reason);
        if self.until_rotated {
            summary.retired >= 1 && reasons.all(|reason| reason == StatusReason::Waiting(WaitReason::NotDue))
        } else {
            summary.published >= 1
                && reasons.all(|reason| {
                    matches!(reason, StatusReason::Waiting(WaitReason::NotDue | WaitReason::Overlap))
                })
        }
    }

    fn conclude(&self, summary: &Summary, days: i64, began: Instant) {
        let wall = (began.elapsed().as_secs_f64() * 1_000.0).round() / 1_000.0;
        if self.output == Output::Json {
            let mut object = json!({
                "secrets": self.secrets, "vaults": self.vaults, "virtual_days": days, "wall_seconds": wall,
            });
            if let (Some(object), Ok(serde_json::Value::Object(counts))) =
                (object.as_object_mut(), serde_json::to_value(summary))
            {
                object.extend(counts);
            }
            print_line(object);
            return;
        }
        print_line(format_args!(
            "\n{days} days in {wall} s: {} issued, {} published, {} retired, {} left behind",
            summary.issued, summary.published, summary.retired, summary.orphans_left
        ));
        print_line(format_args!(
            "consumers signed in {} times and failed {} times",
            summary.consumer_sign_ins, summary.consumer_sign_in_failures
        ));
    }
}

/// Says where everything is, and what to try.
fn invite(sandbox: &Sandbox, app: &App) {
    let (endpoints, address) = (sandbox.endpoints(), app.address());
    let token = secrecy::ExposeSecret::expose_secret(sandbox.api_token()).to_owned();
    let first = app.board().list().first().map(|status| status.secret.to_string()).unwrap_or_default();
    print_line("\nWhat was due is rotated. From here on time runs as outside; Ctrl-C ends it.\n");
    print_line(format_args!("  daemon          http://{address}"));
    print_line(format_args!("  Entra, Graph    {}", endpoints.graph));
    for vault in &endpoints.vaults {
        print_line(format_args!("  {:<14}  {}", vault.name, vault.url));
    }
    print_line("\nTry (the token is of this sandbox only):\n");
    print_line(format_args!("  curl http://{address}/readyz"));
    print_line(format_args!("  curl http://{address}/metrics"));
    print_line(format_args!("  curl -H 'Authorization: Bearer {token}' http://{address}/api/v1/secrets"));
    print_line(format_args!(
        "  curl -X POST -H 'Authorization: Bearer {token}' http://{address}/api/v1/secrets/{first}/rotate\n"
    ));
}

/// Starts the daemon as it runs in production, from a configuration file's text.
async fn start_daemon(
    sandbox: &Sandbox,
    listener: TcpListener,
    directory: &Path,
    seed: u64,
) -> Result<App, AnyError> {
    sandbox.write_directory(directory, false)?;
    let file = directory.join("rekeyd.toml");
    let text = std::fs::read_to_string(&file)?;
    let mut config = Config::parse(&text, &file.display().to_string(), &[])?;
    // At the end of a run the clock stands still, so that there is nothing to wait for.
    config.reconcile.shutdown_grace = std::time::Duration::from_secs(2);
    let clock: Arc<dyn Clock> = Arc::new(sandbox.clock());
    Ok(App::start_on(listener.into_std()?, &config, &clock, seed).await?)
}

/// A directory of this process, removed at the end.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> std::io::Result<Self> {
        let name = format!("rekeyd-sandbox-{}", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&path)?;
        Ok(Self(path))
    }

    fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What can't be removed from a temporary directory is the system's to clear.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn parse_propagation(text: &str) -> Result<(Duration, Duration), String> {
    let (from, to) = text.split_once("..").unwrap_or((text, text));
    let parse = |part: &str| {
        let parsed = humantime::parse_duration(part.trim_start_matches('='));
        parsed.ok().and_then(|parsed| Duration::try_from(parsed).ok())
    };
    match (parse(from), parse(to)) {
        (Some(from), Some(to)) if from <= to && to <= Duration::minutes(10) => Ok((from, to)),
        (Some(_) | None, Some(_) | None) => {
            Err("expected FROM..TO up to 10m, for example 4s..18s".to_owned())
        }
    }
}

const LOOPBACK: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

/// The last days of a run, in which nothing fails any more.
const CALM: Duration = Duration::days(2);

/// Between two looks at whether a run is done.
const STEP: Duration = Duration::hours(6);

/// Until then everything that is due is rotated, or something is wrong.
const MAX_RUN_LENGTH: Duration = Duration::days(60);
