//! Invocations that a Functions host sends to its custom handler, read leniently because hosts differ (contract F).
//! This module decides nothing.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::event_grid::{Delivery, Event, read_delivery};

/// The body of an invocation.
#[derive(Debug, Default, PartialEq, Eq, Deserialize)]
pub struct Invocation {
    /// The trigger's data, by the binding's name.
    #[serde(rename = "Data", default)]
    data: Map<String, Value>,
}

/// The response to an invocation. Never empty: a host that reads nothing, or `null`, never stops waiting.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct InvocationResponse {
    /// The outputs, by the output binding's name.
    pub outputs: Map<String, Value>,
    /// Lines for the host's log.
    pub logs: Vec<String>,
    /// Not used.
    pub return_value: Value,
}

/// The HTTP request inside an invocation that was not forwarded.
#[derive(Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct HttpRequest {
    params: Value,
    query: Value,
    body: Value,
}

/// Reads the body of an invocation.
///
/// # Errors
/// The body is not an invocation, for the returned reason.
pub fn read_invocation(body: &[u8]) -> Result<Invocation, String> {
    let body: Value = serde_json::from_slice(body).map_err(no_invocation)?;
    if !body.is_object() {
        return Err(no_invocation("not an object"));
    }
    serde_json::from_value(body).map_err(no_invocation)
}

fn no_invocation(why: impl std::fmt::Display) -> String {
    format!("not an invocation of a Functions host: {why}")
}

impl Invocation {
    /// Returns the events that the trigger `binding` carries; without such a binding, those of the only one there is.
    #[must_use]
    pub fn events(&self, binding: &str) -> Vec<Event> {
        let Some(data) = self.bound(binding) else {
            return vec![Event::Malformed("an invocation without data".to_owned())];
        };
        match read_delivery(unwrapped(data).to_string().as_bytes()) {
            Delivery::Events(events) => events,
            Delivery::Validation { .. } => {
                vec![Event::Malformed(
                    "a subscription handshake, which the Functions host must answer".to_owned(),
                )]
            }
        }
    }

    /// Returns the HTTP request that the invocation carries.
    #[must_use]
    pub fn http_request(&self) -> HttpRequest {
        let data = self.bound("req").map(unwrapped).unwrap_or_default();
        if data.is_object() {
            serde_json::from_value(data).unwrap_or_default()
        } else {
            HttpRequest::default()
        }
    }

    /// Returns true if the host reports that this timer run is late.
    #[must_use]
    pub fn is_past_due(&self, binding: &str) -> bool {
        let timer = self.bound(binding).map(unwrapped).unwrap_or_default();
        timer.get("IsPastDue").or_else(|| timer.get("isPastDue")).and_then(Value::as_bool).unwrap_or(false)
    }

    fn bound(&self, binding: &str) -> Option<&Value> {
        let named = self.data.iter().find(|(name, _)| name.eq_ignore_ascii_case(binding));
        match named {
            Some((_, value)) => Some(value),
            None => self.data.values().next().filter(|_| self.data.len() == 1),
        }
    }
}

impl HttpRequest {
    /// Returns the requested secret, as `vault` and `name`: from the route, the query or the body, also under the names
    /// that Microsoft's rotation template uses.
    #[must_use]
    pub fn secret(&self) -> Option<(String, String)> {
        // Some hosts write each of them as a string.
        let parts = [&self.params, &self.query, &self.body].map(unwrapped);
        let find = |names: [&str; 2]| parts.iter().find_map(|part| named(part.as_object()?.iter(), &names));
        Some((find(["vault", "KeyVaultName"])?, find(["name", "SecretName"])?))
    }
}

impl InvocationResponse {
    /// Returns a response with one line for the host's log.
    #[must_use]
    pub fn saying(line: impl Into<String>) -> Self {
        Self { logs: vec![line.into()], ..Self::default() }
    }

    /// Returns a response whose output `res` is an HTTP response. Its status is a string.
    #[must_use]
    pub fn http(status: u16, content_type: &str, headers: &[(&str, &str)], body: &Value) -> Self {
        let mut all = Map::new();
        all.insert("content-type".to_owned(), content_type.into());
        all.extend(headers.iter().map(|(name, value)| ((*name).to_owned(), Value::from(*value))));
        let response = json!({"statusCode": status.to_string(), "headers": all, "body": body.to_string()});
        Self { outputs: Map::from_iter([("res".to_owned(), response)]), ..Self::default() }
    }
}

fn named<'a>(mut entries: impl Iterator<Item = (&'a String, &'a Value)>, names: &[&str]) -> Option<String> {
    let found = entries.find(|(name, _)| names.iter().any(|known| known.eq_ignore_ascii_case(name)));
    found?.1.as_str().map(|text| text.trim().to_owned()).filter(|text| !text.is_empty())
}

/// Decodes strings that contain JSON: some hosts encode values again for some triggers. Base64 is left unchanged.
fn unwrapped(value: &Value) -> Value {
    let mut value = value.clone();
    for _ in 0..MAX_WRAPPINGS {
        let Value::String(text) = &value else { break };
        let Ok(inner) = serde_json::from_str(text) else { break };
        value = inner;
    }
    value
}

const MAX_WRAPPINGS: usize = 8;

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may fail")]
mod tests {
    use super::*;

    fn invocation(data: &Value) -> Invocation {
        read_invocation(json!({"Data": data, "Metadata": {"sys": {}}}).to_string().as_bytes()).unwrap()
    }

    /// A Functions event is read as an object and as text that was JSON-encoded once or twice.
    #[test]
    fn event_is_object_or_encoded_text() {
        let event = json!({"eventType": "Microsoft.KeyVault.SecretNearExpiry", "data": {"VaultName": "v", "ObjectName": "x"}});
        let once = Value::from(event.to_string());
        let twice = Value::from(once.to_string());
        for data in [event, once, twice] {
            for name in ["event", "eventGridEvent"] {
                let events = invocation(&json!({name: data})).events("event");
                assert_eq!(events, [Event::Secret("v/x".parse().unwrap())], "{data}");
            }
        }
    }

    #[test]
    fn what_carries_no_event_is_told() {
        for data in [json!({}), json!({"event": null}), json!({"event": "nonsense"}), json!({"a": 1, "b": 2})]
        {
            assert!(matches!(invocation(&data).events("event").as_slice(), [Event::Malformed(_)]), "{data}");
        }
        assert!(read_invocation(b"null").is_err());
        assert!(read_invocation(b"").is_err());
        assert!(read_invocation(b"[{}]").is_err());
    }

    /// A Functions timer without a schedule status is still read as a timer.
    #[test]
    fn timer_without_status_is_a_timer() {
        let timer = json!({"Schedule": {"AdjustForDST": true}, "ScheduleStatus": null, "IsPastDue": true});
        assert!(invocation(&json!({"timer": timer})).is_past_due("timer"));
        assert!(!invocation(&json!({})).is_past_due("timer"));
    }

    /// The secret of an HTTP request is found in route, query and body, also under the names of the rotation template.
    #[test]
    fn http_request_names_secret_anywhere() {
        for request in [
            json!({"Params": {"vault": "v", "name": "x"}}),
            json!({"Query": {"KeyVaultName": "v", "SecretName": " x "}}),
            json!({"Body": "{\"KeyVaultName\":\"v\",\"SecretName\":\"x\"}"}),
            json!({"Params": {"vault": "v"}, "Body": {"name": "x"}}),
        ] {
            let found = invocation(&json!({"req": request})).http_request().secret();
            assert_eq!(found, Some(("v".to_owned(), "x".to_owned())), "{request}");
        }
        assert_eq!(invocation(&json!({"req": {"Query": {"vault": "v"}}})).http_request().secret(), None);
    }

    #[test]
    fn an_answer_is_never_empty() {
        let text = serde_json::to_string(&InvocationResponse::default()).unwrap();
        assert_eq!(text, r#"{"Outputs":{},"Logs":[],"ReturnValue":null}"#);
    }
}
