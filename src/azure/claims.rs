//! The claims of a token: the payload of a JWT, read leniently and without checking its signature. Makes no decisions.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value};
use time::OffsetDateTime;

use crate::domain::TokenClaims;

/// Returns the claims of a token. `None` if it is not a JWT: tokens of some resources are opaque.
///
/// A claim of an unexpected type counts as missing, and the others are still read.
pub(super) fn claims(token: &SecretString) -> Option<TokenClaims> {
    let payload = token.expose_secret().split('.').nth(1)?;
    let payload = BASE64_URL_SAFE_NO_PAD.decode(payload.trim_end_matches('=')).ok()?;
    let Value::Object(payload) = serde_json::from_slice(&payload).ok()? else { return None };
    let client_id = ["appid", "azp"].iter().find_map(|name| payload.get(*name)?.as_str()?.parse().ok());
    let roles = payload.get("roles").and_then(Value::as_array).into_iter().flatten();
    Some(TokenClaims {
        audience: payload.get("aud").and_then(audience).unwrap_or_default().to_owned(),
        tenant: text(&payload, "tid"),
        client_id,
        object_id: text(&payload, "oid"),
        expires: payload.get("exp").and_then(moment),
        roles: roles.filter_map(|role| role.as_str().map(str::to_owned)).collect(),
    })
}

fn text(payload: &Map<String, Value>, name: &str) -> Option<String> {
    payload.get(name)?.as_str().map(str::to_owned)
}

/// Returns the audience: one resource, or the first of several.
fn audience(value: &Value) -> Option<&str> {
    value.as_str().or_else(|| value.as_array()?.first()?.as_str())
}

/// Parses Unix seconds, given as a number or as a text.
fn moment(value: &Value) -> Option<OffsetDateTime> {
    let seconds = value.as_i64().or_else(|| value.as_str()?.parse().ok())?;
    OffsetDateTime::from_unix_timestamp(seconds).ok()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may fail")]
mod tests {
    use serde_json::json;
    use time::macros::datetime;

    use super::*;
    use crate::domain::ClientId;

    fn token(payload: &Value) -> SecretString {
        format!("e30.{}.c2ln", BASE64_URL_SAFE_NO_PAD.encode(payload.to_string())).into()
    }

    #[test]
    fn both_versions_of_a_token_are_read() {
        let id = "6b7a3c1e-0d7e-4d5c-9a54-0c7c8b6f2f10";
        let client_id: ClientId = id.parse().unwrap();
        let first =
            json!({"aud": "https://a", "tid": "t", "oid": "o", "appid": id, "exp": 0, "roles": ["r"]});
        let second =
            json!({"aud": ["https://a"], "tid": "t", "oid": "o", "azp": id, "exp": "0", "roles": ["r"]});
        let read = claims(&token(&first)).unwrap();
        assert_eq!(read.client_id, Some(client_id));
        assert_eq!(read.expires, Some(datetime!(1970-01-01 0:00 UTC)));
        assert_eq!((read.audience.as_str(), read.tenant.as_deref()), ("https://a", Some("t")));
        assert!(read.roles.contains("r"));
        assert_eq!(claims(&token(&second)).unwrap(), read);
    }

    /// A token claim of an unexpected type is treated as missing, and the other claims are still read.
    #[test]
    fn odd_typed_claim_counts_as_missing() {
        let read =
            claims(&token(&json!({"aud": 7, "appid": "x", "roles": "r", "exp": [], "tid": "t"}))).unwrap();
        assert_eq!((read.audience.as_str(), read.client_id, read.expires), ("", None, None));
        assert_eq!((read.tenant.as_deref(), read.roles.is_empty()), (Some("t"), true));
    }

    #[test]
    fn an_opaque_token_has_no_claims() {
        for text in ["opaque", "a.%%%.c", "a.W10.c", ""] {
            assert_eq!(claims(&text.into()), None, "{text}");
        }
    }
}
