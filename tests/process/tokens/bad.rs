//! Tokens that must be refused, each with its reason.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use reqwest::StatusCode;
use serde_json::{Value, json};

use super::world::{World, with};
use super::{EVENT_ROLE, OPERATOR, OTHER_TENANT, READER, STRANGER, WEBHOOK};

/// A token that is not accepted.
#[derive(Clone)]
pub(super) struct Bad {
    pub(super) what: String,
    pub(super) token: String,
    pub(super) status: StatusCode,
    pub(super) reason: &'static str,
}

impl World {
    /// Returns tokens that are each good but for one claim.
    pub(super) async fn with_wrong_claims(&mut self) -> Vec<Bad> {
        let (good, now) = (self.claims(READER).await, self.now().await);
        let wrong = [
            ("iss", json!(STRANGER), "wrong_issuer"),
            ("iss", json!(format!("https://sts.windows.net/{OTHER_TENANT}/")), "wrong_issuer"),
            ("iss", Value::Null, "malformed"),
            ("aud", json!("api://other"), "wrong_audience"),
            ("aud", json!(WEBHOOK), "wrong_audience"),
            ("aud", Value::Null, "malformed"),
            ("tid", json!(OTHER_TENANT), "wrong_tenant"),
            ("tid", Value::Null, "wrong_tenant"),
            ("exp", json!(now - 120), "expired"),
            ("exp", Value::Null, "malformed"),
            ("nbf", json!(now + 3_600), "not_yet_valid"),
            ("roles", Value::Null, "no_role"),
            ("roles", json!([]), "no_role"),
            ("roles", json!(["Rekeyd", EVENT_ROLE]), "no_role"),
        ];
        let bad = wrong.map(|(claim, is, reason)| {
            let status = if reason == "no_role" { StatusCode::FORBIDDEN } else { StatusCode::UNAUTHORIZED };
            let token = self.provider.token(&with(&good, claim, &is));
            Bad { what: format!("{claim} is {is}"), token, status, reason }
        });
        bad.into()
    }

    /// Returns tokens with the claims of a good one, but without the signature of an authorized signer.
    pub(super) async fn forged(&mut self) -> Vec<Bad> {
        let claims = self.claims(OPERATOR).await;
        let (good, other) = (self.provider.token(&claims), self.good(READER).await);
        let [head, body, signature] = parts(&good);
        let [.., signature_of_other] = parts(&other);
        let kid = key_name(head);
        let unsigned = encoded(&json!({"typ": "JWT", "alg": "none", "kid": kid}));
        let nameless = encoded(&json!({"typ": "JWT", "alg": "RS256"}));
        let tampered = if signature.starts_with('A') { "B" } else { "A" };
        let forged = [
            ("alg none", format!("{unsigned}.{body}."), "wrong_algorithm"),
            ("alg none, signed", format!("{unsigned}.{body}.{signature}"), "wrong_algorithm"),
            ("HS256 with the public key", self.with_hmac(&kid, &claims), "wrong_algorithm"),
            ("an unknown key", self.provider.token_of_key("no-such-key", &claims), "unknown_key"),
            ("no key's name", format!("{nameless}.{body}.{signature}"), "malformed"),
            ("a tampered signature", format!("{head}.{body}.{tampered}{}", &signature[1..]), "bad_signature"),
            ("another's signature", format!("{head}.{body}.{signature_of_other}"), "bad_signature"),
            ("no signature", format!("{head}.{body}."), "bad_signature"),
        ];
        forged.map(|(what, token, reason)| unauthorized(what, token, reason)).into()
    }

    /// Signs with the public key as an HMAC secret: a verifier that follows the token's header finds it good.
    fn with_hmac(&mut self, kid: &str, claims: &Value) -> String {
        let secret = self.provider.public_key();
        assert!(secret.starts_with("-----BEGIN PUBLIC KEY-----"), "{secret}");
        let head = Header { kid: Some(kid.to_owned()), ..Header::new(Algorithm::HS256) };
        jsonwebtoken::encode(&head, claims, &EncodingKey::from_secret(secret.as_bytes())).unwrap()
    }
}

/// Returns texts without the form of a token, or with the form
/// alone. A text without a dot is searched among the known ones.
pub(super) fn malformed() -> Vec<Bad> {
    let (head, long) = (encoded(&json!({"typ": "JWT"})), "long-and-senseless-".repeat(1_000));
    let malformed = [
        ("no token at all", "neither-known-nor-of-entra".to_owned(), "unknown"),
        ("a long text", long.clone(), "unknown"),
        ("dots", "...".to_owned(), "malformed"),
        ("two parts", "nonsense-in.two-parts".to_owned(), "malformed"),
        ("three parts", "nonsense-in.exactly-three.such-parts".to_owned(), "malformed"),
        ("a header without claims", format!("{head}.nonsense-body.nonsense-signature"), "malformed"),
        ("long parts", [long.as_str(); 3].join("."), "malformed"),
        ("many parts", "part-of-many.".repeat(4_000), "malformed"),
    ];
    malformed.map(|(what, token, reason)| unauthorized(what, token, reason)).into()
}

fn unauthorized(what: &str, token: String, reason: &'static str) -> Bad {
    Bad { what: what.to_owned(), token, status: StatusCode::UNAUTHORIZED, reason }
}

fn parts(token: &str) -> [&str; 3] {
    token.split('.').collect::<Vec<_>>().try_into().unwrap()
}

fn encoded(part: &Value) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(part.to_string())
}

fn key_name(head: &str) -> String {
    let head: Value = serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(head).unwrap()).unwrap();
    head.get("kid").and_then(Value::as_str).unwrap().to_owned()
}
