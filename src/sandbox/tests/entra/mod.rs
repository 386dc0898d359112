//! Entra as its clients see it: discovery, keys, tokens of both versions, every refusal.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may stop here")]

use base64::Engine;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use reqwest::StatusCode;
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use time::Duration;

use super::{FaultKind, START, ScriptedFault, Service, World};

mod assertion;

const VAULT: &str = "https://vault.azure.net/.default";

impl World {
    async fn public(&self, path: &str) -> (StatusCode, Value) {
        let response = self.http.get(format!("{}/{path}", self.at.authority)).send().await.unwrap();
        (response.status(), response.json().await.unwrap())
    }

    /// Sends a request to the tenant's (or another) token endpoint with the client's secret and these extra fields.
    async fn ask(&self, path: &str, fields: &[(&str, &str)]) -> (StatusCode, Value) {
        let (id, secret) =
            (self.at.client.client_id.to_string(), self.at.client.client_secret.expose_secret());
        let mut form =
            vec![("grant_type", "client_credentials"), ("client_id", &id), ("client_secret", secret)];
        form.retain(|(name, _)| fields.iter().all(|(given, _)| given != name));
        form.extend(fields.iter().filter(|(_, text)| *text != "-"));
        let response = self.http.post(format!("{}/{path}", self.at.authority)).form(&form).send();
        let response = response.await.unwrap();
        (response.status(), response.json().await.unwrap())
    }

    async fn control(&self, method: reqwest::Method, path: &str, body: &Value) -> StatusCode {
        let url = format!("{}/_sandbox/{path}", self.at.controls);
        self.http.request(method, url).json(body).send().await.unwrap().status()
    }

    fn tenant_path(&self, path: &str) -> String {
        format!("{}/{path}", self.at.tenant_id)
    }
}

fn claims(answer: &Value) -> Value {
    let token = answer["access_token"].as_str().unwrap_or_else(|| answer.as_str().unwrap());
    let payload = token.split('.').nth(1).unwrap();
    serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(payload).unwrap()).unwrap()
}

/// The discovery documents of versions 1 and 2 contain the issuer, endpoints and keys of their version.
#[tokio::test]
async fn discovery_lists_endpoints_of_both_versions() {
    let world = World::start().await;
    let (authority, tenant) = (&world.at.authority, world.at.tenant_id);
    let (_, v1) = world.public(&format!("{tenant}/.well-known/openid-configuration")).await;
    assert_eq!(v1["issuer"], format!("https://sts.windows.net/{tenant}/"));
    assert_eq!(v1["token_endpoint"], format!("{authority}/{tenant}/oauth2/token"));
    assert_eq!(v1["jwks_uri"], format!("{authority}/{tenant}/discovery/keys"));
    let (_, v2) = world.public(&format!("{tenant}/v2.0/.well-known/openid-configuration")).await;
    assert_eq!(v2["issuer"], format!("{authority}/{tenant}/v2.0"));
    assert_eq!(v2["token_endpoint"], format!("{authority}/{tenant}/oauth2/v2.0/token"));
    assert_eq!(v2["jwks_uri"], format!("{authority}/{tenant}/discovery/v2.0/keys"));
    assert_eq!(v2["userinfo_endpoint"], format!("{}/oidc/userinfo", world.at.graph));
    assert_eq!(v2["authorization_endpoint"], format!("{authority}/{tenant}/oauth2/v2.0/authorize"));
    assert_eq!(v2["subject_types_supported"], json!(["pairwise"]));
    for method in ["client_secret_post", "private_key_jwt"] {
        let methods = v2["token_endpoint_auth_methods_supported"].as_array().unwrap();
        assert!(methods.contains(&json!(method)), "{methods:?}");
    }
    let (_, by_domain) = world.public("sandbox.onmicrosoft.com/v2.0/.well-known/openid-configuration").await;
    assert_eq!(by_domain, v2);
    for name in ["common", "organizations"] {
        let (_, any) = world.public(&format!("{name}/v2.0/.well-known/openid-configuration")).await;
        assert_eq!(any["issuer"], format!("{authority}/{{tenantid}}/v2.0"));
        assert_eq!(any["jwks_uri"], format!("{authority}/{name}/discovery/v2.0/keys"));
    }
    world.sandbox.shutdown().await;
}

/// Instance discovery returns the tenant's discovery endpoint and refuses other authorities.
#[tokio::test]
async fn instance_discovery_refuses_other_authorities() {
    let world = World::start().await;
    let (authority, tenant) = (&world.at.authority, world.at.tenant_id);
    let ask = async |endpoint: String| {
        let path = "common/discovery/instance?api-version=1.1&authorization_endpoint=";
        world.public(&format!("{path}{endpoint}")).await
    };
    let (_, known) = ask(format!("{authority}/{tenant}/oauth2/v2.0/authorize")).await;
    let endpoint = format!("{authority}/{tenant}/v2.0/.well-known/openid-configuration");
    assert_eq!(known["tenant_discovery_endpoint"], endpoint);
    let (status, unknown) = ask("https://login.example/common/oauth2/v2.0/authorize".to_owned()).await;
    assert_eq!((status, &unknown["error"]), (StatusCode::BAD_REQUEST, &json!("invalid_instance")));
    world.sandbox.shutdown().await;
}

#[tokio::test]
async fn keys_are_shown_with_their_certificates() {
    let world = World::start().await;
    let issuer = format!("{}/{}/v2.0", world.at.authority, world.at.tenant_id);
    for (path, issuer) in [("discovery/v2.0/keys", json!(issuer)), ("discovery/keys", Value::Null)] {
        let (_, keys) = world.public(&world.tenant_path(path)).await;
        let key = &keys["keys"][0];
        assert_eq!((&key["kty"], &key["use"], &key["issuer"]), (&json!("RSA"), &json!("sig"), &issuer));
        assert_eq!((&key["x5t"], &key["e"]), (&key["kid"], &json!("AQAB")));
        let certificate = BASE64_STANDARD.decode(key["x5c"][0].as_str().unwrap()).unwrap();
        let modulus = BASE64_URL_SAFE_NO_PAD.decode(key["n"].as_str().unwrap()).unwrap();
        assert!(
            certificate.windows(modulus.len()).any(|part| part == modulus),
            "the certificate is another key's"
        );
        assert!(key.get("alg").is_none(), "{key}");
    }
    world.sandbox.shutdown().await;
}

/// After a rollover the old signing key stays valid until it is retired.
#[tokio::test]
async fn rolled_over_key_works_until_retired() {
    let world = World::start().await;
    let keys = async || {
        let (_, keys) = world.public(&world.tenant_path("discovery/v2.0/keys")).await;
        let keys = keys["keys"].as_array().unwrap().clone();
        keys.iter().map(|key| key["kid"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let old_token = world.token("https://vault.azure.net").await;
    let [old] = <[String; 1]>::try_from(keys().await).unwrap();
    let roll_over = async |body: Value| world.control(reqwest::Method::POST, "keys/rollover", &body).await;
    assert_eq!(roll_over(json!({})).await, StatusCode::NO_CONTENT);
    let [first, new] = <[String; 2]>::try_from(keys().await).unwrap();
    assert!(first == old && new != old);
    let new_token = world.token("https://vault.azure.net").await;
    let signed_by = |token: &str| jsonwebtoken::decode_header(token).unwrap().kid;
    assert_eq!((signed_by(&old_token), signed_by(&new_token)), (Some(old), Some(new.clone())));
    world.get(&world.secret_url("app-01"), &old_token).await;
    world.get(&world.secret_url("app-01"), &new_token).await;
    assert_eq!(roll_over(json!({"retire": true})).await, StatusCode::NO_CONTENT);
    assert_eq!(keys().await, [new]);
    let refused = world.http.get(world.secret_url("app-01")).bearer_auth(&old_token).send().await.unwrap();
    assert_eq!(refused.status(), StatusCode::UNAUTHORIZED);
    world.get(&world.secret_url("app-01"), &new_token).await;
    world.sandbox.shutdown().await;
}

/// The version 1 token endpoint returns all members as strings, and version 2 returns lifetimes as numbers.
#[tokio::test]
async fn v1_uses_strings_v2_uses_numbers() {
    let world = World::start().await;
    let fields = [("resource", "https://vault.azure.net")];
    let (status, v1) = world.ask(&world.tenant_path("oauth2/token"), &fields).await;
    assert_eq!(status, StatusCode::OK, "{v1}");
    assert!(v1.as_object().unwrap().values().all(Value::is_string), "{v1}");
    let mut names: Vec<_> = v1.as_object().unwrap().keys().map(String::as_str).collect();
    names.sort_unstable();
    let expected = [
        "access_token",
        "expires_in",
        "expires_on",
        "ext_expires_in",
        "not_before",
        "resource",
        "token_type",
    ];
    assert_eq!(names, expected);
    assert_eq!((&v1["expires_in"], &v1["resource"]), (&json!("3599"), &json!("https://vault.azure.net")));
    let (_, v2) = world.ask(&world.tenant_path("oauth2/v2.0/token"), &[("scope", VAULT)]).await;
    assert_eq!((&v2["expires_in"], &v2["ext_expires_in"]), (&json!(3599), &json!(3599)));
    assert_eq!(v2["token_type"], "Bearer");
    world.get(&world.secret_url("app-01"), v1["access_token"].as_str().unwrap()).await;
    world.sandbox.shutdown().await;
}

/// Tokens for Microsoft's services have version 1.0, and tokens for applications have version 2.0.
#[tokio::test]
async fn token_version_depends_on_the_resource() {
    let world = World::start().await;
    let (tenant, client) = (world.at.tenant_id, world.at.client.client_id);
    let ask = async |resource: &str| {
        let scope = format!("{resource}/.default");
        let (status, body) = world.ask(&world.tenant_path("oauth2/v2.0/token"), &[("scope", &scope)]).await;
        assert_eq!(status, StatusCode::OK, "{body}");
        (claims(&body), body)
    };
    let dicom = "https://dicom.healthcareapis.azure.com";
    let known =
        ["https://vault.azure.net", "https://graph.microsoft.com", "https://storage.azure.com", dicom];
    for resource in known.into_iter().chain([world.at.fhir.audience.as_str()]) {
        let (v1, _) = ask(resource).await;
        assert_eq!((&v1["ver"], &v1["aud"]), (&json!("1.0"), &json!(resource)));
        assert_eq!(v1["iss"], format!("https://sts.windows.net/{tenant}/"));
        assert_eq!((&v1["appid"], &v1["appidacr"]), (&json!(client), &json!("1")));
        assert!(v1.get("azp").is_none() && v1["uti"].is_string() && v1["tid"] == json!(tenant), "{v1}");
        assert_eq!((&v1["oid"], &v1["sub"]), (&v1["sub"], &v1["oid"]));
        assert_eq!(v1.get("roles").is_some(), resource == "https://graph.microsoft.com", "{v1}");
    }
    let application = world.sandbox.model().managed()[0].client_id;
    let (v2, _) = ask(&application.to_string()).await;
    assert_eq!((&v2["ver"], &v2["aud"]), (&json!("2.0"), &json!(application)));
    assert_eq!(v2["iss"], format!("{}/{tenant}/v2.0", world.at.authority));
    assert_eq!((&v2["azp"], &v2["azpacr"]), (&json!(client), &json!("1")));
    assert!(v2.get("appid").is_none() && v2.get("roles").is_none(), "{v2}");
    let (by_uri, _) = ask(&format!("api://{application}")).await;
    assert_eq!((&by_uri["ver"], &by_uri["aud"]), (&json!("1.0"), &json!(format!("api://{application}"))));
    let (graph, _) = ask("00000003-0000-0000-c000-000000000000").await;
    assert!(graph["ver"] == "1.0" && graph["roles"].is_array(), "{graph}");
    world.sandbox.shutdown().await;
}

/// An extra slash in the scope stays in the token's audience, and Key Vault refuses that token.
#[tokio::test]
async fn extra_slash_stays_in_the_audience() {
    let world = World::start().await;
    let token = world.token("https://vault.azure.net/").await;
    assert_eq!(claims(&json!(token))["aud"], "https://vault.azure.net/");
    let refused = world.http.get(world.secret_url("app-01")).bearer_auth(token).send().await.unwrap();
    assert_eq!(refused.status(), StatusCode::UNAUTHORIZED);
    let body: Value = refused.json().await.unwrap();
    assert!(body["error"]["message"].as_str().unwrap().starts_with("AKV10022"), "{body}");
    world.sandbox.shutdown().await;
}

/// Requested client capabilities appear in the token, and a malformed `claims` parameter is ignored.
#[tokio::test]
async fn valid_claims_return_and_malformed_are_ignored() {
    let world = World::start().await;
    let wanted = r#"{"access_token":{"xms_cc":{"values":["CP1"]}}}"#;
    for (asked, repeated) in [(wanted, json!(["CP1"])), ("{nonsense", Value::Null)] {
        let fields = [("scope", VAULT), ("claims", asked), ("client_info", "1")];
        let (status, body) = world.ask(&world.tenant_path("oauth2/v2.0/token"), &fields).await;
        assert_eq!((status, &claims(&body)["xms_cc"]), (StatusCode::OK, &repeated));
    }
    world.sandbox.shutdown().await;
}

/// A path and its form fields, then the expected status, `error` and error code.
type Case<'a> = (String, &'a [(&'a str, &'a str)], u16, &'a str, u32);

/// Each refused token request has its own error code, error name and status.
#[tokio::test]
async fn each_refusal_has_its_own_code() {
    let world = World::start().await;
    let token = world.tenant_path("oauth2/v2.0/token");
    let stranger = "11111111-1111-1111-1111-111111111111";
    let other = |tenant: &str| format!("{tenant}/oauth2/v2.0/token");
    let scope = ("scope", VAULT);
    let cases: [Case<'_>; 14] = [
        (token.clone(), &[scope, ("client_secret", "wrong")], 401, "invalid_client", 7_000_215),
        (token.clone(), &[scope, ("client_secret", "-")], 401, "invalid_client", 7_000_218),
        (token.clone(), &[scope, ("client_id", stranger)], 400, "unauthorized_client", 700_016),
        (token.clone(), &[scope, ("client_id", "x")], 400, "unauthorized_client", 700_016),
        (token.clone(), &[scope, ("client_id", "-")], 400, "invalid_request", 900_144),
        (token.clone(), &[], 400, "invalid_request", 900_144),
        (token.clone(), &[("scope", "https://vault.azure.net")], 400, "invalid_scope", 70_011),
        (
            token.clone(),
            &[("scope", "https://vault.azure.net/.default https://graph.microsoft.com/.default")],
            400,
            "invalid_scope",
            70_011,
        ),
        (token.clone(), &[("scope", "https://unknown.example/.default")], 400, "invalid_resource", 500_011),
        (token.clone(), &[scope, ("grant_type", "password")], 400, "unsupported_grant_type", 70_003),
        (token.clone(), &[scope, ("resource", "https://vault.azure.net")], 400, "invalid_request", 901_002),
        (other(stranger), &[scope], 400, "invalid_request", 90_002),
        (other("not-a-tenant"), &[scope], 400, "invalid_request", 900_023),
        (other("common"), &[scope], 400, "invalid_request", 50_194),
    ];
    for (path, fields, status, error, code) in cases {
        let (answered, body) = world.ask(&path, fields).await;
        let found = (answered.as_u16(), &body["error"], &body["error_codes"]);
        assert_eq!(found, (status, &json!(error), &json!([code])), "{path} {fields:?}: {body}");
        let description = body["error_description"].as_str().unwrap();
        assert!(description.starts_with(&format!("AADSTS{code}: ")), "{description}");
    }
    let got = world.http.get(format!("{}/{token}", world.at.authority)).send().await.unwrap();
    assert_eq!(got.json::<Value>().await.unwrap()["error_codes"], json!([900_561]));
    let (_, resource) =
        world.ask(&world.tenant_path("oauth2/token"), &[("resource", "https://unknown")]).await;
    assert_eq!(resource["error_codes"], json!([500_011]));
    world.sandbox.shutdown().await;
}

/// A refusal contains the client's correlation id and the time of the sandbox clock.
#[tokio::test]
async fn refusal_has_correlation_id_and_time() {
    let world = World::start().await;
    let url = format!("{}/{}", world.at.authority, world.tenant_path("oauth2/v2.0/token"));
    let id = "0a8bf3e5-95c3-4b8f-b5a1-000000000001";
    let refused = world.http.post(url).header("client-request-id", id).send().await.unwrap();
    let body: Value = refused.json().await.unwrap();
    assert_eq!((&body["correlation_id"], &body["timestamp"]), (&json!(id), &json!("2026-01-01 00:00:00Z")));
    let description = body["error_description"].as_str().unwrap();
    assert!(description.contains(&format!("\r\nCorrelation ID: {id}\r\n")), "{description}");
    assert!(description.ends_with("\r\nTimestamp: 2026-01-01 00:00:00Z"), "{description}");
    assert_eq!(body["error_uri"], "https://login.microsoftonline.com/error?code=900144");
    let mut names: Vec<_> = body.as_object().unwrap().keys().map(String::as_str).collect();
    names.sort_unstable();
    let sample =
        ["correlation_id", "error", "error_codes", "error_description", "error_uri", "timestamp", "trace_id"];
    assert_eq!(names, sample);
    world.sandbox.shutdown().await;
}

/// A sign-in with an expired secret and one to a disabled application are refused with distinct error codes.
#[tokio::test]
async fn expired_and_disabled_have_distinct_codes() {
    let world = World::start().await;
    let secret = world.sandbox.model().managed()[0].clone();
    let hour = Some(START + Duration::hours(1));
    let made = world.sandbox.model().add_password(secret.object_id, None, None, hour, START).unwrap();
    let text = made.text.expose_secret();
    world.sandbox.model().set_application_enabled(secret.object_id, false);
    let (status, body) = world.sign_in(secret.client_id, text, VAULT).await;
    assert_eq!((status.as_u16(), &body["error"]), (400, &json!("unauthorized_client")));
    assert_eq!(body["error_codes"], json!([7_000_112]));
    world.sandbox.model().set_application_enabled(secret.object_id, true);
    world.sandbox.clock().run_until(START + Duration::hours(2)).await;
    let (status, body) = world.sign_in(secret.client_id, text, VAULT).await;
    assert_eq!((status.as_u16(), &body["error"]), (401, &json!("invalid_client")));
    assert_eq!(body["error_codes"], json!([7_000_222]));
    world.sandbox.shutdown().await;
}

#[tokio::test]
async fn tenant_throttling_differs_from_entras_own() {
    let world = World::start().await;
    for (kind, status, code) in [(FaultKind::Throttled, 429, 90_055), (FaultKind::Unavailable, 503, 90_024)] {
        world.sandbox.script_faults(vec![ScriptedFault {
            service: Some(Service::Entra),
            method: None,
            path_contains: Some("/token".to_owned()),
            kind,
            count: 1,
        }]);
        let (answered, body) = world.ask(&world.tenant_path("oauth2/v2.0/token"), &[("scope", VAULT)]).await;
        assert_eq!((answered.as_u16(), &body["error"]), (status, &json!("temporarily_unavailable")));
        assert_eq!(body["error_codes"], json!([code]));
    }
    world.sandbox.shutdown().await;
}
