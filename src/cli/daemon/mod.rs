//! The backend of a command: a running daemon, or a reconcile loop in this process that runs until the command has ended.

mod follow;
#[cfg(test)]
mod follow_tests;
mod in_process;
mod outcome;
mod remote;

use std::io::{BufRead as _, IsTerminal as _, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use url::Url;

use self::follow::{FollowedOperation, follow};
use self::in_process::InProcess;
use self::outcome::{CommandResult, conclude};
use self::remote::{FollowedEvents, RemoteDaemon};
use super::run::AnyError;
use super::{Output, USAGE, print_error};
use crate::domain::{CommandKind, SecretId, VaultName};
use crate::ports::chain;
use crate::shutdown::requested;

/// One secret or several, by name.
#[derive(Debug, Args)]
pub(super) struct Secrets {
    /// Names of the secrets.
    #[arg(value_name = "VAULT/NAME", required = true)]
    secrets: Vec<SecretId>,
}

/// Secrets by name, or all of them.
#[derive(Debug, Args)]
pub(super) struct SecretsOrAll {
    /// Names of the secrets.
    #[arg(value_name = "VAULT/NAME", required_unless_present = "all", conflicts_with = "all")]
    secrets: Vec<SecretId>,
    /// Select every managed secret, after a confirmation.
    #[arg(long)]
    all: bool,
    /// Skip the confirmation of --all.
    #[arg(long, requires = "all")]
    yes: bool,
}

/// The backend that executes a command, and the wait for its end.
#[derive(Debug, Args)]
pub(super) struct ConnectArgs {
    /// Send the command to the daemon at this address, without a proxy.
    #[arg(long, value_name = "URL", value_parser = address, conflicts_with = "config", requires = "proof")]
    server: Option<Url>,
    /// Read the token for the daemon's API from this file.
    #[arg(long, value_name = "FILE", requires = "server", group = "proof")]
    token_file: Option<PathBuf>,
    /// Sign in with the account of `az login`, for this audience (api.audience of the daemon).
    #[arg(long, value_name = "AUDIENCE", requires = "server", group = "proof")]
    audience: Option<String>,
    /// Trust the certificate authorities of this PEM file instead of the system's.
    #[arg(long, value_name = "FILE", requires = "server")]
    ca_file: Option<PathBuf>,
    /// Execute the command in this process, with this configuration and its identity. A daemon may run at the same
    /// time. Without this and --server, the environment variable REKEYD_CONFIG names the file.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Wait until the command has ended, or something that may last delays it. Without --server always on.
    #[arg(long)]
    wait: bool,
    /// Maximum time to wait, such as 30m.
    #[arg(long, value_name = "TIME", default_value = "2h", value_parser = humantime::parse_duration)]
    limit: Duration,
    /// Send this idempotency key: the daemon accepts a repeated one once. Default: a random key.
    #[arg(long, value_name = "KEY", requires = "server", value_parser = key)]
    idempotency_key: Option<String>,
    /// Output format.
    #[arg(long, value_enum, default_value = "text")]
    output: Output,
}

/// The secrets that a command is for.
#[derive(Debug)]
pub(super) enum SelectedSecrets {
    /// The secrets of these names.
    These(Vec<SecretId>),
    /// Every managed secret; `confirmed` is true if no confirmation is needed.
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

/// The reason why an operation can't be read.
#[derive(Debug, thiserror::Error)]
enum Unseen {
    /// It may be readable in a moment.
    #[error("{0}")]
    Passing(String),
    /// It stays unreadable.
    #[error("{0}")]
    Lasting(String),
}

/// The executor of commands: a daemon, or a loop in this process.
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

    async fn operation(&self, known: &FollowedOperation) -> Result<FollowedOperation, Unseen> {
        match self {
            Self::Remote(daemon) => daemon.operation(known).await,
            Self::InProcess(process) => process.operation(known.id),
        }
    }

    /// Returns the changes of an operation as a stream, if the backend has one and offers it now.
    async fn events(&self, known: &FollowedOperation) -> Option<FollowedEvents> {
        match self {
            Self::Remote(daemon) => daemon.events(known).await,
            Self::InProcess(_) => None,
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

    /// Returns the vaults that could not be searched for tagged secrets.
    fn gaps(&self) -> &[VaultName] {
        match self {
            Self::Remote(_) => &[],
            Self::InProcess(process) => process.gaps(),
        }
    }
}

/// Submits the command `kind`, follows it if asked to, and prints the results.
pub(super) fn execute(kind: CommandKind, wanted: SelectedSecrets, connect: &ConnectArgs) -> ExitCode {
    if matches!(wanted, SelectedSecrets::All { confirmed: false }) && !std::io::stdin().is_terminal() {
        print_error("--all needs a confirmation: run it in a terminal, or add --yes");
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
    /// True if all secrets were selected, and some may not have been found.
    has_gaps: bool,
}

/// Runs the command. Returns `None`, with a message printed, if the arguments or the configuration can't be used.
#[tokio::main]
async fn run(
    kind: CommandKind,
    wanted: SelectedSecrets,
    connect: &ConnectArgs,
) -> Result<Option<RunResult>, AnyError> {
    let Some(backend) = backend(connect).await? else { return Ok(None) };
    for vault in backend.gaps() {
        print_error(format_args!(
            "vault {vault} can't be searched for tagged secrets: its tagged secrets are left out"
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
            _ = tokio::time::timeout(connect.limit, follow_to_end(&backend, kind, &mut results)) => Ok(()),
            asked = requested() => Ok(asked?),
        },
    };
    if let Backend::InProcess(process) = backend {
        process.end().await;
        results.iter_mut().for_each(CommandResult::abandon);
    }
    followed.map(|()| Some(RunResult { results, has_gaps }))
}

/// Follows the commands, and lets a loop in this process finish what it has begun.
async fn follow_to_end(backend: &Backend, kind: CommandKind, results: &mut Vec<CommandResult>) {
    follow(backend, kind, results).await;
    if let Backend::InProcess(process) = backend {
        process.rest().await;
    }
}

/// Connects to the daemon, or starts a loop in this process. Returns `None`, with a message printed, if neither is
/// configured.
async fn backend(connect: &ConnectArgs) -> Result<Option<Backend>, AnyError> {
    if let Some(server) = &connect.server {
        return Ok(Some(Backend::Remote(RemoteDaemon::new(server, connect)?)));
    }
    let configured = connect.config.clone();
    let Some(file) = configured.or_else(|| std::env::var_os("REKEYD_CONFIG").map(PathBuf::from)) else {
        print_error(
            "no daemon and no configuration given: add --server and --token-file (or --audience), or --config",
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

/// Submits the command for each secret. Adds a result for each other secret that gets the same command with it.
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

/// Returns true if the confirmation is typed at the terminal.
fn confirm(kind: CommandKind, count: usize) -> std::io::Result<bool> {
    let mut prompt = anstream::stderr();
    if kind == CommandKind::Rotate {
        writeln!(
            prompt,
            "The limits, windows and canaries of [rollout] delay none of them: only a hard freeze does."
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
