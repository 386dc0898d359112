//! How a person's wish gets to the loop: through a running daemon, or into one that runs here until it is met.

mod daemon;
mod following;
mod here;
mod outcome;

use std::io::{BufRead as _, IsTerminal as _, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use url::Url;

use self::daemon::Daemon;
use self::following::{Standing, follow};
use self::here::Here;
use self::outcome::{Answer, conclude};
use super::run::AnyError;
use super::{Output, USAGE, complain};
use crate::domain::{SecretId, WishKind};
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

/// Which way a wish takes, and how its end is waited for.
#[derive(Debug, Args)]
pub(super) struct Way {
    /// Ask the daemon that answers here, directly: no proxy is used.
    #[arg(long, value_name = "URL", value_parser = address, required_unless_present = "config",
          conflicts_with = "config", requires = "token_file")]
    server: Option<Url>,
    /// The file that holds the token of the daemon's API.
    #[arg(long, value_name = "FILE", requires = "server")]
    token_file: Option<PathBuf>,
    /// PEM file of the certificate authorities that a daemon behind HTTPS is trusted by, in the place of the system's.
    #[arg(long, value_name = "FILE", requires = "server")]
    ca_file: Option<PathBuf>,
    /// Do it here, with this configuration and the identity that it names. A daemon that runs meanwhile is no harm.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Wait until the daemon has met the wish, or something is in its way.
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

/// Who is asked.
enum Party {
    Daemon(Daemon),
    Here(Box<Here>),
}

impl Party {
    async fn ask(&self, secret: &SecretId, kind: WishKind) -> Result<(), String> {
        match self {
            Self::Daemon(daemon) => daemon.ask(secret, kind).await.map_err(|error| chain(&error)),
            Self::Here(here) => here.ask(secret, kind),
        }
    }

    async fn standings(&self) -> Result<Vec<Standing>, AnyError> {
        match self {
            Self::Daemon(daemon) => Ok(daemon.standings().await?),
            Self::Here(here) => here.standings(),
        }
    }
}

/// Asks for `kind`, and says what came of it.
pub(super) fn execute(kind: WishKind, wanted: Wanted, way: &Way) -> ExitCode {
    if matches!(wanted, Wanted::All { confirmed: false }) && !std::io::stdin().is_terminal() {
        complain("--all is confirmed on a terminal: say --yes where there is none");
        return ExitCode::from(USAGE);
    }
    match run(kind, wanted, way) {
        Ok(Some(answers)) => conclude(kind, &answers, way.output),
        Ok(None) => ExitCode::from(USAGE),
        Err(error) => {
            complain(format_args!("{} failed: {}", kind.label(), chain(&*error)));
            ExitCode::FAILURE
        }
    }
}

/// `None` if somebody has to say it in another way.
#[tokio::main]
async fn run(kind: WishKind, wanted: Wanted, way: &Way) -> Result<Option<Vec<Answer>>, AnyError> {
    let party = match (&way.server, &way.config) {
        (Some(server), _) => Party::Daemon(Daemon::new(server, way)?),
        (None, Some(file)) => match Here::start(file).await? {
            Ok(here) => Party::Here(Box::new(here)),
            Err(invalid) => {
                complain(invalid);
                return Ok(None);
            }
        },
        (None, None) => return Err("either --server or --config is needed".into()),
    };
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
    let mut answers = Vec::new();
    for secret in secrets {
        let refused = party.ask(&secret, kind).await.err();
        answers.push(Answer::new(secret, refused));
    }
    let followed = match &party {
        Party::Daemon(_) if !way.wait => Ok(()),
        Party::Daemon(_) | Party::Here(_) => {
            tokio::select! {
                done = tokio::time::timeout(way.limit, follow(&party, &mut answers)) => done.unwrap_or(Ok(())),
                asked = requested() => Ok(asked?),
            }
        }
    };
    if let Party::Here(here) = party {
        here.end().await;
    }
    followed.map(|()| Some(answers))
}

/// Whether somebody at the terminal types yes.
fn confirm(kind: WishKind, count: usize) -> std::io::Result<bool> {
    let mut prompt = anstream::stderr();
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
