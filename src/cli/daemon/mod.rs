//! How a person's command gets to the loop: through a running daemon, or into one that runs here until it is completed.

mod follow;
mod in_process;
mod outcome;
mod remote;

use std::io::{BufRead as _, IsTerminal as _, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use url::Url;
use uuid::Uuid;

use self::follow::{FollowedOperation, follow};
use self::in_process::InProcess;
use self::outcome::{CommandResult, conclude};
use self::remote::RemoteDaemon;
use super::run::AnyError;
use super::{Output, USAGE, print_error};
use crate::domain::{CommandKind, SecretId, VaultName};
use crate::ports::chain;
use crate::shutdown::requested;

/// One secret or several, by name.
#[derive(Debug, Args)]
pub(super) struct Secrets {
    /// Which secrets.
    #[arg(value_name = "VAULT/NAME", required = true)]
    secrets: Vec<SecretId>,
}

/// Secrets by name, or all of them.
#[derive(Debug, Args)]
pub(super) struct SecretsOrAll {
    /// Which secrets.
    #[arg(value_name = "VAULT/NAME", required_unless_present = "all", conflicts_with = "all")]
    secrets: Vec<SecretId>,
    /// Every managed secret. Asks first.
    #[arg(long)]
    all: bool,
    /// Don't ask first.
    #[arg(long, requires = "all")]
    yes: bool,
}

/// Which way a command takes, and how its end is waited for.
#[derive(Debug, Args)]
pub(super) struct ConnectArgs {
    /// Ask the daemon that answers here, directly: no proxy is used.
    #[arg(long, value_name = "URL", value_parser = address, conflicts_with = "config", requires = "proof")]
    server: Option<Url>,
    /// The file that holds the token of the daemon's API.
    #[arg(long, value_name = "FILE", requires = "server", group = "proof")]
    token_file: Option<PathBuf>,
    /// Sign in as whoever `az login` knows, with a token for the API's audience (api.audience of the daemon).
    #[arg(long, value_name = "AUDIENCE", requires = "server", group = "proof")]
    audience: Option<String>,
    /// PEM file of the certificate authorities that a daemon behind HTTPS is trusted by, in the place of the system's.
    #[arg(long, value_name = "FILE", requires = "server")]
    ca_file: Option<PathBuf>,
    /// Do it here, with this configuration and the identity that it names. A daemon that runs meanwhile is no harm.
    /// If neither this nor --server is given, REKEYD_CONFIG names it.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Wait until the daemon has completed the command, or something is in its way.
    #[arg(long, requires = "server")]
    wait: bool,
    /// How long to wait at most.
    #[arg(long, value_name = "TIME", default_value = "2h", value_parser = humantime::parse_duration)]
    limit: Duration,
    /// The key under which the daemon is asked; a repeated one asks for nothing new. Default: one of its own each time.
    #[arg(long, value_name = "KEY", requires = "server", value_parser = key)]
    idempotency_key: Option<String>,
    /// How the result is printed.
    #[arg(long, value_enum, default_value = "text")]
    output: Output,
}

/// Which secrets are meant.
#[derive(Debug)]
pub(super) enum SelectedSecrets {
    /// These.
    These(Vec<SecretId>),
    /// All, and whether that was confirmed.
    All { confirmed: bool },
}

impl From<Secrets> for SelectedSecrets {
    fn from(Secrets { secrets }: Secrets) -> Self {
        Self::These(secrets)
    }
}

impl From<SecretsOrAll> for SelectedSecrets {
    fn from(SecretsOrAll { secrets, all, yes }: SecretsOrAll) -> Self {
        if all { Self::All { confirmed: yes } } else { Self::These(secrets) }
    }
}

/// Why an operation is not known.
#[derive(Debug, thiserror::Error)]
enum Unseen {
    /// For a while.
    #[error("{0}")]
    Passing(String),
    /// Looking again would not help.
    #[error("{0}")]
    Lasting(String),
}

/// The one that executes commands: a daemon, or a loop in this process.
enum Backend {
    Remote(RemoteDaemon),
    InProcess(Box<InProcess>),
}

impl Backend {
    async fn submit(&self, secret: &SecretId, kind: CommandKind) -> Result<FollowedOperation, String> {
        match self {
            Self::Remote(daemon) => daemon.submit(secret, kind).await.map_err(|error| chain(&error)),
            Self::InProcess(process) => process.submit(secret, kind),
        }
    }

    async fn operation(&self, id: Uuid) -> Result<FollowedOperation, Unseen> {
        match self {
            Self::Remote(daemon) => Ok(daemon.operation(id).await?),
            Self::InProcess(process) => process.operation(id),
        }
    }

    async fn operations(&self) -> Result<Vec<FollowedOperation>, Unseen> {
        match self {
            Self::Remote(daemon) => Ok(daemon.operations().await?),
            Self::InProcess(process) => Ok(process.operations()),
        }
    }

    async fn secrets(&self) -> Result<Vec<SecretId>, Unseen> {
        match self {
            Self::Remote(daemon) => Ok(daemon.secrets().await?),
            Self::InProcess(process) => Ok(process.secrets()),
        }
    }

    /// Returns the vaults that may hold more secrets than are known here.
    fn gaps(&self) -> &[VaultName] {
        match self {
            Self::Remote(_) => &[],
            Self::InProcess(process) => process.gaps(),
        }
    }
}

/// Asks for `kind`, and says what came of it.
pub(super) fn execute(kind: CommandKind, wanted: SelectedSecrets, connect: &ConnectArgs) -> ExitCode {
    if matches!(wanted, SelectedSecrets::All { confirmed: false }) && !std::io::stdin().is_terminal() {
        print_error("--all is confirmed on a terminal: say --yes where there is none");
        return ExitCode::from(USAGE);
    }
    match run(kind, wanted, connect) {
        Ok(Some(RunResult { results, has_gaps })) => {
            let code = conclude(kind, &results, connect.output);
            if has_gaps { ExitCode::FAILURE } else { code }
        }
        Ok(None) => ExitCode::from(USAGE),
        Err(error) => {
            print_error(format_args!("{} failed: {}", kind.label(), chain(&*error)));
            ExitCode::FAILURE
        }
    }
}

/// The results of all commands of one invocation.
struct RunResult {
    results: Vec<CommandResult>,
    /// Whether all secrets were meant, and some may not have been found.
    has_gaps: bool,
}

/// `None` if somebody has to say it in another way.
#[tokio::main]
async fn run(
    kind: CommandKind,
    wanted: SelectedSecrets,
    connect: &ConnectArgs,
) -> Result<Option<RunResult>, AnyError> {
    let Some(backend) = backend(connect).await? else { return Ok(None) };
    for vault in backend.gaps() {
        print_error(format_args!(
            "{vault} can't be searched for tagged secrets: those that it holds are left out"
        ));
    }
    let has_gaps = matches!(wanted, SelectedSecrets::All { .. }) && !backend.gaps().is_empty();
    let secrets = match wanted {
        SelectedSecrets::These(secrets) => secrets,
        SelectedSecrets::All { confirmed } => {
            let all = backend.secrets().await?;
            if !confirmed && !confirm(kind, all.len())? {
                return Ok(None);
            }
            all
        }
    };
    let mut results = submit_each(&backend, kind, secrets).await;
    let followed = match &backend {
        Backend::Remote(_) if !connect.wait => Ok(()),
        Backend::Remote(_) | Backend::InProcess(_) => tokio::select! {
            _ = tokio::time::timeout(connect.limit, see_through(&backend, kind, &mut results)) => Ok(()),
            asked = requested() => Ok(asked?),
        },
    };
    if let Backend::InProcess(process) = backend {
        process.end().await;
        results.iter_mut().for_each(CommandResult::abandon);
    }
    followed.map(|()| Some(RunResult { results, has_gaps }))
}

async fn see_through(backend: &Backend, kind: CommandKind, results: &mut Vec<CommandResult>) {
    follow(backend, kind, results).await;
    if let Backend::InProcess(process) = backend {
        process.rest().await;
    }
}

/// `None` if somebody has to say it in another way.
async fn backend(connect: &ConnectArgs) -> Result<Option<Backend>, AnyError> {
    if let Some(server) = &connect.server {
        return Ok(Some(Backend::Remote(RemoteDaemon::new(server, connect)?)));
    }
    let configured = connect.config.clone();
    let Some(file) = configured.or_else(|| std::env::var_os("REKEYD_CONFIG").map(PathBuf::from)) else {
        print_error(
            "say --server and --token-file (or --audience) to ask a daemon, or --config (or REKEYD_CONFIG) to do it here",
        );
        return Ok(None);
    };
    match InProcess::start(&file).await? {
        Ok(process) => Ok(Some(Backend::InProcess(Box::new(process)))),
        Err(invalid) => {
            print_error(invalid);
            Ok(None)
        }
    }
}

/// Submits the command for each secret, and notes the other secrets that get the same command with it.
async fn submit_each(backend: &Backend, kind: CommandKind, secrets: Vec<SecretId>) -> Vec<CommandResult> {
    let mut results: Vec<CommandResult> = Vec::new();
    for secret in secrets {
        let submitted = backend.submit(&secret, kind).await;
        let also = submitted.as_ref().map(|operation| operation.also.clone()).unwrap_or_default();
        let at = submitted.as_ref().ok().map(|operation| operation.at);
        results.retain(|result| result.secret != secret);
        results.push(CommandResult::new(secret, submitted));
        for other in also {
            results.retain(|result| result.secret != other);
            results.push(CommandResult::passed_on(other, at));
        }
    }
    results
}

/// Whether somebody at the terminal types yes.
fn confirm(kind: CommandKind, count: usize) -> std::io::Result<bool> {
    let mut prompt = anstream::stderr();
    if kind == CommandKind::Rotate {
        writeln!(
            prompt,
            "The limits, windows and canaries of [rollout] hold none of them back: only a hard freeze does."
        )?;
    }
    write!(prompt, "{} all {count} managed secrets? Type yes: ", kind.label())?;
    prompt.flush()?;
    let mut typed = String::new();
    std::io::stdin().lock().read_line(&mut typed)?;
    Ok(typed.trim() == "yes")
}

fn address(text: &str) -> Result<Url, String> {
    let url = Url::parse(text).map_err(|error| error.to_string())?;
    let plain =
        matches!(url.scheme(), "http" | "https") && url.query().is_none() && url.username().is_empty();
    if plain && url.password().is_none() { Ok(url) } else { Err("expected http(s)://HOST[:PORT]".to_owned()) }
}

fn key(text: &str) -> Result<String, String> {
    let fits = (1..=100).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
    if fits { Ok(text.to_owned()) } else { Err("expected 1 to 100 visible characters".to_owned()) }
}
