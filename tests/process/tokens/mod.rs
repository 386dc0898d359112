//! Tokens of an identity provider that shares no code with ours: the accepted ones, and the refusal of others.

mod bad;
mod world;

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use self::bad::{Bad, malformed};
use self::world::{Route, World, with, with_all};
use crate::support::{Azure, PATIENCE, eventually};

/// Each bad token is refused on every route, logged once without its text, and counted by reason.
#[tokio::test]
#[ignore = "needs node"]
async fn bad_tokens_are_refused_logged_and_counted() {
    let mut world = World::start().await;
    let good = world.good(READER).await;
    assert_eq!(world.send(LIST, &good).await.status(), StatusCode::OK);
    let bad = [world.with_wrong_claims().await, world.forged().await, malformed()].concat();
    for Bad { what, token, status, reason } in bad {
        for route in [LIST, ROTATE] {
            world.refuses(route, &token, status, reason, &what).await;
        }
    }
    world.refuses(ROTATE, &good, StatusCode::FORBIDDEN, "role_too_low", "a reader who rotates").await;
    assert_eq!(world.send(LIST, &good).await.status(), StatusCode::OK);
    world.has_shown_no_token();
}

/// Good tokens of version 1 and 2 are accepted for exactly as much as their role allows.
#[tokio::test]
#[ignore = "needs node"]
async fn good_tokens_act_within_their_role() {
    let mut world = World::start().await;
    let forms = [world.claims(READER).await, world.version_1(READER).await];
    for claims in forms {
        let reader = world.provider.token(&claims);
        assert_eq!(world.send(LIST, &reader).await.status(), StatusCode::OK, "{claims}");
        world.refuses(ROTATE, &reader, StatusCode::FORBIDDEN, "role_too_low", "a reader").await;

        let operator = world.provider.token(&with(&claims, "roles", &json!(["Other", READER, OPERATOR])));
        assert_eq!(world.send(LIST, &operator).await.status(), StatusCode::OK, "{claims}");
        assert_eq!(world.send(ROTATE, &operator).await.status(), StatusCode::ACCEPTED, "{claims}");
    }
    world.has_shown_no_token();
}

/// A token that is up to a minute past `exp` or before `nbf` is accepted; beyond that it is refused.
#[tokio::test]
#[ignore = "needs node"]
async fn clock_tolerance_is_one_minute() {
    let mut world = World::start().await;
    // Time passes while a token is on its way: the limits on one side leave as much as a slow machine needs.
    for (claim, tolerated, too_much, reason) in
        [("exp", -40, -62, "expired"), ("nbf", 59, 90, "not_yet_valid")]
    {
        let token = world.good_but(claim, tolerated).await;
        assert_eq!(world.send(LIST, &token).await.status(), StatusCode::OK, "{claim} {tolerated} s");
        let token = world.good_but(claim, too_much).await;
        world.refuses(LIST, &token, StatusCode::UNAUTHORIZED, reason, claim).await;
    }
    world.has_shown_no_token();
}

/// After the issuer rolls over its keys, new tokens are accepted without a restart and old ones are refused.
#[tokio::test]
#[ignore = "needs node"]
async fn rolled_over_key_needs_no_restart() {
    let mut world = World::start().await;
    let before = world.good(READER).await;
    assert_eq!(world.send(LIST, &before).await.status(), StatusCode::OK);
    world.provider.rotate();
    let after = world.good(READER).await;
    assert_eq!(world.send(LIST, &after).await.status(), StatusCode::OK);
    let what = "signed with a key that its issuer has no more";
    world.refuses(LIST, &before, StatusCode::UNAUTHORIZED, "unknown_key", what).await;
    assert_eq!(world.send(LIST, &after).await.status(), StatusCode::OK);
    world.has_shown_no_token();
}

/// While keys can't be read, known ones count and other tokens get 503; once keys can be read, new tokens are accepted.
#[tokio::test]
#[ignore = "needs node"]
async fn known_keys_count_while_reading_fails() {
    let mut world = World::start().await;
    world.provider.show_keys(false);
    let (known, known_event) = (world.good(READER).await, world.event_grid_s().await);
    world
        .refuses(LIST, &known, StatusCode::SERVICE_UNAVAILABLE, "cannot_judge", "no key was ever read")
        .await;
    world.provider.show_keys(true);
    assert_eq!(world.send(LIST, &known).await.status(), StatusCode::OK);

    world.provider.show_keys(false);
    world.provider.rotate();
    let (new, new_event) = (world.good(READER).await, world.event_grid_s().await);
    for (route, token) in [(LIST, &new), (DELIVER, &new_event)] {
        world.refuses(route, token, StatusCode::SERVICE_UNAVAILABLE, "cannot_judge", "a new key").await;
    }
    assert_eq!(world.send(LIST, &known).await.status(), StatusCode::OK);
    assert_eq!(world.send(DELIVER, &known_event).await.status(), StatusCode::OK);
    world.provider.show_keys(true);
    assert_eq!(world.send(LIST, &new).await.status(), StatusCode::OK);
    world.has_shown_no_token();
}

/// The webhook accepts only valid tokens of Event Grid's own application, in either version.
#[tokio::test]
#[ignore = "needs node"]
async fn webhook_accepts_only_event_grid_tokens() {
    let mut world = World::start().await;
    let good = world.event_claims().await;
    let version_1 = json!({"iss": world.version_1_issuer(), "appid": EVENT_GRID, "azp": null});
    let version_1 = with_all(&good, &version_1);
    for claims in [&good, &version_1] {
        let token = world.provider.token(claims);
        assert_eq!(world.send(DELIVER, &token).await.status(), StatusCode::OK, "{claims}");
    }
    let now = world.now().await;
    let (unauthorized, forbidden) = (StatusCode::UNAUTHORIZED, StatusCode::FORBIDDEN);
    for (claim, is, status, reason) in [
        ("azp", json!(CALLER), forbidden, "wrong_client"),
        ("azp", Value::Null, forbidden, "wrong_client"),
        ("roles", json!([OPERATOR]), forbidden, "no_role"),
        ("roles", Value::Null, forbidden, "no_role"),
        ("exp", json!(now - 120), unauthorized, "expired"),
        ("nbf", json!(now + 3_600), unauthorized, "not_yet_valid"),
        ("aud", json!(API), unauthorized, "wrong_audience"),
        ("iss", json!(STRANGER), unauthorized, "wrong_issuer"),
        ("tid", json!(OTHER_TENANT), unauthorized, "wrong_tenant"),
    ] {
        let token = world.provider.token(&with(&good, claim, &is));
        world.refuses(DELIVER, &token, status, reason, claim).await;
    }
    world.has_shown_no_token();
}

/// A daemon that knows its clock is off never refuses a token as expired or not yet valid: it answers 503 instead.
#[tokio::test]
#[ignore = "needs node"]
async fn skewed_clock_never_refuses_for_time() {
    let azure = Azure::start(&["--secrets", "2", "--no-clock-url"]).await;
    azure.advance("1h").await;
    let mut world = World::on(azure, -3_600).await;
    eventually("the daemon sees that its clock is off", PATIENCE, async || {
        let skew = world.daemon.metric("rekeyd_clock_skew_seconds").await;
        (skew > 3_000.0).then_some(())
    })
    .await;
    let good = world.good(READER).await;
    assert_eq!(world.send(LIST, &good).await.status(), StatusCode::OK);
    let (api, event, now) = (world.claims(READER).await, world.event_claims().await, world.now().await);
    for (claim, is) in [("exp", now - 120), ("nbf", now + 1_800)] {
        for (route, claims) in [(LIST, &api), (DELIVER, &event)] {
            let token = world.provider.token(&with(claims, claim, &json!(is)));
            world.refuses(route, &token, StatusCode::SERVICE_UNAVAILABLE, "cannot_judge", claim).await;
        }
    }
    let other = world.provider.token(&with(&api, "aud", &json!(WEBHOOK)));
    world.refuses(LIST, &other, StatusCode::UNAUTHORIZED, "wrong_audience", "not for the time").await;
    world.has_shown_no_token();
}

const LIST: &Route = &Route { endpoint: "api", method: Method::GET, path: "/api/v1/secrets" };
const ROTATE: &Route =
    &Route { endpoint: "api", method: Method::POST, path: "/api/v1/secrets/vault-1/app-01/rotate" };
const DELIVER: &Route = &Route { endpoint: "webhook", method: Method::POST, path: "/events/key-vault" };
const READER: &str = "Rekeyd.Reader";
const OPERATOR: &str = "Rekeyd.Operator";
const EVENT_ROLE: &str = "AzureEventGridSecureWebhookSubscriber";
const API: &str = "api://5b7f0c8e-30c9-4d0e-9a0e-6d2f8c1b4a01";
const WEBHOOK: &str = "api://5b7f0c8e-30c9-4d0e-9a0e-6d2f8c1b4a02";
const CALLER: &str = "5b7f0c8e-30c9-4d0e-9a0e-6d2f8c1b4a03";
const EVENT_GRID: &str = "5b7f0c8e-30c9-4d0e-9a0e-6d2f8c1b4a04";
const OTHER_TENANT: &str = "5b7f0c8e-30c9-4d0e-9a0e-6d2f8c1b4a05";
const STRANGER: &str = "https://issuer.example.org";
