//! The whole sandbox over HTTPS, as a client sees it.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may stop here")]

use reqwest::StatusCode;
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use time::Duration;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::*;
use crate::ports::Clock;

mod entra;
mod health;
mod injected_faults;
mod managed_identity;
mod production;
mod world;

pub(in crate::sandbox) use world::{START, World};

/// Key Vault challenges a request without a token before reading its body and dates replies in sandbox time.
#[tokio::test]
async fn key_vault_challenges_first_in_sandbox_time() {
    let world = World::start().await;
    let response = world.http.put(world.secret_url("x")).body("{").send().await.unwrap();
    assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
    let challenge = response.headers()["www-authenticate"].to_str().unwrap();
    let (authority, tenant) = (&world.at.authority, world.at.tenant_id);
    assert_eq!(
        challenge,
        format!("Bearer authorization=\"{authority}/{tenant}\", resource=\"https://vault.azure.net\"")
    );
    let dates: Vec<_> = response.headers().get_all("date").iter().collect();
    assert_eq!(dates, ["Thu, 01 Jan 2026 00:00:00 GMT"]);
    let wrong = world.http.get(world.secret_url("app-01")).bearer_auth(world.graph().await);
    let body: Value = wrong.send().await.unwrap().json().await.unwrap();
    assert!(body["error"]["message"].as_str().unwrap().starts_with("AKV10022"));
    world.sandbox.shutdown().await;
}

#[tokio::test]
async fn secrets_are_put_read_listed_and_disabled() {
    let world = World::start().await;
    let token = world.token("https://vault.azure.net").await;
    let body = json!({"value": "text", "tags": {"a": "b"}, "attributes": {"exp": 1_900_000_000}});
    let put = world.http.put(world.secret_url("it/")).bearer_auth(&token).json(&body);
    let put: Value = put.send().await.unwrap().json().await.unwrap();
    assert_eq!((&put["value"], &put["attributes"]["exp"]), (&json!("text"), &json!(1_900_000_000)));
    let version = put["id"].as_str().unwrap().rsplit('/').next().unwrap().to_owned();
    let list = format!("{}&maxresults=1", world.secret_url(""));
    let first = world.get(&list, &token).await;
    let next = first["nextLink"].as_str().unwrap();
    assert!(next.contains("/secrets?api-version=7.2&$skiptoken="), "{next}");
    let second = world.get(next, &token).await;
    let names = [&first, &second].map(|page| page["value"][0]["id"].as_str().unwrap().to_owned());
    assert!(names[0].ends_with("/secrets/app-01") && names[1].ends_with("/secrets/app-03"), "{names:?}");
    let patch = world.http.patch(world.secret_url(&format!("it/{version}"))).bearer_auth(&token);
    let patched = patch.json(&json!({"attributes": {"enabled": false}})).send().await.unwrap();
    let patched: Value = patched.json().await.unwrap();
    assert_eq!((patched.get("value"), &patched["tags"]), (None, &json!({"a": "b"})));
    let read = world.http.get(world.secret_url("it")).bearer_auth(&token).send().await.unwrap();
    assert_eq!(read.status(), StatusCode::FORBIDDEN);
    let read: Value = read.json().await.unwrap();
    assert_eq!(read["error"]["innererror"]["code"], "SecretDisabled");
    world.sandbox.shutdown().await;
}

/// A new password is refused at first, signs in a minute later, and appears only in the reply that created it.
#[tokio::test]
async fn new_password_works_later_and_shows_once() {
    let world = World::start().await;
    let token = world.graph().await;
    let add = world.http.post(world.application_url("/addPassword")).bearer_auth(&token);
    let body = json!({"passwordCredential": {"displayName": "x", "endDateTime": "2026-06-01T00:00:00Z"}});
    let made: Value = add.json(&body).send().await.unwrap().json().await.unwrap();
    let text = made["secretText"].as_str().unwrap();
    assert_eq!(made["endDateTime"], "2026-06-01T00:00:00.0000000Z");
    let client_id = world.sandbox.model().managed()[0].client_id;
    let scope = "https://graph.microsoft.com/.default";
    let (status, body) = world.sign_in(client_id, text, scope).await;
    assert_eq!((status, &body["error_codes"][0]), (StatusCode::UNAUTHORIZED, &json!(7_000_215)));
    world.sandbox.clock().run_until(START + Duration::minutes(1)).await;
    let (status, body) = world.sign_in(client_id, text, scope).await;
    assert_eq!(status, StatusCode::OK);
    let consumers_token = body["access_token"].as_str().unwrap();
    let refused = world.http.get(world.application_url("")).bearer_auth(consumers_token);
    assert_eq!(refused.send().await.unwrap().status(), StatusCode::FORBIDDEN);
    let read = world.get(&world.application_url(""), &token).await;
    assert_eq!(read["passwordCredentials"].as_array().unwrap().len(), 2);
    assert!(!read.to_string().contains(text));
    let remove = world.http.post(world.application_url("/removePassword")).bearer_auth(&token);
    let removed = remove.json(&json!({"keyId": made["keyId"]})).send().await.unwrap();
    assert_eq!(removed.status(), StatusCode::NO_CONTENT);
    world.sandbox.shutdown().await;
}

/// Applications can be found by client id and listed in pages, each exactly once.
#[tokio::test]
async fn applications_list_by_client_id_and_page() {
    let world = World::start().await;
    let token = world.graph().await;
    let secret = world.sandbox.model().managed()[1].clone();
    let base = format!("{}/v1.0//applications", world.at.graph);
    let by_key = world.get(&format!("{base}(appId='{}')", secret.client_id), &token).await;
    assert_eq!(by_key["id"], secret.object_id.to_string());
    let filter = format!("{base}?$filter=appId%20eq%20'{}'&$select=id,appId", secret.client_id);
    let filtered = world.get(&filter, &token).await;
    assert_eq!(filtered["value"], json!([{"id": secret.object_id, "appId": secret.client_id}]));
    let (mut next, mut seen) = (Some(format!("{base}?$top=2&$select=id")), Vec::new());
    while let Some(url) = next {
        let page = world.get(&url, &token).await;
        assert!(page["value"].as_array().unwrap().len() <= 2);
        seen.extend(page["value"].as_array().unwrap().clone());
        next = page["@odata.nextLink"].as_str().map(str::to_owned);
        assert!(next.iter().all(|next| next.contains("/v1.0/applications?$select=id&$top=2&$skiptoken=")));
    }
    // Three that are rotated, the daemon's own and the client's; each once.
    let ids: std::collections::BTreeSet<_> = seen.iter().map(|one| one["id"].as_str().unwrap()).collect();
    assert_eq!((seen.len(), ids.len()), (5, 5));
    world.sandbox.shutdown().await;
}

/// A request with a lost reply takes effect, and one that times out or is throttled does not.
#[tokio::test]
async fn lost_reply_takes_effect_timeout_does_not() {
    let world = World::start().await;
    let token = world.graph().await;
    for (kind, effects) in [(FaultKind::LostReply, 1), (FaultKind::Timeout, 1), (FaultKind::Throttled, 1)] {
        let path_contains = Some("addPassword".to_owned());
        world.sandbox.script_faults(vec![ScriptedFault {
            service: Some(Service::Graph),
            method: Some("POST".to_owned()),
            path_contains,
            kind,
            count: 1,
        }]);
        let add = world.http.post(world.application_url("/addPassword")).bearer_auth(&token);
        let answer = add.json(&json!({})).send().await;
        match kind {
            FaultKind::Throttled => assert_eq!(answer.unwrap().status(), StatusCode::TOO_MANY_REQUESTS),
            FaultKind::LostReply | FaultKind::Timeout | FaultKind::Unavailable => assert!(answer.is_err()),
        }
        assert_eq!(world.sandbox.summary().issued, effects, "{kind:?}");
    }
    world.sandbox.shutdown().await;
}

/// The controls advance the clock, and the state they show never contains a secret's value.
#[tokio::test]
async fn controls_move_clock_and_hide_values() {
    let world = World::start().await;
    world.sandbox.clock().go_real_time();
    let clock_url = world.sandbox.clock_url();
    let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
    let url = clock_url.parse().unwrap();
    let ca = world.sandbox.ca_pem().as_bytes();
    let remote = RemoteClock::connect(url, Some(ca), &tasks, stop.clone()).await.unwrap();
    let advance = |text: &str| world.http.post(&clock_url).json(&json!({"advance": text})).send();
    assert_eq!(advance("soon").await.unwrap().status(), StatusCode::BAD_REQUEST);
    let answer: Value = advance("25d").await.unwrap().json().await.unwrap();
    assert!(answer["now"].as_str().unwrap().starts_with("2026-01-26T"), "{answer}");
    remote.sleep_until(START + Duration::days(25)).await;
    stop.cancel();
    let summary = world.sandbox.summary();
    assert!(summary.consumer_sign_ins >= 3 * 25 * 25, "{summary:?}");
    assert_eq!(summary.consumer_sign_in_failures, 0);
    let url = format!("{}/_sandbox/state", world.at.authority);
    let text = world.http.get(url).send().await.unwrap().text().await.unwrap();
    let state: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(state["vaults"][0]["secrets"][0]["name"], "app-01");
    assert_eq!(state["consumers"]["failures"], 0);
    for secret in world.sandbox.model().managed() {
        let version = world.sandbox.model().get_secret(&secret.vault, &secret.name, None, START).unwrap();
        assert!(!text.contains(version.value.expose_secret()));
    }
    world.sandbox.shutdown().await;
}

#[tokio::test]
async fn consumers_report_a_credential_that_is_gone() {
    let world = World::start().await;
    let mut timeline = world.sandbox.timeline();
    let secret = world.sandbox.model().managed()[0].clone();
    let shown = world.sandbox.model().application(secret.object_id, START).unwrap();
    let key_id = shown.credentials[0].key_id;
    world.sandbox.model().remove_password(secret.object_id, key_id, START).unwrap();
    world.sandbox.clock().run_until(START + Duration::days(2)).await;
    assert!(world.sandbox.summary().consumer_sign_in_failures > 40);
    let mut kinds = Vec::new();
    while let Ok(event) = timeline.try_recv() {
        kinds.push(event.kind);
    }
    assert!(
        kinds.contains(&TimelineEventKind::Revoked) && kinds.contains(&TimelineEventKind::ConsumerFailed)
    );
    world.sandbox.shutdown().await;
}

#[tokio::test]
async fn a_managed_identity_gets_the_daemons_token() {
    let world = World::start().await;
    let url =
        format!("{}/msi/token?api-version=2019-08-01&resource=https://vault.azure.net", world.at.authority);
    assert_eq!(world.http.get(&url).send().await.unwrap().status(), StatusCode::UNAUTHORIZED);
    let header = world.sandbox.model().tenant().identity_header.expose_secret();
    let answer = world.http.get(&url).header("X-IDENTITY-HEADER", header).send().await.unwrap();
    let answer: Value = answer.json().await.unwrap();
    assert!(answer.as_object().unwrap().values().all(Value::is_string));
    world.get(&world.secret_url("app-01"), answer["access_token"].as_str().unwrap()).await;
    world.sandbox.shutdown().await;
}

/// The written directory contains a configuration and the endpoints, and its `api-token` file has mode 600.
#[tokio::test]
async fn directory_has_configuration_and_private_files() {
    use std::os::unix::fs::PermissionsExt;
    let world = World::start().await;
    let dir = tempfile::tempdir().unwrap();
    world.sandbox.write_directory(dir.path(), true).unwrap();
    let read = |name: &str| std::fs::read_to_string(dir.path().join(name)).unwrap();
    let configuration: toml::Table = read("rekeyd.toml").parse().unwrap();
    assert_eq!(configuration["secrets"].as_array().unwrap().len(), 2);
    assert_eq!(configuration["verify"]["spacing"].as_str(), Some("18s"));
    let endpoints: Value = serde_json::from_str(&read("endpoints.json")).unwrap();
    assert_eq!(endpoints["vaults"][1]["name"], "vault-2");
    let secret = world.sandbox.model().managed()[2].clone();
    let shown = json!({"vault": secret.vault, "name": secret.name, "object_id": secret.object_id,
        "client_id": secret.client_id});
    assert_eq!(endpoints["secrets"][2], shown);
    let identity_endpoint = endpoints["identity_endpoint"].as_str().unwrap();
    assert_eq!(identity_endpoint, format!("{}/msi/token", endpoints["imds_endpoint"].as_str().unwrap()));
    assert_eq!(endpoints["fhir"]["audience"], endpoints["fhir"]["url"]);
    assert_eq!(endpoints["daemon"]["client_secret"].as_str(), Some(read("daemon-secret").as_str()));
    let mode = std::fs::metadata(dir.path().join("api-token")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    world.sandbox.shutdown().await;
}

/// A federated assertion signs in only if the application trusts its issuer.
#[tokio::test]
async fn trusted_issuers_assertion_signs_in() {
    let world = World::start().await;
    let (azure, secret) = (&world.sandbox.azure, world.sandbox.model().managed()[0].clone());
    let audience = "api://AzureADTokenExchange".to_owned();
    let assertion = azure
        .tokens
        .issue(&tokens::Grant {
            client_id: secret.client_id,
            object_id: secret.object_id,
            audience: audience.clone(),
            by_assertion: false,
            roles: Vec::new(),
        })
        .unwrap();
    let client_id = secret.client_id.to_string();
    let form = [
        ("grant_type", "client_credentials"),
        ("client_id", client_id.as_str()),
        ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"),
        ("client_assertion", assertion.as_str()),
        ("scope", "https://graph.microsoft.com/.default"),
    ];
    let url = format!("{}/{}/oauth2/v2.0/token", world.at.authority, world.at.tenant_id);
    let sign_in = || world.http.post(&url).form(&form).send();
    assert_eq!(sign_in().await.unwrap().status(), StatusCode::UNAUTHORIZED);
    world.sandbox.model().add_federated_credential(model::FederatedCredential {
        client_id: secret.client_id,
        issuer: format!("https://sts.windows.net/{}/", world.at.tenant_id),
        subject: secret.object_id.to_string(),
        audience,
        keys: serde_json::from_value(json!({"keys": azure.tokens.signer.documents(None)})).unwrap(),
    });
    assert_eq!(sign_in().await.unwrap().status(), StatusCode::OK);
    world.sandbox.shutdown().await;
}

/// The token endpoint accepts a client secret by HTTP Basic authentication, percent-encoded or not.
#[tokio::test]
async fn basic_auth_accepts_a_client_secret() {
    let world = World::start().await;
    let url = format!("{}/{}/oauth2/v2.0/token", world.at.authority, world.at.tenant_id);
    let form = [("grant_type", "client_credentials"), ("scope", "https://vault.azure.net/.default")];
    let (id, text) = (world.at.client.client_id, world.at.client.client_secret.expose_secret());
    for (secret, status) in [
        (text.to_owned(), StatusCode::OK),
        (text.replace('~', "%7E"), StatusCode::OK),
        ("wrong".to_owned(), StatusCode::UNAUTHORIZED),
    ] {
        let sign_in = world.http.post(&url).basic_auth(id, Some(secret)).form(&form);
        assert_eq!(sign_in.send().await.unwrap().status(), status);
    }
    world.sandbox.shutdown().await;
}

/// A password created without an end date lasts two calendar years.
#[tokio::test]
async fn default_password_lasts_two_calendar_years() {
    let world = World::start().await;
    let token = world.graph().await;
    for (start, end) in [
        ("2026-11-22T00:00:00Z", "2028-11-22T00:00:00.0000000Z"),
        ("2028-02-29T00:00:00Z", "2030-02-28T00:00:00.0000000Z"),
    ] {
        let add = world.http.post(world.application_url("/addPassword")).bearer_auth(&token);
        let body = json!({"passwordCredential": {"startDateTime": start}});
        let made: Value = add.json(&body).send().await.unwrap().json().await.unwrap();
        assert_eq!(made["endDateTime"], end);
    }
    world.sandbox.shutdown().await;
}

/// An event requested in other letter case names the vault and secret as they were created.
#[tokio::test]
async fn requested_event_keeps_configured_name_case() {
    let socket = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = socket.local_addr().unwrap();
    let (sender, mut seen) = tokio::sync::mpsc::unbounded_channel();
    let webhook = axum::routing::post(move |axum::Json(body): axum::Json<Value>| {
        let code = body.pointer("/0/data/validationCode").cloned();
        sender.send(body).unwrap();
        async move { axum::Json(json!({"validationResponse": code})) }
    });
    let router = axum::Router::new().route("/events/key-vault", webhook);
    let tasks = TaskTracker::new();
    tasks.spawn(async move { axum::serve(socket, router).await });
    let world = World::delivering_to(address).await;
    let url = format!("{}/_sandbox/events/VAULT-1/APP-01", world.at.authority);
    assert_eq!(world.http.post(url).send().await.unwrap().status(), StatusCode::OK);
    let is_wanted = |body: &Value| body[0]["eventType"] == "Microsoft.KeyVault.SecretNearExpiry";
    let event = loop {
        let body = seen.recv().await.unwrap();
        if is_wanted(&body) {
            break body[0].clone();
        }
    };
    assert_eq!((&event["subject"], &event["data"]["VaultName"]), (&json!("app-01"), &json!("vault-1")));
    assert!(event["data"]["Id"].as_str().unwrap().contains("/secrets/app-01/"), "{event}");
    world.sandbox.shutdown().await;
}
