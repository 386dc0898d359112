//! A real Prometheus scrapes a real daemon with the rules and the dashboard that are shipped: the alerts fire for real
//! problems and for nothing else, and each panel's query gets data.

#![expect(clippy::indexing_slicing, reason = "a test may stop here")]

use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Command, Stdio};

use reqwest::{Client, Method, StatusCode};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::event_paths::publish_ending;
use crate::support::{Azure, Daemon, PATIENCE, Process, eventually};

/// Alerts fire for a daemon that is down, a blocked secret and a secret about to expire, and for nothing else.
#[tokio::test]
#[ignore = "needs prometheus"]
async fn alerts_fire_only_for_real_problems() {
    let azure = Azure::start(&["--propagation", "0s..1s", "--secrets", "4"]).await;
    let mut daemon = azure.daemon(&[]).await;
    // Secrets that are due at first are rotated before Prometheus
    // starts: that takes longer than a shortened alert allows.
    azure.settle(&daemon).await;
    let prometheus = Prometheus::watching(&daemon).await;
    prometheus.looks_at_rules().await;
    prometheus.has_looked(20).await;
    assert_eq!(prometheus.ever_fired().await, names(&[]), "all is well");

    daemon.process.kill();
    prometheus.fires("RekeydDown", None).await;
    daemon = azure.daemon(&[]).await;
    prometheus.resolves("RekeydDown").await;

    take_ownership(&azure, 0).await;
    let blocked = name_of(&azure, 0);
    daemon.rotate(&blocked).await;
    prometheus.fires("RekeydSecretBlocked", Some(&blocked)).await;

    publish_paused(&azure, 1, time::Duration::hours(6)).await;
    let ending = name_of(&azure, 1);
    prometheus.fires("RekeydSecretExpiresVerySoon", Some(&ending)).await;

    let expected = [
        "RekeydDown of rekeyd".to_owned(),
        format!("RekeydSecretBlocked of {blocked}"),
        format!("RekeydSecretExpiresVerySoon of {ending}"),
    ];
    assert_eq!(prometheus.ever_fired().await, names(&expected), "{}", daemon.printed());
}

#[tokio::test]
#[ignore = "needs prometheus"]
async fn each_panel_of_the_dashboard_gets_data() {
    let azure = Azure::start(&["--propagation", "0s..1s", "--secrets", "3"]).await;
    let daemon = azure.daemon(&[]).await;
    let prometheus = Prometheus::watching(&daemon).await;
    // A counter has to be seen before it counts.
    prometheus.looks_at_rules().await;
    publish_paused(&azure, 1, time::Duration::hours(6)).await;
    take_ownership(&azure, 0).await;
    // A status counts only from the second scrape that has it: these are tried again second by second.
    let unavailable =
        json!({"service": "graph", "path_contains": "applications", "kind": "unavailable", "count": 6});
    azure.fail(json!([unavailable])).await;
    daemon.rotate(&name_of(&azure, 0)).await;
    let refused = daemon.send(Method::GET, "/api/v1/secrets", Some("unknown-token")).await.status();
    assert_eq!(refused, StatusCode::UNAUTHORIZED);

    let dashboard: Value = serde_json::from_str(&shipped("grafana/rekeyd.json")).unwrap();
    let queries = queries(&dashboard);
    assert!(queries.len() > 40, "{} queries", queries.len());
    for (title, query) in &queries {
        prometheus.ask(query).await.unwrap_or_else(|error| panic!("{title}: {query}: {error}"));
        if !MAY_BE_EMPTY.contains(&title.as_str()) {
            prometheus.knows(title, query).await;
        }
    }
    let titles: BTreeSet<_> = queries.iter().map(|(title, _)| title.as_str()).collect();
    assert!(MAY_BE_EMPTY.iter().all(|title| titles.contains(title)), "{titles:?}");
}

/// Panels without data here, as on many a good day: no secret of the sandbox has replicas.
const MAY_BE_EMPTY: [&str; 1] = ["Replicas"];

/// A Prometheus with the shipped rules in which 200 s of `for` are a second; thresholds and ranges are as shipped.
struct Prometheus {
    process: Process,
    base: String,
    http: Client,
    directory: TempDir,
}

impl Prometheus {
    /// Starts one that scrapes `daemon` once a second, and has no rules yet. The shortest `for` is longer than that, so
    /// that one scrape that a busy machine is late for is not an alert.
    async fn watching(daemon: &Daemon) -> Self {
        let directory = TempDir::new().unwrap();
        let target = daemon.base().strip_prefix("http://").unwrap();
        let config = json!({
            "global": {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "250ms"},
            "rule_files": ["rules.yml"],
            "scrape_configs": [{"job_name": "rekeyd", "static_configs": [{"targets": [target]}]}],
        });
        // JSON is YAML.
        std::fs::write(directory.path().join("prometheus.yml"), config.to_string()).unwrap();
        let mut process = Process::start(command(directory.path()), directory.path(), "prometheus");
        let address = eventually("Prometheus listens", PATIENCE, async || {
            assert_eq!(process.ended(), None, "{}", process.printed());
            address(&process.printed())
        });
        let base = format!("http://{}", address.await);
        let http = Client::builder().no_proxy().timeout(PATIENCE).build().unwrap();
        Self { process, base, http, directory }
    }

    /// Loads the rules, once the daemon was scraped: Prometheus takes some seconds for that, and an alert would fire
    /// for a daemon that is missing for as long.
    async fn looks_at_rules(&self) {
        self.has_looked(1).await;
        let rules = hastened(&shipped("prometheus/rules.yml"));
        std::fs::write(self.directory.path().join("rules.yml"), rules).unwrap();
        let reloaded = self.http.post(format!("{}/-/reload", self.base)).send().await.unwrap();
        assert_eq!(reloaded.status(), StatusCode::OK, "{}", self.process.printed());
    }

    /// Waits until it has scraped the daemon this many times.
    async fn has_looked(&self, times: u32) {
        let query = format!("count_over_time(up{{job=\"rekeyd\"}}[10m]) >= {times}");
        self.knows("the daemon is scraped", &query).await;
    }

    /// Waits until this alert fires, and asserts that its summary and description name the secret.
    async fn fires(&self, alert: &str, secret: Option<&str>) {
        let found = eventually(alert, PATIENCE, async || {
            let alerts = self.alerts().await;
            alerts
                .into_iter()
                .find(|found| found["labels"]["alertname"] == alert && found["state"] == "firing")
        });
        let found = found.await;
        let secret = secret.unwrap_or_default();
        assert_eq!(found["labels"]["secret"].as_str().unwrap_or_default(), secret, "{found:#}");
        for annotation in ["summary", "description"] {
            let text = found["annotations"][annotation].as_str().unwrap();
            assert!(text.contains(secret) && !text.contains("no value"), "{found:#}");
        }
    }

    async fn resolves(&self, alert: &str) {
        eventually(&format!("{alert} resolves"), PATIENCE, async || {
            let alerts = self.alerts().await;
            alerts.iter().all(|found| found["labels"]["alertname"] != alert).then_some(())
        })
        .await;
    }

    async fn alerts(&self) -> Vec<Value> {
        let url = format!("{}/api/v1/alerts", self.base);
        let answer: Value = self.http.get(url).send().await.unwrap().json().await.unwrap();
        answer["data"]["alerts"].as_array().unwrap().clone()
    }

    /// Returns every alert that has fired since the start, and its secret.
    async fn ever_fired(&self) -> BTreeSet<String> {
        let query = "count by (alertname, secret, job) (count_over_time(ALERTS{alertstate=\"firing\"}[1h]))";
        let fired = self.ask(query).await.unwrap();
        let of = |metric: &Value| metric["secret"].as_str().or(metric["job"].as_str()).map(str::to_owned);
        fired
            .iter()
            .map(|sample| &sample["metric"])
            .map(|metric| format!("{} of {}", metric["alertname"].as_str().unwrap(), of(metric).unwrap()))
            .collect()
    }

    async fn knows(&self, what: &str, query: &str) {
        eventually(&format!("{what} has data: {query}"), PATIENCE, async || {
            (!self.ask(query).await.unwrap().is_empty()).then_some(())
        })
        .await;
    }

    /// Returns the samples now, or the reason that the query is not accepted.
    async fn ask(&self, query: &str) -> Result<Vec<Value>, String> {
        let request = self.http.post(format!("{}/api/v1/query", self.base)).form(&[("query", query)]);
        let answer: Value = request.send().await.unwrap().json().await.unwrap();
        let samples = answer["data"]["result"].as_array().cloned();
        samples.ok_or_else(|| format!("{answer:#}\n{}", self.process.printed()))
    }
}

/// Returns the command for the Prometheus of Debian's package prometheus. It chooses its port, and prints it.
fn command(directory: &Path) -> Command {
    let mut command = Command::new("prometheus");
    command.arg("--config.file").arg(directory.join("prometheus.yml"));
    command.arg("--storage.tsdb.path").arg(directory.join("data"));
    command.args(["--web.listen-address=127.0.0.1:0", "--web.enable-lifecycle"]).stdin(Stdio::null());
    command
}

fn address(printed: &str) -> Option<String> {
    let (_, rest) = printed.split_once("msg=\"Listening on\" address=")?;
    rest.lines().next().map(|address| address.trim().to_owned())
}

/// Returns the rules with each `for` divided by 200, and nothing else changed.
fn hastened(rules: &str) -> String {
    let hasten = |line: &str| match line.trim_start().strip_prefix("for: ") {
        Some(length) => line.replace(length, &format!("{}ms", (seconds(length) * 1_000).div_ceil(200))),
        None => line.to_owned(),
    };
    let lines: Vec<_> = rules.lines().map(hasten).collect();
    lines.join("\n")
}

fn seconds(length: &str) -> u64 {
    let (number, unit) = length.split_at(length.len() - 1);
    let unit = match unit {
        "m" => 60,
        "h" => 3_600,
        "d" => 86_400,
        _ => panic!("{length} is in another unit"),
    };
    number.parse::<u64>().unwrap() * unit
}

/// Returns every panel's queries by its title, as Grafana would send them for everything.
fn queries(dashboard: &Value) -> Vec<(String, String)> {
    let mut queries = Vec::new();
    for panel in dashboard["panels"].as_array().unwrap() {
        for target in panel["targets"].as_array().into_iter().flatten() {
            queries
                .push((panel["title"].as_str().unwrap().to_owned(), sent(target["expr"].as_str().unwrap())));
        }
    }
    let variables = dashboard["templating"]["list"].as_array().unwrap();
    for query in variables.iter().filter_map(|variable| variable["query"]["query"].as_str()) {
        queries.push(("a variable".to_owned(), labels(query)));
    }
    queries
}

fn sent(expression: &str) -> String {
    let values = [("$secret", ".*"), ("$__rate_interval", "10m"), ("$__range", "1h")];
    let sent = values.iter().fold(expression.to_owned(), |text, (name, value)| text.replace(name, value));
    assert!(!sent.contains('$'), "{sent} has a variable that this test does not know");
    sent
}

/// Returns the query behind Grafana's `label_values(METRIC, LABEL)`.
fn labels(query: &str) -> String {
    let inner = query.strip_prefix("label_values(").and_then(|query| query.strip_suffix(')')).unwrap();
    let (metric, label) = inner.rsplit_once(", ").unwrap();
    format!("group by ({label}) ({metric})")
}

fn shipped(file: &str) -> String {
    std::fs::read_to_string(format!("{}/deploy/{file}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

fn names(names: &[String]) -> BTreeSet<String> {
    names.iter().cloned().collect()
}

fn name_of(azure: &Azure, number: usize) -> String {
    let of = |key: &str| azure.endpoint(&format!("/secrets/{number}/{key}"));
    format!("{}/{}", of("vault"), of("name"))
}

/// Removes the owners of the application of that number: Graph refuses the daemon's writes.
async fn take_ownership(azure: &Azure, number: usize) {
    let application = azure.endpoint(&format!("/secrets/{number}/object_id"));
    let url = azure.control(&format!("applications/{application}"));
    azure.call(Method::PATCH, &url, None, json!({"owners": []})).await;
}

/// Publishes a credential that ends after `rest` as the secret of that number, and forbids rotation.
async fn publish_paused(azure: &Azure, number: usize, rest: time::Duration) {
    // Prometheus lives in real time; the sandbox is some hours ahead of it.
    publish_ending(azure, number, rest, json!({"RotationDisabled": "true"})).await;
    // Event Grid takes its time to deliver to the daemon.
    azure.advance("2m").await;
}
