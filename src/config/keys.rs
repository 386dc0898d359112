//! Every key there is: its path, default and meaning. Defaults are read from here and from nowhere else.

/// One key of the configuration.
#[derive(Debug, Clone, Copy)]
pub struct Key {
    /// Its path, for example `policy.validity`; `[]` marks an array of tables.
    pub path: &'static str,
    /// What it is if not given, as it would be written. `None`: required, or nothing.
    pub default: Option<&'static str>,
    /// What it means, with its unit and range.
    pub meaning: &'static str,
}

impl Key {
    /// The environment variable that overrides it. `None` inside an array of tables.
    #[must_use]
    pub fn variable(&self) -> Option<String> {
        let is_scalar = !self.path.contains("[]");
        is_scalar.then(|| format!("{PREFIX}{}", self.path.replace('.', "__").to_ascii_uppercase()))
    }
}

pub(super) fn default_of(path: &str) -> Option<&'static str> {
    KEYS.iter().find(|key| key.path == path).and_then(|key| key.default)
}

/// What all environment variables of the configuration begin with.
pub(super) const PREFIX: &str = "REKEYD_";

const fn key(path: &'static str, default: &'static str, meaning: &'static str) -> Key {
    Key { path, default: Some(default), meaning }
}

const fn bare(path: &'static str, meaning: &'static str) -> Key {
    Key { path, default: None, meaning }
}

/// All keys, in the order of the reference `config/rekeyd.toml`.
pub const KEYS: &[Key] = &[
    key("listen", "127.0.0.1:8080", "address and port of the HTTP server"),
    key("azure.cloud", "public", "public, us-government, china or custom"),
    bare("azure.tenant_id", "the tenant: a GUID or a verified domain name; required"),
    bare("azure.authority_url", "Entra's sign-in service; by cloud, required for custom"),
    bare("azure.graph_url", "Microsoft Graph without /v1.0; by cloud, required for custom"),
    bare("azure.graph_scope", "scope of tokens for Graph; by cloud, settable for custom"),
    bare("azure.ca_file", "PEM file of further certificate authorities to trust"),
    key(
        "azure.verify_challenge_resource",
        "true",
        "whether a vault's challenge must name the vault's domain",
    ),
    key("azure.connect_timeout", "10s", "time to connect: 100ms to 5m"),
    key("azure.request_timeout", "30s", "time for one request: 100ms to 5m"),
    key("identity.kind", "managed-identity", "how the daemon signs in"),
    bare("identity.client_id", "client id of the identity (a GUID)"),
    bare("identity.token_file", "file of the federated token; for workload-identity"),
    bare("identity.certificate_file", "PEM file of the certificate; for client-certificate"),
    bare("identity.private_key_file", "PEM file of the private key; for client-certificate"),
    bare("identity.client_secret_file", "file of the client secret; for client-secret"),
    key("policy.validity", "90d", "lifetime of a new credential: whole days, 1d to 730d"),
    key("policy.rotate_before", "30d", "how long before its end a credential is due: 1h to 365d"),
    key("policy.overlap", "7d", "how long a superseded credential stays alive: 1h to 365d"),
    key("policy.orphan_grace", "24h", "age at which an unpublished credential is revoked: 2h to 30d"),
    key("policy.critical", "7d", "time to the end below which more risks are taken: 0s to 90d"),
    key("policy.deadline", "60m", "how long one rotation may take: 10m to 6h"),
    key("verify.sign_ins", "3", "sign-ins in a row that must succeed: 1 to 20"),
    key("verify.spacing", "20s", "time between two of them"),
    key("verify.limit", "45m", "how long to try; below the deadline of every secret"),
    bare("verify.scope", "scope to sign in for; Graph's, by cloud"),
    key("schedule.cron", "0 3 * * *", "when all secrets are looked at: five or six fields"),
    key("schedule.time_zone", "UTC", "IANA time zone of the cron expression"),
    key("schedule.at_start", "true", "whether all secrets are looked at when the daemon starts"),
    bare("api.token_file", "file of the bearer token, 16 characters or more"),
    key("reconcile.concurrency", "8", "passes at a time: 1 to 64"),
    key("reconcile.shutdown_grace", "25s", "time to finish what is in hand: 1s to 10m"),
    key("log.filter", "info", "what is logged, as in RUST_LOG"),
    key("log.format", "json", "json or text"),
    bare("sandbox.clock_url", "clock of a sandbox to live in the time of"),
    bare("vaults[].name", "name of the vault; required"),
    bare("vaults[].url", "URL of the vault; by cloud, required for custom"),
    bare("secrets[].vault", "name of a listed vault; required"),
    bare("secrets[].name", "name of the secret; required"),
    bare("secrets[].application_object_id", "its application, by object id (a GUID)"),
    bare("secrets[].client_id", "its application, by client id (a GUID)"),
    bare("secrets[].validity", "policy.validity of this secret"),
    bare("secrets[].rotate_before", "policy.rotate_before of this secret"),
    bare("secrets[].overlap", "policy.overlap of this secret"),
    bare("secrets[].orphan_grace", "policy.orphan_grace of this secret"),
    bare("secrets[].critical", "policy.critical of this secret"),
    bare("secrets[].deadline", "policy.deadline of this secret"),
];
