//! The handling of one input, for the fuzz target and the test that reads the corpus: the first byte selects a parser, which
//! gets the rest. A panic is a finding, and so is a value that changes when it is written and read again.

use std::fmt::{Debug, Display};
use std::str::FromStr;

use rekeyd::config::Config;
use rekeyd::domain::tags::{
    OVERLAP_DAYS, PENDING_ROTATION, QUARANTINED, ROTATE_BEFORE_DAYS, SUPERSEDED_CREDENTIAL_ID, Tags,
    VALIDITY_PERIOD_DAYS,
};
use rekeyd::domain::{
    AppObjectId, ClientId, KeyId, Marker, PolicyValues, RotationId, RotationPolicy, SecretId, SecretName,
    VaultName, VerifyPolicy, VersionId, consent_tag, consents, provider_address,
};
use rekeyd::reconcile::{Rollout, WindowState};
use rekeyd::triggers::event_grid::{Delivery, Event, read_delivery, read_message};
use rekeyd::triggers::functions::read_invocation;
use rekeyd::triggers::schedule::next_run;
use time::macros::datetime;
use time::{Duration, OffsetDateTime};

/// Returns true if the parser is given such inputs.
type Parser = fn(&[u8]) -> bool;

/// Each parser, and the byte that selects it.
pub(crate) const PARSERS: [(u8, Parser); 7] = [
    (b'd', delivery),
    (b'm', message),
    (b'i', invocation),
    (b't', tags),
    (b'n', name),
    (b'c', configuration),
    (b'v', variables),
];

/// Returns true if the input selects a parser and is passed to it.
pub(crate) fn read(input: &[u8]) -> bool {
    let Some((picked, rest)) = input.split_first() else { return false };
    PARSERS.iter().find(|(byte, _)| byte == picked).is_some_and(|(_, parser)| parser(rest))
}

/// A delivery of Event Grid.
fn delivery(body: &[u8]) -> bool {
    match read_delivery(body) {
        Delivery::Events(events) => name_secrets(&events),
        Delivery::Validation { code, .. } => assert!(!code.is_empty()),
    }
    true
}

/// A message of a Storage Queue.
fn message(text: &[u8]) -> bool {
    let Ok(text) = str::from_utf8(text) else { return false };
    name_secrets(&read_message(text));
    true
}

/// An invocation by a Functions host.
fn invocation(body: &[u8]) -> bool {
    if let Ok(invocation) = read_invocation(body) {
        for binding in ["event", "message"] {
            name_secrets(&invocation.events(binding));
        }
        if let Some((vault, name)) = invocation.http_request().secret() {
            assert!(!vault.is_empty() && !name.is_empty());
        }
        let _ = invocation.is_past_due("timer");
    }
    true
}

/// A secret named by an event may go into a request's path, so it must be a valid name.
fn name_secrets(events: &[Event]) {
    for event in events {
        match event {
            Event::Secret(secret) => reads_back(secret),
            Event::Malformed(reason) => assert!(!reason.is_empty()),
            Event::SubscriptionDeleted(_) | Event::Ignored => {}
        }
    }
}

/// The tags of a version: a line `NAME=VALUE` for each.
fn tags(text: &[u8]) -> bool {
    let Ok(text) = str::from_utf8(text) else { return false };
    let tags: Tags = text.lines().map(|line| line.split_once('=').unwrap_or((line, ""))).collect();
    if let Ok(Some(key_id)) = tags.credential_id() {
        reads_back(&key_id);
    }
    if let Ok(Some(rotation)) = tags.rotation_id() {
        reads_back(&rotation);
    }
    notes(&tags);
    let _ = (tags.check_limits(), tags.carried_over().check_limits());
    let _ =
        (tags.is_rotation_disabled(), tags.is_quarantined(), tags.is_rolled_back(), tags.rolled_back_at());
    for name in [VALIDITY_PERIOD_DAYS, ROTATE_BEFORE_DAYS, OVERLAP_DAYS] {
        if let Ok(Some(days)) = tags.days(name) {
            assert!((Duration::DAY..=Duration::days(36_500)).contains(&days));
        }
    }
    if let Ok(policy) = RotationPolicy::try_new(PolicyValues::default()) {
        let (followed, problems) = policy.with_tags(&tags);
        assert!(problems.iter().all(|problem| !problem.to_string().is_empty()));
        assert!(followed.due(NOW, NOW + followed.validity()) > NOW, "a new credential is due at once");
    }
    let _ = VerifyPolicy::for_scope("https://graph.microsoft.com/.default").with_tags(&tags);
    for (_, value) in tags.iter() {
        let _ = provider_address(value);
    }
    true
}

/// Notes that rekeyd writes, and others may change.
fn notes(tags: &Tags) {
    if let Ok(Some(pending)) = tags.pending_rotation() {
        let _ = pending.under_way_until(Duration::HOUR, NOW);
        let text = pending.to_string();
        let again = written(PENDING_ROTATION, &text).pending_rotation().ok().flatten();
        assert_eq!(again.map(|pending| pending.to_string()), Some(text));
    }
    if let Ok(Some(quarantine)) = tags.quarantine() {
        let text = quarantine.to_string();
        let again = written(QUARANTINED, &text).quarantine().ok().flatten();
        assert_eq!(again.map(|quarantine| quarantine.to_string()), Some(text));
    }
    if let Ok(index) = tags.superseded() {
        let again = written(SUPERSEDED_CREDENTIAL_ID, &index.to_string()).superseded();
        assert_eq!(again, Ok(index));
    }
}

fn written(name: &str, value: &str) -> Tags {
    [(name, value)].into_iter().collect()
}

/// A string in place of a name: of a vault or a secret, of an application, of a credential, of a role.
fn name(text: &[u8]) -> bool {
    let Ok(text) = str::from_utf8(text) else { return false };
    is_name::<VaultName>(text);
    is_name::<SecretName>(text);
    is_name::<VersionId>(text);
    is_name::<AppObjectId>(text);
    is_name::<ClientId>(text);
    is_name::<KeyId>(text);
    is_name::<RotationId>(text);
    is_name::<SecretId>(text);
    if let Ok(secret) = text.parse() {
        marks(&secret);
    }
    let _ =
        (Marker::is_of_any(text), provider_address(text), rekeyd::config::Role::highest(&[text.to_owned()]));
    true
}

/// The consent tag of a secret, put on an application, is recognised as that secret's.
fn marks(secret: &SecretId) {
    assert!(consents(secret, [consent_tag(secret).as_str()].into_iter()));
    let (marker, rotation) = (Marker::of(secret), "6b7a3c1e-0d7e-4d5c-9a54-0c7c8b6f2f10".parse());
    if let Ok(rotation) = rotation {
        let shown = marker.display_name(&rotation);
        assert!(shown.len() <= 90 && Marker::is_of_any(&shown), "{shown}");
        assert_eq!(marker.rotation_of(&shown), Some(rotation));
    }
}

fn is_name<T: FromStr<Err: Display> + Display + PartialEq + Debug>(text: &str) {
    match text.parse::<T>() {
        Ok(name) => reads_back(&name),
        Err(refusal) => assert!(!refusal.to_string().is_empty()),
    }
}

fn reads_back<T: FromStr + Display + PartialEq + Debug>(name: &T) {
    assert_eq!(name.to_string().parse().ok().as_ref(), Some(name));
}

/// A configuration file.
fn configuration(text: &[u8]) -> bool {
    let Ok(text) = str::from_utf8(text) else { return false };
    // Named files would be read, so an input must not contain a key that names one, nor spell it with escapes.
    if ["_file", "\\u", "\\U", "\\x"].iter().any(|part| text.contains(part)) {
        return false;
    }
    is_usable(Config::parse(text, "fuzz.toml", &[]));
    true
}

/// Variables over a small file: a line `NAME=VALUE` for each.
fn variables(text: &[u8]) -> bool {
    let Ok(text) = str::from_utf8(text) else { return false };
    // As above: an input must not name a file.
    if text.contains("_FILE") {
        return false;
    }
    let pairs = text.lines().filter_map(|line| line.split_once('='));
    let pairs: Vec<_> = pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    is_usable(Config::parse(SMALL_FILE, "fuzz.toml", &pairs));
    true
}

/// An accepted configuration can be used; a refused one comes with a message.
fn is_usable(parsed: Result<Config, impl Display>) {
    let config = match parsed {
        Ok(config) => config,
        Err(refused) => return assert!(!refused.to_string().is_empty()),
    };
    if let Some(next) = next_run(&config.schedule, NOW) {
        assert!(next > NOW, "the next run is not after now");
    }
    let rollout = Rollout::new(config.rollout.clone());
    if let WindowState::Closed { next: Some(next) } = rollout.window(NOW) {
        assert!(next > NOW, "a closed window opens before now");
    }
    if let Some(freeze) = rollout.freeze(NOW) {
        assert!(freeze.until > NOW, "a freeze is over");
    }
    for secret in &config.secrets {
        let end = NOW + secret.policy.validity();
        assert!(secret.policy.due(NOW, end) > NOW, "a new credential is due at once");
        assert!(secret.policy.urgent_from(NOW, end) >= secret.policy.due(NOW, end));
        let _ = secret.verify.reject_secret_pattern.as_ref().map(|unwanted| unwanted.matches("-some~text"));
    }
    assert!(!format!("{config:?}").is_empty());
}

/// An arbitrary time.
const NOW: OffsetDateTime = datetime!(2026-11-22 10:00:05 UTC);

const SMALL_FILE: &str = r#"
azure.tenant_id = "example.org"
[[vaults]]
name = "kv"
[[secrets]]
vault = "kv"
name = "app"
client_id = "6b7a3c1e-0d7e-4d5c-9a54-0c7c8b6f2f10"
"#;
