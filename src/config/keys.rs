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
    bare("azure.openid_url", "OpenID metadata of those whose tokens are taken; settable for custom"),
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
    key(
        "policy.max_overlap",
        "30d",
        "when it is retired although it is in use: 1h to 730d, at least overlap",
    ),
    key("policy.usage_gate", "off", "report: retire only what has not signed in; off: by time alone"),
    key("policy.usage_quiet", "3d", "how long it must not have signed in: 1h to 90d"),
    key("policy.jitter", "0s", "how far due dates are spread, towards earlier ones: 0s to 90d"),
    key(
        "policy.adopt",
        "match",
        "what to do about a secret that names no credential: match, rotate or report",
    ),
    key(
        "policy.foreign_expired",
        "report",
        "what to do about expired credentials of others: report or remove",
    ),
    key("policy.orphan_grace", "24h", "age at which an unpublished credential is revoked: 2h to 30d"),
    key("policy.urgent_before", "7d", "time to the end below which more risks are taken: 0s to 90d"),
    key("policy.deadline", "60m", "how long one rotation may take: 10m to 6h"),
    key("bounds.min_validity", "1d", "the least that the tag ValidityPeriodDays may ask for"),
    key("bounds.max_validity", "730d", "the most that it may ask for"),
    key("bounds.min_rotate_before", "1d", "the least that the tag RotateBeforeDays may ask for"),
    key("bounds.max_rotate_before", "365d", "the most that it may ask for"),
    key("bounds.min_overlap", "1d", "the least that the tag OverlapDays may ask for"),
    key("bounds.max_overlap", "365d", "the most that it may ask for"),
    key("verify.sign_ins", "3", "sign-ins in a row that must succeed: 1 to 20"),
    key("verify.spacing", "20s", "time between two of them"),
    key("verify.limit", "45m", "how long to try; below the deadline of every secret"),
    bare("verify.scope", "scope to sign in for; that of the probe, else Graph's, by cloud"),
    key("verify.claims", "required", "the token's claims: required, advisory or off"),
    key("verify.roles", "[]", "app roles that the token must carry"),
    key("verify.probe", "none", "what is asked with the token: none, fhir, dicom or https"),
    bare(
        "verify.probe_url",
        "base address of the service, or for https the whole one; required with a probe",
    ),
    key("verify.probe_status", "[200]", "answers that prove the credential: 100 to 599"),
    key("verify.probe_requirement", "required", "the probe's answer: required, advisory or off"),
    key(
        "verify.reject_secret_pattern",
        "^-",
        "secret texts to make anew: a regular expression, or \"\" for none",
    ),
    key("applications.allow", "[]", "the only applications to rotate (GUIDs); none: all"),
    key("applications.deny", "[]", "applications never to rotate (GUIDs)"),
    key("rollout.max_per_sweep", "0", "the most rotations that a sweep begins: 0 (no limit) to 100000"),
    key("rollout.max_per_hour", "30", "the most rotations begun in any hour: 0 (no limit) to 100000"),
    key("rollout.canaries", "[]", "secrets that go first, as VAULT/NAME"),
    key("rollout.time_zone", "UTC", "IANA time zone of windows and freezes"),
    bare("rollout.windows[].cron", "when a maintenance window opens: five or six fields; required"),
    bare("rollout.windows[].duration", "how long it is open: 1m to 7d; required"),
    bare("rollout.freezes[].from", "first moment of a freeze, as 2026-12-20T00:00; required"),
    bare("rollout.freezes[].until", "first moment after it; required"),
    key("rollout.freezes[].hard", "false", "whether secrets below urgent_before wait too"),
    key("schedule.cron", "0 3 * * *", "when all secrets are looked at: five or six fields"),
    key("schedule.time_zone", "UTC", "IANA time zone of the cron expression"),
    key("schedule.at_start", "true", "whether all secrets are looked at when the daemon starts"),
    key("schedule.jitter", "0s", "how far each run is put off, at random: 0s to 12h"),
    bare("api.token_file", "file of an operator's bearer token, 16 characters or more"),
    bare("api.audience", "for whom Entra's tokens have to be (aud); none: they are not taken"),
    key("api.requests_per_minute", "600", "how often one caller may ask in a minute: 1 to 100000"),
    key("api.max_concurrent", "64", "requests at a time, of all callers: 1 to 10000"),
    bare("api.tokens[].name", "what logs call its holder; required"),
    bare("api.tokens[].sha256", "SHA-256 of its text, 64 hexadecimal digits; required"),
    bare("api.tokens[].role", "reader or operator; required"),
    key("webhook.key_files", "[]", "files of shared keys, 16 characters or more; two at most"),
    bare("webhook.audience", "for whom Event Grid's tokens have to be (aud); none: they are not taken"),
    bare("webhook.client_id", "client id of Event Grid's application (a GUID); by cloud"),
    bare("webhook.role", "app role that its tokens have to carry"),
    key("webhook.subscriptions", "[]", "event subscriptions that may be agreed to, by name"),
    key("webhook.topics", "[]", "topics (resource ids) of these; none: any"),
    key("webhook.origins", "[\"eventgrid.azure.net\"]", "origins that may be agreed to; *: any"),
    bare("tls.certificate_file", "PEM file of the server's certificate"),
    bare("tls.private_key_file", "PEM file of its private key"),
    bare("health.listen", "address and port of health and metrics; none: those of listen"),
    bare("queue.url", "URL of a Storage Queue with events"),
    key("queue.visibility_timeout", "5m", "how long a received message is hidden: 1s to 1h"),
    key("queue.max_attempts", "5", "tries before a message is moved to the poison queue: 1 to 100"),
    key("queue.poll_interval", "10s", "pause between looks into an empty queue: 100ms to 5m"),
    key("functions.budget", "4m", "how long a Functions invocation waits for its work: 1s to 30m"),
    key("reconcile.concurrency", "8", "passes at a time: 1 to 64"),
    key("reconcile.shutdown_grace", "25s", "time to finish what is in hand: 1s to 10m"),
    key("log.filter", "info", "what is logged, as in RUST_LOG"),
    key("log.format", "json", "json or text"),
    bare("log.audit_file", "file to which audit lines go too"),
    bare("sandbox.clock_url", "clock of a sandbox to live in the time of"),
    bare("vaults[].name", "name of the vault; required"),
    bare("vaults[].url", "URL of the vault; by cloud, required for custom"),
    key("vaults[].discover", "false", "whether it is searched for secrets to manage, by their tags"),
    bare("secrets[].vault", "name of a listed vault; required"),
    bare("secrets[].name", "name of the secret; required"),
    bare("secrets[].application_object_id", "its application, by object id (a GUID)"),
    bare("secrets[].client_id", "its application, by client id (a GUID)"),
    key("secrets[].replicas", "[]", "other vault secrets that hold the same, as VAULT/NAME"),
    bare("secrets[].validity", "policy.validity of this secret"),
    bare("secrets[].rotate_before", "policy.rotate_before of this secret"),
    bare("secrets[].overlap", "policy.overlap of this secret"),
    bare("secrets[].orphan_grace", "policy.orphan_grace of this secret"),
    bare("secrets[].urgent_before", "policy.urgent_before of this secret"),
    bare("secrets[].deadline", "policy.deadline of this secret"),
    bare("secrets[].max_overlap", "policy.max_overlap of this secret"),
    bare("secrets[].usage_gate", "policy.usage_gate of this secret"),
    bare("secrets[].usage_quiet", "policy.usage_quiet of this secret"),
    bare("secrets[].jitter", "policy.jitter of this secret"),
    bare("secrets[].adopt", "policy.adopt of this secret"),
    bare("secrets[].foreign_expired", "policy.foreign_expired of this secret"),
    bare("secrets[].verify.sign_ins", "verify.sign_ins of this secret"),
    bare("secrets[].verify.spacing", "verify.spacing of this secret"),
    bare("secrets[].verify.limit", "verify.limit of this secret"),
    bare("secrets[].verify.scope", "verify.scope of this secret"),
    bare("secrets[].verify.claims", "verify.claims of this secret"),
    bare("secrets[].verify.roles", "verify.roles of this secret"),
    bare("secrets[].verify.probe", "verify.probe of this secret"),
    bare("secrets[].verify.probe_url", "verify.probe_url of this secret"),
    bare("secrets[].verify.probe_status", "verify.probe_status of this secret"),
    bare("secrets[].verify.probe_requirement", "verify.probe_requirement of this secret"),
    bare("secrets[].verify.reject_secret_pattern", "verify.reject_secret_pattern of this secret"),
];
