//! The directory that a sandbox writes for other processes: its CA, its endpoints and a configuration for the daemon.

use std::fs;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::Path;

use secrecy::{ExposeSecret, SecretString};
use time::Duration;
use url::Url;

use super::addresses::Addresses;
use super::certificates::Certificates;
use super::endpoints::Endpoints;
use super::error::SandboxError;
use super::model::{ManagedSecret, Model};

/// The settings of the daemon that a sandbox is for: its address, its keys and the rest of its configuration.
pub(crate) struct DaemonSettings {
    pub(crate) address: SocketAddr,
    /// The token that its API requires.
    pub(crate) api_token: SecretString,
    /// The key that its webhook requires.
    pub(crate) webhook_key: SecretString,
    /// The Storage Queue that it reads.
    pub(crate) queue: Option<Url>,
    pub(crate) max_propagation: Duration,
}

/// The contents of a sandbox's directory.
pub(crate) struct Contents<'a> {
    pub(crate) model: &'a Model,
    pub(crate) addresses: &'a Addresses,
    pub(crate) certificates: &'a Certificates,
    pub(crate) daemon: &'a DaemonSettings,
}

impl Contents<'_> {
    /// Writes `ca.pem`, `localhost.pem` and `localhost.key` (a certificate of that CA for programs that run beside the
    /// sandbox), `rekeyd.toml`, `daemon-secret`, `api-token`, `webhook-key`, with production names `hosts`, and
    /// finally, by renaming, `endpoints.json`.
    ///
    /// # Errors
    /// If the directory can't be created or a file can't be written.
    pub(crate) fn write(&self, dir: &Path, clock_url: bool) -> Result<(), SandboxError> {
        let failed = |source| SandboxError::Write { path: dir.to_owned(), source };
        fs::create_dir_all(dir).map_err(failed)?;
        let dir = dir.canonicalize().map_err(failed)?;
        let endpoints = Endpoints {
            ca_file: Some(dir.join("ca.pem")),
            hosts_file: self.hosts().map(|_| dir.join("hosts")),
            api_token_file: Some(dir.join("api-token")),
            ..Endpoints::of(self.model, self.addresses)
        };
        let json = serde_json::to_string_pretty(&endpoints).map_err(io::Error::from).map_err(failed)?;
        write_private(&dir.join("ca.pem"), &self.certificates.ca_pem)?;
        write_private(&dir.join("localhost.pem"), &self.certificates.leaf_pem)?;
        write_private(&dir.join("localhost.key"), self.certificates.leaf_key_pem.expose_secret())?;
        write_private(&dir.join("daemon-secret"), endpoints.daemon.client_secret.expose_secret())?;
        write_private(&dir.join("webhook-key"), self.daemon.webhook_key.expose_secret())?;
        write_private(&dir.join("api-token"), self.daemon.api_token.expose_secret())?;
        write_private(&dir.join("rekeyd.toml"), &self.daemon_configuration(&dir, clock_url))?;
        if let Some(hosts) = self.hosts() {
            // Processes of all users resolve names.
            let path = dir.join("hosts");
            fs::write(&path, &hosts).map_err(|source| SandboxError::Write { path, source })?;
        }
        let unfinished = dir.join("endpoints.json.new");
        write_private(&unfinished, &json)?;
        fs::rename(&unfinished, dir.join("endpoints.json")).map_err(failed)
    }

    /// Returns a complete configuration for a daemon that works on this sandbox, with files in `dir`.
    pub(crate) fn daemon_configuration(&self, dir: &Path, clock_url: bool) -> String {
        let head = self.head(dir);
        let queue =
            self.daemon.queue.as_ref().map(|url| format!("\n[queue]\nurl = \"{url}\"\n")).unwrap_or_default();
        let body: String = self.vault_tables().chain(self.secret_tables()).collect();
        let clock = format!("\n[sandbox]\nclock_url = \"{}\"\n", self.addresses.clock_url());
        format!("{head}{queue}{body}{}", if clock_url { &clock } else { "" })
    }

    /// Returns a hosts file that maps each production name to 127.0.0.1; `None` if there are none.
    fn hosts(&self) -> Option<String> {
        let production = self.addresses.production.as_ref()?;
        let lines = production.hosts.names().map(|name| ["127.0.0.1 ", name, "\n"].concat());
        Some(lines.collect())
    }

    fn head(&self, dir: &Path) -> String {
        let tenant = self.model.tenant();
        let file = |name: &str| toml::Value::String(dir.join(name).to_string_lossy().into_owned());
        format!(
            r#"listen = "{listen}"

[azure]
{cloud}tenant_id = "{tenant_id}"
ca_file = {ca}

[identity]
kind = "client-secret"
client_id = "{client_id}"
client_secret_file = {secret}

[api]
token_file = {token}

[webhook]
key_files = [{key}]
subscriptions = ["rekeyd-sandbox"]

[schedule]
cron = "0 3 * * *"
time_zone = "UTC"

[policy]
validity = "120d"
rotate_before = "60d"
overlap = "7d"
usage_gate = "report"
jitter = "6h"

[verify]
sign_ins = {SIGN_INS}
spacing = "{spacing}s"
scope = "https://graph.microsoft.com/.default"
claims = "required"

[rollout]
canaries = [{canary}]

[log]
audit_file = {audit}
"#,
            listen = self.daemon.address,
            tenant_id = tenant.id,
            cloud = self.cloud(),
            client_id = tenant.daemon.client_id,
            ca = file("ca.pem"),
            secret = file("daemon-secret"),
            token = file("api-token"),
            key = file("webhook-key"),
            audit = file("audit.jsonl"),
            canary = self.canary(),
            spacing = verify_spacing(self.daemon.max_propagation),
        )
    }

    /// Returns the cloud's settings. With production names it is simply the public cloud.
    fn cloud(&self) -> String {
        let addresses = self.addresses;
        match addresses.production {
            Some(_) => "cloud = \"public\"\n".to_owned(),
            None => format!(
                "cloud = \"custom\"\nauthority_url = \"{}\"\ngraph_url = \"{}\"\nverify_challenge_resource = false\n",
                addresses.authority, addresses.graph
            ),
        }
    }

    /// Returns the first secret as the canary, if there is one.
    fn canary(&self) -> String {
        let first = self.model.managed().first();
        first.map(|first| format!("\"{}/{}\"", first.vault, first.name)).unwrap_or_default()
    }

    /// Returns the last of several secrets, which is not in a table: the daemon finds it by its tags.
    fn discovered(&self) -> Option<&ManagedSecret> {
        let managed = self.model.managed();
        managed.last().filter(|_| managed.len() >= SOME_TO_CONFIGURE_TOO)
    }

    fn vault_tables(&self) -> impl Iterator<Item = String> {
        let addresses = self.addresses;
        addresses.vaults.iter().map(|(name, url)| {
            let url = match addresses.production {
                Some(_) => String::new(),
                None => format!("url = \"{url}\"\n"),
            };
            let is_searched = self.discovered().is_some_and(|secret| secret.vault == *name);
            let discover = if is_searched { "discover = true\n" } else { "" };
            format!("\n[[vaults]]\nname = \"{name}\"\n{url}{discover}")
        })
    }

    /// Returns the secrets' tables, alternating between both ways to name an application. The first secret is verified
    /// at the FHIR service, too.
    fn secret_tables(&self) -> impl Iterator<Item = String> {
        let found = self.discovered();
        let configured = self.model.managed().iter().filter(move |secret| Some(*secret) != found);
        configured.enumerate().map(|(index, secret)| {
            let application = if index % 2 == 0 {
                format!("application_object_id = \"{}\"", secret.object_id)
            } else {
                format!("client_id = \"{}\"", secret.client_id)
            };
            let fhir = &self.addresses.fhir;
            let proof = match index {
                0 => format!("\n[secrets.verify]\nprobe = \"fhir\"\nprobe_url = \"{fhir}\"\n"),
                _ => String::new(),
            };
            format!(
                "\n[[secrets]]\nvault = \"{}\"\nname = \"{}\"\n{application}\n{proof}",
                secret.vault, secret.name
            )
        })
    }
}

/// The number of successive sign-ins by the daemon with a new credential.
const SIGN_INS: i64 = 3;

/// The number of secrets below which all of them are configured.
const SOME_TO_CONFIGURE_TOO: usize = 3;

/// Returns the spacing in seconds: all sign-ins together take at least as long as flicker may last.
fn verify_spacing(max_propagation: Duration) -> i64 {
    let milliseconds = max_propagation.saturating_mul(2).whole_milliseconds();
    let gaps = i128::from(SIGN_INS - 1) * 1000;
    i64::try_from((milliseconds + gaps - 1) / gaps).unwrap_or(i64::MAX).max(1)
}

/// Writes a file that only its owner can read, on systems with file modes. An existing file is replaced, mode included.
fn write_private(path: &Path, text: &str) -> Result<(), SandboxError> {
    let failed = |source| SandboxError::Write { path: path.to_owned(), source };
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error)),
        Ok(()) | Err(_) => {}
    }
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path).map_err(failed)?;
    file.write_all(text.as_bytes()).map_err(failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Verification sign-ins are spaced by the longest propagation time, rounded up to whole seconds and at least one.
    #[test]
    fn sign_in_spacing_outlasts_flicker() {
        assert_eq!(verify_spacing(Duration::seconds(18)), 18);
        assert_eq!(verify_spacing(Duration::milliseconds(4100)), 5);
        assert_eq!(verify_spacing(Duration::ZERO), 1);
    }
}
