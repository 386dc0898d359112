//! The configuration: one file and the environment, read once into checked types, before any port is opened.
//!
//! This layer uses the domain only. It opens no port and never reads the clock. It alone reads the environment.

mod applications;
mod auth;
mod azure;
mod cloud;
mod cron;
mod daemon;
mod identity;
mod keys;
mod listeners;
mod policy;
mod problems;
mod reader;
mod reference;
mod renamed;
mod role;
mod rollout;
mod secrets;
mod tree;
mod values;
mod verify;

#[cfg(test)]
mod listener_tests;
#[cfg(test)]
mod policy_tests;
#[cfg(test)]
mod tests;

use std::net::SocketAddr;
use std::path::Path;

pub use auth::{ApiConfig, StaticToken, WebhookConfig};
pub use azure::{AzureConfig, VaultConfig};
pub use cloud::{Cloud, GRAPH_CLIENT_ID, GRAPH_ROLE_OWNED_BY};
pub use cron::Cron;
pub use daemon::{LogConfig, LogFormat, ReconcileConfig, SandboxConfig, ScheduleConfig};
pub use identity::IdentityConfig;
pub use keys::{ConfigKey, KEYS};
pub use listeners::{FunctionsConfig, QueueConfig, TlsConfig};
pub use problems::{ConfigProblem, InvalidConfig};
pub use reference::{ReferenceEntry, ReferenceTable, reference};
pub use role::Role;
pub use rollout::{FreezePeriod, RolloutConfig, Window};

use crate::domain::{ApplicationRules, DiscoveryRules, ManagedSecret, VerifyPolicy};
use applications::Applications;
use policy::Policy;
use problems::Problems;
use reader::Section;
use verify::Verify;

/// The whole configuration, as parsed and checked types.
#[derive(Debug, Clone)]
pub struct Config {
    /// The address of the HTTP server; loopback unless the API has a token.
    pub listen: SocketAddr,
    /// The cloud, and the settings to reach its services.
    pub azure: AzureConfig,
    /// The daemon's own identity.
    pub identity: IdentityConfig,
    /// The vaults, at least one.
    pub vaults: Vec<VaultConfig>,
    /// The secrets to rotate, at least one unless a vault is searched for them.
    pub secrets: Vec<ManagedSecret>,
    /// The verification of new credentials, unless their secret overrides it.
    pub verify: VerifyPolicy,
    /// The rules for the discovery of secrets by their tags.
    pub discovery: DiscoveryRules,
    /// The applications that may be rotated.
    pub applications: ApplicationRules,
    /// The limits on rotations in the fleet.
    pub rollout: RolloutConfig,
    /// The times at which all secrets are reconciled.
    pub schedule: ScheduleConfig,
    /// The callers that may use the API.
    pub api: ApiConfig,
    /// The senders that the webhook accepts.
    pub webhook: WebhookConfig,
    /// The certificate of the HTTP server. `None`: it speaks plain HTTP.
    pub tls: Option<TlsConfig>,
    /// The address for health and metrics. `None`: the same as for everything else.
    pub health: Option<SocketAddr>,
    /// The Storage Queue that events come from. `None`: there is none.
    pub queue: Option<QueueConfig>,
    /// The answers to invocations of a Functions host. `None`: no Functions host started this process.
    pub functions: Option<FunctionsConfig>,
    /// The settings of the reconcile loop and its shutdown.
    pub reconcile: ReconcileConfig,
    /// The settings of the log.
    pub log: LogConfig,
    /// The sandbox whose time the daemon follows. `None`: real time.
    pub sandbox: Option<SandboxConfig>,
}

impl Config {
    /// Reads `file`, the process environment, and the secret files that they name.
    ///
    /// # Errors
    /// All problems of the configuration, not only the first.
    pub fn load(file: &Path) -> Result<Self, InvalidConfig> {
        let file_name = file.display().to_string();
        let text =
            std::fs::read_to_string(file).map_err(|cause| InvalidConfig::unreadable(&file_name, &cause))?;
        // `vars` would panic if any variable of the process is not Unicode.
        let variables = std::env::vars_os()
            .map(|(name, value)| (name.to_string_lossy().into_owned(), value.to_string_lossy().into_owned()));
        Self::parse(&text, &file_name, &variables.collect::<Vec<_>>())
    }

    /// Reads `text`, called `file_name` in messages, with `environment` laid over it.
    ///
    /// Secret files are read too; relative paths start at the working directory.
    ///
    /// # Errors
    /// All problems of the configuration, not only the first.
    pub fn parse(
        text: &str,
        file_name: &str,
        environment: &[(String, String)],
    ) -> Result<Self, InvalidConfig> {
        let problems = Problems::default();
        match Self::read(text, environment, &problems) {
            Some(config) if problems.is_empty() => Ok(config),
            Some(_) | None => Err(problems.into_invalid(file_name)),
        }
    }

    /// Reads all tables. Returns `None` only if a problem was reported.
    fn read(text: &str, environment: &[(String, String)], problems: &Problems) -> Option<Self> {
        let mut entries = tree::parse(text, problems)?;
        tree::overlay(&mut entries, environment, problems);
        let mut root = Section::root(entries, problems);
        let of_host = listeners::functions_listen(environment, problems);
        let is_handler = of_host.is_some();
        let configured = root.text("listen", values::address);
        let listen = of_host.or(configured);
        let azure = azure::azure(root.table("azure"), problems);
        let identity = identity::identity(root.table("identity"), problems);
        let vaults = azure::vaults(root.tables("vaults"), azure.cloud, problems);
        let bounds = policy::bounds(root.table("bounds"), problems);
        let policy = Policy::read(root.table("policy"), bounds, problems);
        let graph_scope = azure.graph_scope.as_deref().unwrap_or_default();
        let verify = Verify::read(root.table("verify"), graph_scope, problems);
        let applications = Applications::read(root.table("applications"));
        let rules = secrets::Rules {
            policy: &policy,
            verify: &verify,
            vaults: &vaults,
            applications: &applications,
            problems,
        };
        let secrets = secrets::secrets(root.tables("secrets"), &rules);
        let rollout = rollout::rollout(root.table("rollout"), &secrets, &vaults, problems);
        let schedule = daemon::schedule(root.table("schedule"));
        let webhook = auth::webhook(root.table("webhook"), azure.cloud, problems);
        let is_heard = webhook.as_ref().is_none_or(WebhookConfig::is_open);
        let api = auth::api(root.table("api"), listen.as_ref().filter(|_| !is_heard), problems);
        let tls = listeners::tls(root.table("tls"), problems);
        let health = listeners::health(root.table("health"));
        let queue = listeners::queue(root.table("queue"));
        let functions = listeners::functions(root.table("functions"));
        if let (true, Some(tls)) = (is_handler, &tls) {
            let file = tls.certificate_file.display();
            problems.add(
                &problems::Location::File,
                format!(
                    "tls.certificate_file is {file}, but the Functions host uses plain HTTP: remove [tls]"
                ),
            );
        }
        let reconcile = daemon::reconcile(root.table("reconcile"));
        let log = daemon::log(root.table("log"));
        let sandbox = daemon::sandbox(&mut root);
        azure::check_challenge(&azure, &vaults, problems);
        root.finish();

        let azure = azure.checked()?;
        let verify = verify.policy;
        let discovery = DiscoveryRules {
            vaults: vaults.discovered,
            policy: policy.of_discovered()?,
            verify: verify.clone(),
        };
        Some(Self {
            listen: listen?.value,
            identity: identity?,
            vaults: vaults.known,
            secrets: secrets.managed,
            verify,
            discovery,
            applications: applications.rules,
            rollout: rollout?,
            schedule: schedule?,
            api: api?,
            webhook: webhook?,
            tls,
            health,
            queue,
            functions: Some(functions?).filter(|_| is_handler),
            reconcile: reconcile?,
            log: log?,
            sandbox,
            azure,
        })
    }
}
