//! Authentication of callers: the API's tokens and roles, and the senders that Event Grid's webhook accepts.

use std::net::SocketAddr;
use std::num::NonZeroU32;

use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::cloud::Cloud;
use super::identity::secret_file;
use super::problems::Problems;
use super::reader::{Found, Section};
use super::role::Role;
use super::values;

/// The callers that may use the API, and their limits.
#[derive(Debug, Clone)]
pub struct ApiConfig {
    /// The tokens that are known by their hashes; the one from `token_file` is the operator's.
    pub tokens: Vec<StaticToken>,
    /// The audience (`aud`) that Entra's tokens must have. `None`: Entra's tokens are not accepted.
    pub audience: Option<String>,
    /// Requests that one caller may send in a minute: 1 to 100,000, default 600.
    pub requests_per_minute: NonZeroU32,
    /// Requests at a time, of all callers: 1 to 10,000, default 64.
    pub max_concurrent: usize,
}

/// A token that does not come from Entra. Only its hash is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StaticToken {
    /// The name of its holder in logs and the audit trail.
    pub name: String,
    /// SHA-256 of its text.
    pub hash: [u8; 32],
    /// The role of its holder.
    pub role: Role,
}

/// The senders that the webhook accepts, and the subscriptions that it agrees to.
#[derive(Debug, Clone)]
pub struct WebhookConfig {
    /// Shared keys, at most two, so that one can be replaced while the other is in use.
    pub keys: Vec<SecretString>,
    /// The audience (`aud`) that Event Grid's tokens must have. `None`: tokens are not accepted.
    pub audience: Option<String>,
    /// The client id of Event Grid's own application, by cloud.
    pub client_id: Uuid,
    /// The app role that its tokens must have. `None`: any or none.
    pub role: Option<String>,
    /// The names of the event subscriptions that may be agreed to.
    pub subscriptions: Vec<String>,
    /// The topics (Azure resource ids) whose subscriptions may be agreed to; empty: those of any topic.
    pub topics: Vec<String>,
    /// The origins that may be agreed to in the CloudEvents handshake; `*`: any.
    pub origins: Vec<String>,
}

impl ApiConfig {
    /// Returns true if any caller may use the API.
    #[must_use]
    pub const fn is_open(&self) -> bool {
        !self.tokens.is_empty() || self.audience.is_some()
    }
}

impl WebhookConfig {
    /// Returns true if any sender is accepted.
    #[must_use]
    pub const fn is_open(&self) -> bool {
        !self.keys.is_empty() || self.audience.is_some()
    }
}

/// Reads the table `[api]`. `listen` is the address at which only callers of the API have anything to request. Returns
/// `None` only if a problem was reported.
pub(super) fn api(
    mut section: Section<'_>,
    listen: Option<&Found<SocketAddr>>,
    problems: &Problems,
) -> Option<ApiConfig> {
    let is_given = ["token_file", "tokens", "audience"].iter().any(|key| section.has(key));
    if let Some(listen) = listen.filter(|listen| !is_given && !listen.value.ip().is_loopback()) {
        let message = format!(
            "listen is {}, which is not a loopback address: the API would be open to the network; set api.token_file, [[api.tokens]] or api.audience",
            listen.shown
        );
        problems.add(&listen.location, message);
    }
    let file = section.text("token_file", values::path);
    let audience = section.text("audience", values::some_text).map(|found| found.value);
    let per_minute = section.number("requests_per_minute", values::number_within(1..=100_000_u32));
    let concurrent = section.number("max_concurrent", values::number_within(1..=10_000_usize));
    let others: Vec<_> =
        section.tables("tokens").into_iter().map(|token| static_token(token, problems)).collect();
    section.finish();
    let of_file = match file {
        Some(file) => vec![token_of(&secret_file(&file, "api.token_file", MIN_TOKEN_LENGTH, problems)?)],
        None => Vec::new(),
    };
    let others = others.into_iter().collect::<Option<Vec<_>>>()?;
    Some(ApiConfig {
        tokens: of_file.into_iter().chain(others).collect(),
        audience,
        requests_per_minute: NonZeroU32::new(per_minute?.value)?,
        max_concurrent: concurrent?.value,
    })
}

fn token_of(text: &SecretString) -> StaticToken {
    let hash = Sha256::digest(text.expose_secret().as_bytes()).into();
    StaticToken { name: "api.token_file".to_owned(), hash, role: Role::Operator }
}

fn static_token(mut section: Section<'_>, problems: &Problems) -> Option<StaticToken> {
    let name = section.required("name", values::some_text);
    let hash = section.required("sha256", sha256);
    let role = section.required("role", values::one_of(&ROLES));
    section.finish();
    if let Some(hash) = hash.as_ref().filter(|hash| hash.value == EMPTY_TEXT) {
        problems.add(&hash.location, "a token's sha256 is that of an empty token");
    }
    Some(StaticToken { name: name?.value, hash: hash?.value, role: role?.value })
}

fn sha256(text: &str) -> Result<[u8; 32], String> {
    from_hex(text).ok_or_else(|| "not a SHA-256 hash of 64 hexadecimal digits".to_owned())
}

/// Converts 64 hexadecimal digits. Returns `None` if `text` is anything else.
fn from_hex(text: &str) -> Option<[u8; 32]> {
    if text.len() != 64 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    let mut bytes = [0; 32];
    for (byte, digits) in bytes.iter_mut().zip(text.as_bytes().chunks(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
    }
    Some(bytes)
}

/// Reads the table `[webhook]`. Returns `None` only if a problem was reported.
pub(super) fn webhook(
    mut section: Section<'_>,
    cloud: Option<Cloud>,
    problems: &Problems,
) -> Option<WebhookConfig> {
    let location = section.location().clone();
    let files = section.texts("key_files", values::path)?;
    let audience = section.text("audience", values::some_text).map(|found| found.value);
    let client_id = section.text("client_id", values::guid).map(|found| found.value);
    let role = section.text("role", values::some_text).map(|found| found.value);
    let subscriptions = section.values_of("subscriptions", values::some_text);
    let topics = section.values_of("topics", values::some_text);
    let origins = section.values_of("origins", values::some_text);
    section.finish();
    if files.len() > MAX_KEYS {
        problems.add(&location, format!("webhook.key_files names more than {MAX_KEYS} files"));
    }
    let keys = files.iter().map(|file| secret_file(file, "webhook.key_files", MIN_TOKEN_LENGTH, problems));
    let keys: Vec<_> = keys.collect();
    let client_id = client_id.or_else(|| cloud.and_then(Cloud::event_grid_client_id));
    if audience.is_some() && client_id.is_none() {
        problems.add(
            &location,
            "webhook.client_id is missing: it is required in this cloud, where the client id of Event Grid is not known",
        );
    }
    Some(WebhookConfig {
        keys: keys.into_iter().collect::<Option<_>>()?,
        audience,
        client_id: client_id.unwrap_or_default(),
        role,
        subscriptions: subscriptions?,
        topics: topics?,
        origins: origins?,
    })
}

const ROLES: [(&str, Role); 2] = [("reader", Role::Reader), ("operator", Role::Operator)];

const MIN_TOKEN_LENGTH: usize = 16;

const MAX_KEYS: usize = 2;

/// The SHA-256 of the empty text: a hash made by mistake from a variable that was not set.
const EMPTY_TEXT: [u8; 32] = [
    0xe3, 0xb0, 0xc4, 0x42, 0x98, 0xfc, 0x1c, 0x14, 0x9a, 0xfb, 0xf4, 0xc8, 0x99, 0x6f, 0xb9, 0x24, 0x27,
    0xae, 0x41, 0xe4, 0x64, 0x9b, 0x93, 0x4c, 0xa4, 0x95, 0x99, 0x1b, 0x78, 0x52, 0xb8, 0x55,
];
