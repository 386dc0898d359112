//! Every key of the configuration with its default. The environment variables are derived from it too.
//!
//! Each key is explained in the reference `config/rekeyd.toml`; a test checks that it matches this list. The durations
//! of `[policy]` are defined in the domain, and the keys that an entry of `[[secrets]]` may override are derived from
//! `[policy]` and `[verify]`.

use std::borrow::Cow;
use std::sync::LazyLock;

use crate::domain::{PolicyDuration, PolicyValues, human};

/// One key of the configuration.
#[derive(Debug, Clone)]
pub struct ConfigKey {
    /// Its path, for example `policy.validity`; `[]` marks an array of tables.
    pub path: Cow<'static, str>,
    /// The default, as it would be written in the file. `None`: required, inherited, or nothing.
    pub default: Option<Cow<'static, str>>,
}

impl ConfigKey {
    /// Returns the environment variable that overrides the key. `None` inside an array of tables.
    #[must_use]
    pub fn variable(&self) -> Option<String> {
        variable_of(&self.path)
    }

    /// Returns the key of an entry of `[[secrets]]` that overrides this one.
    fn of_secret(&self) -> Option<Self> {
        let own = self
            .path
            .strip_prefix("policy.")
            .or_else(|| self.path.starts_with("verify.").then_some(&*self.path))?;
        Some(Self { path: format!("secrets[].{own}").into(), default: None })
    }
}

impl From<&PolicyDuration> for ConfigKey {
    fn from(duration: &PolicyDuration) -> Self {
        Self {
            path: format!("policy.{}", duration.key).into(),
            default: Some(human(duration.default).into()),
        }
    }
}

/// Returns the environment variable for the key `path`. `None` inside an array of tables.
pub(super) fn variable_of(path: &str) -> Option<String> {
    let is_scalar = !path.contains("[]");
    is_scalar.then(|| format!("{PREFIX}{}", path.replace('.', "__").to_ascii_uppercase()))
}

pub(super) fn default_of(path: &str) -> Option<&'static str> {
    KEYS.iter().find(|key| key.path == path)?.default.as_deref()
}

/// The prefix of all environment variables of the configuration.
pub(super) const PREFIX: &str = "REKEYD_";

/// All keys.
pub static KEYS: LazyLock<Vec<ConfigKey>> = LazyLock::new(|| {
    let mut keys = LISTED.to_vec();
    keys.extend(PolicyValues::DURATIONS.iter().map(ConfigKey::from));
    let of_secrets: Vec<_> = keys.iter().filter_map(ConfigKey::of_secret).collect();
    keys.extend(of_secrets);
    keys
});

const fn key(path: &'static str, default: &'static str) -> ConfigKey {
    ConfigKey { path: Cow::Borrowed(path), default: Some(Cow::Borrowed(default)) }
}

const fn bare(path: &'static str) -> ConfigKey {
    ConfigKey { path: Cow::Borrowed(path), default: None }
}

/// The keys that are not defined anywhere else, in the order of the reference.
const LISTED: &[ConfigKey] = &[
    key("listen", "127.0.0.1:8080"),
    key("azure.cloud", "public"),
    bare("azure.tenant_id"),
    bare("azure.authority_url"),
    bare("azure.graph_url"),
    bare("azure.graph_scope"),
    bare("azure.openid_url"),
    bare("azure.ca_file"),
    key("azure.verify_challenge_resource", "true"),
    key("azure.connect_timeout", "10s"),
    key("azure.request_timeout", "30s"),
    key("identity.kind", "managed-identity"),
    bare("identity.client_id"),
    bare("identity.token_file"),
    bare("identity.certificate_file"),
    bare("identity.private_key_file"),
    bare("identity.client_secret_file"),
    key("policy.usage_gate", "off"),
    key("policy.adopt", "match"),
    key("policy.foreign_expired", "report"),
    key("bounds.min_validity", "1d"),
    key("bounds.max_validity", "730d"),
    key("bounds.min_rotate_before", "1d"),
    key("bounds.max_rotate_before", "365d"),
    key("bounds.min_overlap", "1d"),
    key("bounds.max_overlap", "365d"),
    key("verify.sign_ins", "3"),
    key("verify.spacing", "20s"),
    key("verify.limit", "45m"),
    bare("verify.scope"),
    key("verify.claims", "required"),
    key("verify.roles", "[]"),
    key("verify.probe", "none"),
    bare("verify.probe_url"),
    key("verify.probe_status", "[200]"),
    key("verify.probe_requirement", "required"),
    key("verify.reject_secret_pattern", "^-"),
    key("applications.allow", "[]"),
    key("applications.deny", "[]"),
    key("rollout.max_per_sweep", "0"),
    key("rollout.max_per_hour", "30"),
    key("rollout.canaries", "[]"),
    key("rollout.time_zone", "UTC"),
    bare("rollout.windows[].cron"),
    bare("rollout.windows[].duration"),
    bare("rollout.freezes[].from"),
    bare("rollout.freezes[].until"),
    key("rollout.freezes[].hard", "false"),
    key("schedule.cron", "0 3 * * *"),
    key("schedule.time_zone", "UTC"),
    key("schedule.at_start", "true"),
    key("schedule.jitter", "0s"),
    bare("api.token_file"),
    bare("api.audience"),
    key("api.requests_per_minute", "600"),
    key("api.max_concurrent", "64"),
    bare("api.tokens[].name"),
    bare("api.tokens[].sha256"),
    bare("api.tokens[].role"),
    key("webhook.key_files", "[]"),
    bare("webhook.audience"),
    bare("webhook.client_id"),
    bare("webhook.role"),
    key("webhook.subscriptions", "[]"),
    key("webhook.topics", "[]"),
    key("webhook.origins", "[\"eventgrid.azure.net\"]"),
    bare("tls.certificate_file"),
    bare("tls.private_key_file"),
    bare("health.listen"),
    bare("queue.url"),
    key("queue.visibility_timeout", "5m"),
    key("queue.max_attempts", "5"),
    key("queue.poll_interval", "10s"),
    key("functions.budget", "4m"),
    key("reconcile.concurrency", "8"),
    key("reconcile.shutdown_grace", "25s"),
    key("log.filter", "info"),
    key("log.format", "json"),
    bare("log.audit_file"),
    bare("sandbox.clock_url"),
    bare("vaults[].name"),
    bare("vaults[].url"),
    key("vaults[].discover", "false"),
    bare("secrets[].vault"),
    bare("secrets[].name"),
    bare("secrets[].application_object_id"),
    bare("secrets[].client_id"),
    key("secrets[].replicas", "[]"),
];
