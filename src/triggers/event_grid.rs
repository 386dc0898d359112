//! Event Grid deliveries: which secret an event is about, and the handshake. Nothing else of an event is used.
//!
//! Both schemas are read, one event or many, with the quirks seen in practice: keys in any letter case, blanks around
//! keys and values (contract B).

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Map, Value};

use crate::domain::SecretId;

/// The content of a delivery.
#[derive(Debug, PartialEq, Eq)]
pub enum Delivery {
    /// A handshake: Event Grid asks if this endpoint wants its events.
    Validation {
        /// The code to return.
        code: String,
        /// The source of these events: an Azure resource id.
        topic: String,
    },
    /// Events.
    Events(Vec<Event>),
}

/// The meaning of one event.
#[derive(Debug, PartialEq, Eq)]
pub enum Event {
    /// Something happened to this secret.
    Secret(SecretId),
    /// The subscription of this resource id was deleted: no more events come from it.
    SubscriptionDeleted(String),
    /// An event about something else.
    Ignored,
    /// A malformed event, with the reason.
    Malformed(String),
}

/// Reads the body of a delivery. Never fails: malformed content is returned as such, because an error status would
/// make Event Grid drop the event permanently.
#[must_use]
pub fn read_delivery(body: &[u8]) -> Delivery {
    let events = match serde_json::from_slice(body) {
        Ok(Value::Array(events)) => events,
        Ok(event @ Value::Object(_)) => vec![event],
        Ok(_) => return Delivery::Events(vec![malformed("neither an object nor an array")]),
        Err(error) => return Delivery::Events(vec![malformed(&format!("not JSON: {error}"))]),
    };
    events
        .iter()
        .find_map(validation)
        .unwrap_or_else(|| Delivery::Events(events.iter().map(read_event).collect()))
}

/// Reads a message of a Storage Queue: JSON as it is, or in base64 (contract C.5).
#[must_use]
pub fn read_message(text: &str) -> Vec<Event> {
    let decoded =
        BASE64_STANDARD.decode(text.trim()).ok().filter(|_| !text.trim_start().starts_with(['{', '[']));
    match read_delivery(decoded.as_deref().unwrap_or(text.as_bytes())) {
        Delivery::Events(events) => events,
        // A queue gets no handshake: Event Grid does not ask it if it wants events.
        Delivery::Validation { .. } => vec![malformed("a subscription handshake in a queue")],
    }
}

fn validation(event: &Value) -> Option<Delivery> {
    let event = event.as_object()?;
    let kind = text(event, "eventType")?;
    let code = text(field(event, "data")?.as_object()?, "validationCode")?;
    let topic = text(event, "topic").unwrap_or_default();
    (kind == "Microsoft.EventGrid.SubscriptionValidationEvent")
        .then_some(Delivery::Validation { code, topic })
}

fn read_event(event: &Value) -> Event {
    let Some(event) = event.as_object() else { return malformed("an event that is not an object") };
    let Some(kind) = text(event, "eventType").or_else(|| text(event, "type")) else {
        return malformed("an event without a type");
    };
    let empty = Map::new();
    let data = field(event, "data").and_then(Value::as_object).unwrap_or(&empty);
    if kind == "Microsoft.EventGrid.SubscriptionDeletedEvent" {
        return Event::SubscriptionDeleted(text(data, "eventSubscriptionId").unwrap_or_default());
    }
    if !WAKING.contains(&kind.as_str()) {
        return Event::Ignored;
    }
    match secret_of(event, data) {
        Some(named) => named.map_or_else(|error| malformed(&error.to_string()), Event::Secret),
        None => malformed("an event without the name of a secret"),
    }
}

/// Returns the secret, by its address first: the other fields were seen with blanks in them.
fn secret_of(
    event: &Map<String, Value>,
    data: &Map<String, Value>,
) -> Option<Result<SecretId, crate::domain::InvalidName>> {
    let address = text(data, "Id").and_then(|id| url::Url::parse(&id).ok());
    let from_host = address.as_ref().and_then(|id| {
        let (vault, rest) = id.host_str()?.split_once('.')?;
        rest.starts_with("vault.").then(|| vault.to_owned())
    });
    let from_path = address.as_ref().and_then(|id| {
        let mut parts = id.path_segments()?;
        (parts.next()? == "secrets").then(|| parts.next().map(str::to_owned))?
    });
    let vault = from_host.or_else(|| text(data, "VaultName"))?;
    let name = from_path.or_else(|| text(data, "ObjectName")).or_else(|| text(event, "subject"))?;
    Some(vault.parse().and_then(|vault| Ok(SecretId::new(vault, name.parse()?))))
}

fn text(object: &Map<String, Value>, key: &str) -> Option<String> {
    let text = field(object, key)?.as_str()?.trim();
    (!text.is_empty()).then(|| text.to_owned())
}

fn field<'a>(object: &'a Map<String, Value>, key: &str) -> Option<&'a Value> {
    let mut fields = object.iter();
    object
        .get(key)
        .or_else(|| fields.find(|(found, _)| found.trim().eq_ignore_ascii_case(key)).map(|(_, value)| value))
}

fn malformed(reason: &str) -> Event {
    Event::Malformed(reason.to_owned())
}

/// Event types that wake the loop. A new version does so as well, because rekeyd may not have written it.
const WAKING: [&str; 3] = [
    "Microsoft.KeyVault.SecretNearExpiry",
    "Microsoft.KeyVault.SecretExpired",
    "Microsoft.KeyVault.SecretNewVersionCreated",
];

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may fail")]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn secret(id: &str) -> Event {
        Event::Secret(id.parse().unwrap())
    }

    /// Deliveries in the Event Grid and CloudEvents schemas name their secret, as one event or as a list.
    #[test]
    fn both_event_schemas_name_the_secret() {
        let data = json!({"Id": "https://KV-1.vault.azure.net/secrets/App-Foo/00ee", "VaultName": "x", "ObjectName": "y"});
        let grid =
            json!({"eventType": "Microsoft.KeyVault.SecretNearExpiry", "subject": "app-foo", "data": data});
        let cloud = json!({"type": "Microsoft.KeyVault.SecretExpired", "specversion": "1.0", "data": data});
        for (body, count) in [(json!([grid, cloud]), 2), (grid, 1), (cloud, 1)] {
            let read = read_delivery(body.to_string().as_bytes());
            assert_eq!(read, Delivery::Events((0..count).map(|_| secret("kv-1/app-foo")).collect()));
        }
    }

    /// An event is read despite stray blanks and letter case, as in the documentation's own example.
    #[test]
    fn blanks_and_letter_case_do_no_harm() {
        let body = json!([{"EventType": "Microsoft.KeyVault.SecretNearExpiry", "subject": "newsecret",
            "data": {"vaultname": " sample-kv ", "ObjectName ": "newsecret ", "Version": " ee05", "NBF": null, "EXP": 1.5}}]);
        assert_eq!(
            read_delivery(body.to_string().as_bytes()),
            Delivery::Events(vec![secret("sample-kv/newsecret")])
        );
    }

    #[test]
    fn the_handshake_s_code_is_found() {
        let body = json!([{"eventType": "Microsoft.EventGrid.SubscriptionValidationEvent", "topic": "/t",
            "data": {"validationCode": "512d", "validationUrl": "https://elsewhere"}}]);
        let read = read_delivery(body.to_string().as_bytes());
        assert_eq!(read, Delivery::Validation { code: "512d".into(), topic: "/t".into() });
    }

    /// A queue message is read as plain JSON or in Base64, and any other text is malformed.
    #[test]
    fn queue_message_is_plain_or_base64() {
        let event = json!({"eventType": "Microsoft.KeyVault.SecretExpired", "data": {"VaultName": "v", "ObjectName": "x"}});
        for text in [event.to_string(), BASE64_STANDARD.encode(event.to_string()), format!(" {event}\n")] {
            assert_eq!(read_message(&text), [secret("v/x")], "{text}");
        }
        for text in ["", "nonsense", "bm9uc2Vuc2U=", "[]3"] {
            assert!(matches!(read_message(text).as_slice(), [Event::Malformed(_)]), "{text}");
        }
    }

    #[test]
    fn the_end_of_a_subscription_is_told() {
        let body = json!([{"eventType": "Microsoft.EventGrid.SubscriptionDeletedEvent", "data": {"eventSubscriptionId": "/s"}}]);
        let read = read_delivery(body.to_string().as_bytes());
        assert_eq!(read, Delivery::Events(vec![Event::SubscriptionDeleted("/s".into())]));
    }

    /// An event about anything but a secret is ignored, and a broken one is reported as malformed.
    #[test]
    fn unrelated_event_is_ignored_broken_one_reported() {
        let key = json!({"eventType": "Microsoft.KeyVault.KeyNearExpiry", "data": {}}).to_string();
        assert_eq!(read_delivery(key.as_bytes()), Delivery::Events(vec![Event::Ignored]));
        let bad = json!({"eventType": "Microsoft.KeyVault.SecretExpired", "data": {"VaultName": "v", "ObjectName": "../x"}});
        for body in ["", "nonsense", "3", "[1]", "{}", &bad.to_string()] {
            let Delivery::Events(events) = read_delivery(body.as_bytes()) else { unreachable!() };
            assert!(matches!(events.as_slice(), [Event::Malformed(_)]), "{body}");
        }
    }

    proptest! {
        #[test]
        fn no_body_makes_the_parser_panic(body in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = read_delivery(&body);
        }
    }
}
