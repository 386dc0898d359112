//! Assertions: those of a trusted issuer sign in, all others are refused with their error code.

use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header};
use reqwest::StatusCode;
use serde_json::{Value, json};

use super::{START, VAULT, World, claims};

/// An issuer elsewhere, and a key that is not its own.
struct Issuer {
    key: EncodingKey,
    jwk: Jwk,
}

impl Issuer {
    fn new() -> Self {
        let pair =
            rcgen::KeyPair::generate_rsa_for(&rcgen::PKCS_RSA_SHA256, rcgen::RsaKeySize::_2048).unwrap();
        let key = EncodingKey::from_rsa_pem(pair.serialize_pem().as_bytes()).unwrap();
        let mut jwk = Jwk::from_encoding_key(&key, Algorithm::RS256).unwrap();
        jwk.common.key_id = Some("key-1".to_owned());
        assert!(DecodingKey::from_jwk(&jwk).is_ok());
        Self { key, jwk }
    }

    fn sign(&self, key_id: Option<&str>, claims: &Value) -> String {
        let header = Header { kid: key_id.map(str::to_owned), ..Header::new(Algorithm::RS256) };
        jsonwebtoken::encode(&header, claims, &self.key).unwrap()
    }
}

/// A client assertion is accepted only if it matches the issuer, subject, audience, keys and dates of its credential.
#[tokio::test]
async fn assertion_must_match_its_credential() {
    let world = World::start().await;
    let client = world.sandbox.model().managed()[0].client_id.to_string();
    let (issuer, stranger, path) = (Issuer::new(), Issuer::new(), world.tenant_path("oauth2/v2.0/token"));
    let trust = |issuer_name: &str, subject: &str, audience: &str| {
        json!({"client_id": client, "issuer": issuer_name, "subject": subject, "audience": audience,
            "keys": {"keys": [issuer.jwk]}})
    };
    let workload = trust("https://issuer.example", "build", "api://AzureADTokenExchange");
    for body in [workload, trust(&client, &client, "token-endpoint")] {
        let put = world.control(reqwest::Method::PUT, "federated-credentials", &body).await;
        assert_eq!(put, StatusCode::NO_CONTENT);
    }
    let now = START.unix_timestamp();
    let good = json!({"iss": "https://issuer.example", "sub": "build", "aud": ["api://AzureADTokenExchange"],
        "exp": now + 600, "nbf": now});
    let with = |name: &str, value: Value| {
        let mut claims = good.clone();
        claims[name] = value;
        issuer.sign(Some("key-1"), &claims)
    };
    // As MSAL for Python writes it.
    let fraction: Value = serde_json::from_str(&format!("{}.5", now + 600)).unwrap();
    let own =
        |subject: &str| json!({"iss": subject, "sub": subject, "aud": "token-endpoint", "exp": fraction});
    let cases = [
        (issuer.sign(Some("key-1"), &good), 200, 0),
        (issuer.sign(None, &own(&client)), 200, 0),
        (stranger.sign(Some("key-1"), &good), 401, 50_012),
        (issuer.sign(Some("key-2"), &good), 401, 50_012),
        (with("iss", json!("https://other.example")), 401, 700_211),
        (with("aud", json!("api://other")), 401, 700_212),
        (with("sub", json!("Build")), 401, 700_213),
        (with("exp", json!(now)), 401, 700_024),
        (with("nbf", json!(now + 400)), 401, 700_024),
        (issuer.sign(None, &own("11111111-1111-1111-1111-111111111111")), 401, 700_021),
        ("nonsense".to_owned(), 400, 50_027),
    ];
    for (assertion, status, code) in cases {
        let kind = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
        let fields = [
            ("scope", VAULT),
            ("client_id", client.as_str()),
            ("client_secret", "-"),
            ("client_assertion_type", kind),
            ("client_assertion", assertion.as_str()),
        ];
        let (answered, body) = world.ask(&path, &fields).await;
        assert_eq!(
            (answered.as_u16(), body["error_codes"][0].as_u64().unwrap_or(0)),
            (status, code),
            "{body}"
        );
        if status == 200 {
            assert_eq!(claims(&body)["appidacr"], "2");
        }
    }
    world.sandbox.shutdown().await;
}
