//! How a person's command gets to the loop: through a running daemon, or into one that runs here until it is completed.

mod daemon;
mod following;
mod here;
mod outcome;

use std::io::{BufRead as _, IsTerminal as _, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use serde::Deserialize;
use time::OffsetDateTime;
use url::Url;

use self::daemon::Daemon;
use self::following::{Standing, follow};
use self::here::Here;
use self::outcome::{Answer, conclude};
use super::run::AnyError;
use super::{Output, USAGE, complain};
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
pub(super) struct Way {
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
pub(super) enum Wanted {
    /// These.
    These(Vec<SecretId>),
    /// All, and whether that was confirmed.
    All { confirmed: bool },
}

impl From<Secrets> for Wanted {
    fn from(Secrets { secrets }: Secrets) -> Self {
        Self::These(secrets)
    }
}

impl From<SecretsOrAll> for Wanted {
    fn from(SecretsOrAll { secrets, all, yes }: SecretsOrAll) -> Self {
        if all { Self::All { confirmed: yes } } else { Self::These(secrets) }
    }
}

/// A command that was taken.
#[derive(Debug, Deserialize)]
struct Taken {
    #[serde(with = "time::serde::rfc3339")]
    at: OffsetDateTime,
    /// The other secrets that the same is asked of.
    #[serde(default)]
    also: Vec<SecretId>,
}

/// Why the standing of a secret is not known.
#[derive(Debug, thiserror::Error)]
enum Unseen {
    /// For a while.
    #[error("{0}")]
    Passing(String),
    /// Looking again would not help.
    #[error("{0}")]
    Lasting(String),
}

/// Who is asked.
enum Party {
    Daemon(Daemon),
    Here(Box<Here>),
}

impl Party {
    async fn ask(&self, secret: &SecretId, kind: CommandKind) -> Result<Taken, String> {
        match self {
            Self::Daemon(daemon) => daemon.ask(secret, kind).await.map_err(|error| chain(&error)),
            Self::Here(here) => here.ask(secret, kind),
        }
    }

    async fn standing(&self, secret: &SecretId) -> Result<Standing, Unseen> {
        match self {
            Self::Daemon(daemon) => Ok(daemon.standing(secret).await?),
            Self::Here(here) => here.standing(secret),
        }
    }

    async fn standings(&self) -> Result<Vec<Standing>, Unseen> {
        match self {
            Self::Daemon(daemon) => Ok(daemon.standings().await?),
            Self::Here(here) => here.standings(),
        }
    }

    /// The vaults that may hold more secrets than are known here.
    fn gaps(&self) -> &[VaultName] {
        match self {
            Self::Daemon(_) => &[],
            Self::Here(here) => here.gaps(),
        }
    }
}

/// Asks for `kind`, and says what came of it.
pub(super) fn execute(kind: CommandKind, wanted: Wanted, way: &Way) -> ExitCode {
    if matches!(wanted, Wanted::All { confirmed: false }) && !std::io::stdin().is_terminal() {
        complain("--all is confirmed on a terminal: say --yes where there is none");
        return ExitCode::from(USAGE);
    }
    match run(kind, wanted, way) {
        Ok(Some(Come { answers, has_gaps })) => {
            let code = conclude(kind, &answers, way.output);
            if has_gaps { ExitCode::FAILURE } else { code }
        }
        Ok(None) => ExitCode::from(USAGE),
        Err(error) => {
            complain(format_args!("{} failed: {}", kind.label(), chain(&*error)));
            ExitCode::FAILURE
        }
    }
}

/// What it has come to.
struct Come {
    answers: Vec<Answer>,
    /// Whether all secrets were meant, and some may not have been found.
    has_gaps: bool,
}

/// `None` if somebody has to say it in another way.
#[tokio::main]
async fn run(kind: CommandKind, wanted: Wanted, way: &Way) -> Result<Option<Come>, AnyError> {
    let Some(party) = party(way).await? else { return Ok(None) };
    for vault in party.gaps() {
        complain(format_args!(
            "{vault} can't be searched for tagged secrets: those that it holds are left out"
        ));
    }
    let has_gaps = matches!(wanted, Wanted::All { .. }) && !party.gaps().is_empty();
    let secrets = match wanted {
        Wanted::These(secrets) => secrets,
        Wanted::All { confirmed } => {
            let all: Vec<_> = party.standings().await?.into_iter().map(|standing| standing.secret).collect();
            if !confirmed && !confirm(kind, all.len())? {
                return Ok(None);
            }
            all
        }
    };
    let mut answers = ask_each(&party, kind, secrets).await;
    let followed = match &party {
        Party::Daemon(_) if !way.wait => Ok(()),
        Party::Daemon(_) | Party::Here(_) => tokio::select! {
            _ = tokio::time::timeout(way.limit, see_through(&party, kind, &mut answers)) => Ok(()),
            asked = requested() => Ok(asked?),
        },
    };
    if let Party::Here(here) = party {
        here.end().await;
        answers.iter_mut().for_each(Answer::abandon);
    }
    followed.map(|()| Some(Come { answers, has_gaps }))
}

async fn see_through(party: &Party, kind: CommandKind, answers: &mut Vec<Answer>) {
    follow(party, kind, answers).await;
    if let Party::Here(here) = party {
        here.rest().await;
    }
}

/// `None` if somebody has to say it in another way.
async fn party(way: &Way) -> Result<Option<Party>, AnyError> {
    if let Some(server) = &way.server {
        return Ok(Some(Party::Daemon(Daemon::new(server, way)?)));
    }
    let default = || std::env::var_os("REKEYD_CONFIG").map(PathBuf::from);
    let Some(file) = way.config.clone().or_else(default) else {
        complain(
            "say --server and --token-file (or --audience) to ask a daemon, or --config (or REKEYD_CONFIG) to do it here",
        );
        return Ok(None);
    };
    match Here::start(&file).await? {
        Ok(here) => Ok(Some(Party::Here(Box::new(here)))),
        Err(invalid) => {
            complain(invalid);
            Ok(None)
        }
    }
}

/// Asks, and notes the other secrets that the same is asked of with one.
async fn ask_each(party: &Party, kind: CommandKind, secrets: Vec<SecretId>) -> Vec<Answer> {
    let mut answers: Vec<Answer> = Vec::new();
    for secret in secrets {
        let (taken, also) = match party.ask(&secret, kind).await {
            Ok(Taken { at, also }) => (Ok(at), also.into_iter().map(|other| (other, at)).collect()),
            Err(why) => (Err(why), Vec::new()),
        };
        answers.retain(|answer| answer.secret != secret);
        answers.push(Answer::new(secret, taken));
        for (other, at) in also {
            answers.retain(|answer| answer.secret != other);
            answers.push(Answer::new(other, Ok(at)));
        }
    }
    answers
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
