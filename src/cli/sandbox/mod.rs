//! `rekeyd sandbox`: the daemon and a simulated Azure in one process, or the simulated Azure alone.

mod files;
mod narrator;
mod screen;
mod story;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;

use clap::Args;
use serde_json::{Value, json};
use time::{Duration, OffsetDateTime};
use tokio::net::TcpListener;
use url::Url;

use self::files::Files;
use self::narrator::Narrator;
use self::story::Story;
use super::run::AnyError;
use super::{Output, print_error, print_line};
use crate::app::App;
use crate::clock::SystemClock;
use crate::config::Config;
use crate::ports::{Clock, chain};
use crate::sandbox::{FaultLevel, Options, Sandbox, Summary};
use crate::shutdown::requested;
use crate::telemetry;

/// The arguments of `rekeyd sandbox`.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  rekeyd sandbox                                   rotate what is due, then serve until Ctrl-C\n  \
    rekeyd sandbox --until-rotated --output json     rotate and retire what is due, then print the result\n  \
    rekeyd sandbox --days 400 --secrets 20 --faults heavy --seed 7\n  \
    rekeyd sandbox --azure-only --dir /tmp/azure     serve only the simulated Azure, for `rekeyd run` in another process\n  \
    unshare --net --mount sh -c 'ip link set lo up; rekeyd sandbox --azure-only --production-names --dir /tmp/azure'\n                                                   \
    the same under Azure's own names, once /tmp/azure/hosts is /etc/hosts in there\n\n\
    Exits with 1 if a consumer could not sign in or a credential was left behind."
)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
pub(super) struct SandboxCommand {
    /// Number of secrets, each of an application of its own.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..=500))]
    secrets: u16,
    /// Number of vaults that they are spread over.
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u16).range(1..=20))]
    vaults: u16,
    /// Simulate this many days as fast as the machine can, then stop.
    #[arg(long, value_name = "N", conflicts_with_all = ["until_rotated", "azure_only"],
          value_parser = clap::value_parser!(u16).range(1..=3_650))]
    days: Option<u16>,
    /// Stop when everything that is due is rotated and its old credentials are retired.
    #[arg(long, conflicts_with = "azure_only")]
    until_rotated: bool,
    /// Share of the daemon's requests that fail: light 1 %, heavy 5 %.
    #[arg(long, value_enum, default_value = "none")]
    faults: FaultLevel,
    /// Time until a new or removed credential is known on all of Entra's servers.
    #[arg(long, value_name = "FROM..TO", default_value = "4s..18s", value_parser = parse_propagation)]
    propagation: (Duration, Duration),
    /// Seed of the world: its secrets, dates and random faults. The order in which requests arrive stays free.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Format of the result.
    #[arg(long, value_enum, default_value = "text")]
    output: Output,
    /// Serve only the simulated Azure and its consumers, until SIGTERM or Ctrl-C.
    #[arg(long, requires = "dir")]
    azure_only: bool,
    /// Serve one HTTPS port of 127.0.0.1 under Azure's own names (login.microsoftonline.com, graph.microsoft.com,
    /// vault-1.vault.azure.net ...), so that a client needs no endpoint at all: only DIR/ca.pem and DIR/hosts.
    #[arg(long, requires = "azure_only")]
    production_names: bool,
    /// Port of --production-names. Clients expect 443, which needs root or a network namespace of your own.
    #[arg(long, value_name = "PORT", default_value_t = 443, requires = "production_names")]
    https_port: u16,
    /// Directory for ca.pem, rekeyd.toml, api-token and endpoints.json, and hosts with --production-names. By default
    /// a temporary one, which is removed at the end.
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// Leave the `sandbox` table out of rekeyd.toml, for a daemon that was built without the sandbox.
    #[arg(long, requires = "azure_only")]
    no_clock_url: bool,
    /// URL of a Storage Queue that events are sent to as well, and that rekeyd.toml reads: Azurite's, which presents
    /// DIR/localhost.pem with DIR/localhost.key. The queue is created once a server answers there.
    #[arg(long, value_name = "URL", requires = "azure_only")]
    queue: Option<Url>,
    /// Filter of the daemon's log, in the syntax of RUST_LOG.
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
        print_line(format_args!(
            "The simulated Azure is ready. Its addresses are in {shown}/endpoints.json. Try:\n"
        ));
        print_line(format_args!("  rekeyd run --config {shown}/rekeyd.toml"));
        print_line(format_args!(
            "  curl --cacert {shown}/ca.pem {} -d '{{\"advance\": \"25d\"}}'",
            sandbox.clock_url()
        ));
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
        let start = sandbox.clock().now();
        let files = Files::create(self.dir.as_deref())?;
        let app = self.live(&sandbox, listener, &files, start).await?;
        sandbox.clock().freeze();
        let summary = sandbox.summary();
        let days = (sandbox.clock().now() - start).whole_days();
        app.drain().await;
        sandbox.shutdown().await;
        self.conclude(&summary, days, began);
        let is_clean = summary.consumer_sign_in_failures == 0 && summary.orphans_left == 0;
        Ok(if is_clean { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }

    /// Starts a daemon on the sandbox and prints what happens, until the run is over or was asked to stop.
    async fn live(
        &self,
        sandbox: &Sandbox,
        listener: TcpListener,
        files: &Files,
        start: OffsetDateTime,
    ) -> Result<App, AnyError> {
        let mut narrator = Narrator::new(sandbox, self.output);
        narrator.print(screen::introduction(sandbox, start, self.long_cache()));
        let app = start_daemon(sandbox, listener, files, self.seed).await?;
        let mut story = Story { sandbox, app: &app, narrator: &mut narrator, start };
        tokio::select! {
            () = story.run(self.days) => {}
            asked = requested() => return asked.map(|()| app).map_err(Into::into),
        }
        if self.days.is_none() && !self.until_rotated {
            sandbox.clock().go_real_time();
            narrator.print(screen::invitation(sandbox, &app, files));
            narrator.during(requested()).await?;
        }
        Ok(app)
    }

    /// Returns the time for which a second consumer of each secret keeps its text: only the story of one rotation has one.
    fn long_cache(&self) -> Option<Duration> {
        let is_story = self.days.is_none() && !self.azure_only;
        is_story.then_some(LONG_CACHE)
    }

    fn options(&self, daemon_address: SocketAddr) -> Options {
        let (shortest, longest) = self.propagation;
        Options {
            secrets: self.secrets.into(),
            vaults: self.vaults.into(),
            propagation: shortest..=longest,
            faults: self.faults,
            long_cache: self.long_cache(),
            seed: self.seed,
            start: SystemClock.now(),
            daemon_address,
            production_names: self.production_names.then_some(self.https_port),
        }
    }

    fn conclude(&self, summary: &Summary, days: i64, began: Instant) {
        let wall = thousandths(began.elapsed());
        if self.output == Output::Json {
            print_line(self.result(summary, days, wall));
            return;
        }
        print_line(format_args!(
            "\n{days} days in {wall} s: {} issued, {} published, {} retired, {} left behind",
            summary.issued, summary.published, summary.retired, summary.orphans_left
        ));
        print_line(format_args!(
            "Consumers signed in {} times and failed {} times.",
            summary.consumer_sign_ins, summary.consumer_sign_in_failures
        ));
    }

    /// Returns the JSON object of a run.
    fn result(&self, summary: &Summary, days: i64, wall: f64) -> Value {
        let mut result = json!({
            "secrets": self.secrets,
            "vaults": self.vaults,
            "virtual_days": days,
            "wall_seconds": wall,
            "cpu_seconds": thousandths(cpu_time()),
        });
        if let (Some(object), Ok(Value::Object(counts))) =
            (result.as_object_mut(), serde_json::to_value(summary))
        {
            object.extend(counts);
        }
        result
    }
}

/// Returns seconds, rounded to milliseconds.
fn thousandths(duration: std::time::Duration) -> f64 {
    (duration.as_secs_f64() * 1_000.0).round() / 1_000.0
}

/// Returns the processor time that this process has used, in all its threads.
fn cpu_time() -> std::time::Duration {
    use rustix::time::{ClockId, clock_gettime};
    // A process has not used a negative time.
    clock_gettime(ClockId::ProcessCPUTime).try_into().unwrap_or_default()
}

/// Starts the daemon as it runs in production, from the text of a configuration file.
async fn start_daemon(
    sandbox: &Sandbox,
    listener: TcpListener,
    files: &Files,
    seed: u64,
) -> Result<App, AnyError> {
    // The table of the clock is for other processes: this daemon shares the clock.
    sandbox.write_directory(files.directory(), true)?;
    let file = files.path("rekeyd.toml");
    let text = std::fs::read_to_string(&file)?;
    let mut config = Config::parse(&text, &file.display().to_string(), &[])?;
    // At the end of a run the clock stands still, so that there is nothing to wait for.
    config.reconcile.shutdown_grace = std::time::Duration::from_secs(2);
    let clock: Arc<dyn Clock> = Arc::new(sandbox.clock());
    Ok(App::start_on(listener.into_std()?, &config, &clock, seed).await?)
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

/// The time for which the second consumer of each secret keeps its text: well below the overlap, also when the report on
/// sign-ins has to be quiet for some days before the old credential is retired.
const LONG_CACHE: Duration = Duration::days(3);
