//! The texts of a sandbox run: what is simulated and due at the start, and what to try at the end.

use std::path::Path;

use time::{Duration, OffsetDateTime};

use super::files::Files;
use crate::app::App;
use crate::sandbox::Sandbox;

/// Returns what is simulated, and what is due. With `long_cache`, each secret has a second consumer that caches its text
/// for that time.
pub(super) fn introduction(sandbox: &Sandbox, now: OffsetDateTime, long_cache: Option<Duration>) -> String {
    let (secrets, vaults) = (sandbox.model().managed().len(), sandbox.endpoints().vaults.len());
    let (due, consumers) = (due(sandbox, now), consumers(long_cache));
    format!(
        "A simulated Azure on this machine: Microsoft Entra, Graph, Key Vault and Event\n\
         Grid over HTTPS. Secrets: {secrets}, in {vaults} vaults, each of an application of its own and\n\
         {consumers}\n\n\
         Due for rotation (less than {DUE_BEFORE_DAYS} days are left):\n\n{due}\n\
         The daemon starts. The sandbox has a clock of its own, which jumps from one\n\
         event to the next.\n"
    )
}

fn consumers(long_cache: Option<Duration>) -> String {
    match long_cache {
        Some(time) => format!(
            "with two consumers: one reads it every hour, the other every {} days.",
            time.whole_days()
        ),
        None => "with a consumer that reads it every hour.".to_owned(),
    }
}

fn due(sandbox: &Sandbox, now: OffsetDateTime) -> String {
    let model = sandbox.model();
    let ends = model.managed().iter().filter_map(|secret| {
        let end = model.current_version(&secret.vault, &secret.name)?.expires?;
        Some((secret, end, (end - now).whole_days()))
    });
    let due: Vec<_> = ends
        .filter(|(_, _, days)| *days < DUE_BEFORE_DAYS)
        .map(|(secret, end, days)| {
            format!("  {}/{}  ends on {}, in {days} days\n", secret.vault, secret.name, end.date())
        })
        .collect();
    let rest = due.len().saturating_sub(MAX_LISTED);
    let rest = if rest == 0 { String::new() } else { format!("  and {rest} more\n") };
    due.into_iter().take(MAX_LISTED).chain([rest]).collect()
}

/// Returns where everything is, and what to try from another shell.
pub(super) fn invitation(sandbox: &Sandbox, app: &App, files: &Files) -> String {
    let endpoints = sandbox.endpoints();
    let vaults = endpoints.vaults.iter().map(|vault| format!("  {:<13}  {}\n", vault.name, vault.url));
    let vaults: String = vaults.collect();
    format!(
        "\nFrom now on the clock runs in real time. Stop it with Ctrl-C.\n\n  \
           {:<13}  http://{}\n  {:<13}  {}\n{vaults}  {:<13}  {}\n\n{}\n\n\
         Try in another shell:\n\n{}",
        "daemon",
        app.address(),
        "Entra, Graph",
        endpoints.graph,
        "CA of https",
        files.path("ca.pem").display(),
        files.fate(),
        suggestions(sandbox, app, files),
    )
}

fn suggestions(sandbox: &Sandbox, app: &App, files: &Files) -> String {
    let (clock, daemon) = (sandbox.clock_url(), format!("http://{}", app.address()));
    let state = format!("{}/_sandbox/state", sandbox.endpoints().graph);
    let [config, ca, token] = ["rekeyd.toml", "ca.pem", "api-token"].map(|name| quoted(&files.path(name)));
    let first = app.board().list().first().map(|status| status.secret.to_string()).unwrap_or_default();
    let rekeyd = program();
    let authorization = format!("\"Authorization: Bearer $(cat {token})\"");
    let secrets = format!("{daemon}/api/v1/secrets");
    [
        suggestion("Show what the daemon would do next, and why", &[&rekeyd, "plan", "--config", &config]),
        suggestion(
            "Rotate a secret now",
            &[&rekeyd, "rotate", &first, "--server", &daemon, "--token-file", &token],
        ),
        suggestion("List the secrets over the API", &["curl", "-H", &authorization, &secrets]),
        suggestion(
            "Move the clock, and see consumers sign in on the way",
            &["curl", "--cacert", &ca, &clock, "-d", r#"'{"advance": "25d"}'"#],
        ),
        suggestion(
            "Show every credential and version in the simulated Azure",
            &["curl", "--cacert", &ca, &state],
        ),
    ]
    .concat()
}

/// Returns a command under its title. A command that is too long for the terminal is continued on the next line.
fn suggestion(title: &str, words: &[&str]) -> String {
    let mut lines = vec![String::from("   ")];
    for word in words {
        match lines.last_mut() {
            Some(line) if line.len() + word.len() + CONTINUED.len() < WIDTH => {
                line.push(' ');
                line.push_str(word);
            }
            Some(_) | None => lines.push(format!("      {word}")),
        }
    }
    format!("  {title}:\n{}\n", lines.join(&format!("{CONTINUED}\n")))
}

/// Returns the command that runs this program: its name if a shell finds it by that, otherwise its path.
fn program() -> String {
    let Ok(own) = std::env::current_exe() else { return NAME.to_owned() };
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).map(|folder| folder.join(NAME)).find(|file| file.is_file());
    let is_found = found.and_then(|file| file.canonicalize().ok()).is_some_and(|file| file == own);
    if is_found { NAME.to_owned() } else { quoted(&own) }
}

/// Quotes a path for a shell if it needs that.
fn quoted(path: &Path) -> String {
    let text = path.to_string_lossy();
    let is_plain = text.chars().all(|c| c.is_alphanumeric() || "/._-+".contains(c));
    if is_plain { text.into_owned() } else { format!("'{}'", text.replace('\'', r"'\''")) }
}

const NAME: &str = "rekeyd";

const WIDTH: usize = 80;

/// The end of a line that a shell takes together with the next one.
const CONTINUED: &str = " \\";

/// The number of due secrets that are listed.
const MAX_LISTED: usize = 8;

/// The days before its end at which the sandbox's configuration makes a credential due.
const DUE_BEFORE_DAYS: i64 = 60;

#[cfg(test)]
mod tests {
    use super::*;

    /// A command that is too long for the terminal is continued on a second line; a short one is not.
    #[test]
    fn long_suggestion_is_continued() {
        assert_eq!(suggestion("A", &["curl", "x"]), "  A:\n    curl x\n");
        let long = "x".repeat(72);
        assert_eq!(suggestion("A", &["curl", &long]), format!("  A:\n    curl \\\n      {long}\n"));
    }

    /// The second consumer is announced only in a run that has one.
    #[test]
    fn only_existing_consumers_are_announced() {
        let two = consumers(Some(Duration::days(3)));
        assert_eq!(two, "with two consumers: one reads it every hour, the other every 3 days.");
        assert_eq!(consumers(None), "with a consumer that reads it every hour.");
    }

    /// A path with a space or a quote is quoted for a shell.
    #[test]
    fn unusual_path_is_quoted() {
        assert_eq!(quoted(Path::new("/tmp/a-1.b_c")), "/tmp/a-1.b_c");
        assert_eq!(quoted(Path::new("/tmp/it's")), r"'/tmp/it'\''s'");
    }
}
