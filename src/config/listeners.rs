//! Listeners and event sources besides `listen`: TLS, a separate listener for health, the queue, the Functions host.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use url::Url;

use super::problems::{Location, Problems};
use super::reader::{Found, Section};
use super::values;

/// The certificate of the HTTP server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsConfig {
    /// The certificate's PEM file: the certificate, then those that lead to its authority.
    pub certificate_file: PathBuf,
    /// The private key's PEM file.
    pub private_key_file: PathBuf,
}

/// A Storage Queue that Event Grid delivers to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueueConfig {
    /// Its URL, without a signature: the daemon signs in with its identity.
    pub url: Url,
    /// The time for which a received message is hidden from others: 1 s to 1 h, default 5 min. Renewed while it is
    /// being handled.
    pub visibility_timeout: Duration,
    /// The number of attempts before a message is moved to the poison queue: 1 to 100, default 5.
    pub max_attempts: u64,
    /// The pause between two reads of an empty queue: 100 ms to 5 min, default 10 s.
    pub poll_interval: Duration,
}

/// The Functions host whose custom handler this process is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FunctionsConfig {
    /// The time for which one invocation waits for its work: 1 s to 30 min, default 4 min. Work that takes longer goes
    /// on in the background and is finished by the next timer run.
    pub budget: Duration,
}

/// Reads the table `[tls]`. Returns `None` without the table, or if a problem was reported.
pub(super) fn tls(mut section: Section<'_>, problems: &Problems) -> Option<TlsConfig> {
    let certificate = section.text("certificate_file", values::path);
    let key = section.text("private_key_file", values::path);
    let location = section.location().clone();
    section.finish();
    if certificate.is_some() != key.is_some() {
        problems.add(&location, "tls.certificate_file and tls.private_key_file must be set together");
    }
    Some(TlsConfig { certificate_file: certificate?.value, private_key_file: key?.value })
}

/// Reads the table `[health]`. Returns `None` without an address, or if a problem was reported.
pub(super) fn health(mut section: Section<'_>) -> Option<SocketAddr> {
    let listen = section.text("listen", values::address).map(|found| found.value);
    section.finish();
    listen
}

/// Reads the table `[queue]`. Returns `None` without a URL, or if a problem was reported.
pub(super) fn queue(mut section: Section<'_>) -> Option<QueueConfig> {
    let url = section.text("url", queue_url);
    let seconds = Duration::from_secs;
    let hidden = section.text("visibility_timeout", values::duration_within(seconds(1)..=seconds(3_600)));
    let attempts = section.number("max_attempts", values::number_within(1..=100_u64));
    let pause = values::duration_within(Duration::from_millis(100)..=seconds(300));
    let poll_interval = section.text("poll_interval", pause);
    section.finish();
    Some(QueueConfig {
        url: url?.value,
        visibility_timeout: hidden?.value,
        max_attempts: attempts?.value,
        poll_interval: poll_interval?.value,
    })
}

/// Parses a queue's URL: the account's address followed by the queue's name. A signature in the query would be a key in
/// the configuration.
fn queue_url(text: &str) -> Result<Url, String> {
    let url = values::https_url(text)?;
    match url.path_segments().and_then(|mut segments| segments.next_back()) {
        Some(name) if is_queue_name(name) => Ok(url),
        _ => Err("not the URL of a queue (for example \"https://account.queue.core.windows.net/rekeyd\")"
            .to_owned()),
    }
}

fn is_queue_name(name: &str) -> bool {
    // Leaves room for `-poison` in the 63 characters that a name may have.
    (3..=56).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
}

/// Reads the table `[functions]`. Returns `None` only if a problem was reported: the budget always has a value.
pub(super) fn functions(mut section: Section<'_>) -> Option<FunctionsConfig> {
    let seconds = Duration::from_secs;
    let budget = section.text("budget", values::duration_within(seconds(1)..=seconds(1_800)));
    section.finish();
    Some(FunctionsConfig { budget: budget?.value })
}

/// Returns the address at which the Functions host calls the handler, if there is a host: always loopback (contract F).
pub(super) fn functions_listen(
    environment: &[(String, String)],
    problems: &Problems,
) -> Option<Found<SocketAddr>> {
    let (name, text) = environment.iter().find(|(name, _)| name == FUNCTIONS_PORT)?;
    let location = Location::Variable(name.clone());
    match text.parse::<u16>() {
        Ok(port) if port > 0 => {
            Some(Found { value: (Ipv4Addr::LOCALHOST, port).into(), location, shown: format!("{text:?}") })
        }
        _ => {
            problems.add(&location, format!("{FUNCTIONS_PORT} is {text:?}, which is not a port"));
            None
        }
    }
}

const FUNCTIONS_PORT: &str = "FUNCTIONS_CUSTOMHANDLER_PORT";
