//! Creating, rejecting, showing and deleting subscriptions.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may stop here")]

use serde_json::{Value, json};
use time::Duration;

use super::tests_world::{Seen, World};

fn cloud() -> Value {
    json!({"eventDeliverySchema": "CloudEventSchemaV1_0"})
}

impl World {
    /// Creates a subscription with this answer to the handshake, and returns its provisioning state.
    async fn provisioned(&self, answer: Option<(u16, &'static str)>, rest: Value) -> Value {
        *self.receiver.handshake.lock().unwrap() = answer;
        self.subscribe("it-is", json!({}), rest).await["provisioningState"].clone()
    }

    async fn shown(&self) -> Value {
        self.control("GET", "subscriptions", Value::Null).await.1[0].clone()
    }

    /// Waits until the subscription exists and has this state.
    async fn waits_for(&self, state: &str) {
        while self.shown().await["provisioningState"] != state {
            tokio::task::yield_now().await;
        }
    }
}

/// The handshake succeeds only if the webhook returns the validation code with status 200.
#[tokio::test]
async fn validation_requires_code_and_200() {
    let world = World::start().await;
    for (answer, state) in [
        (Some((202, "as asked")), "Failed"),
        (Some((200, "another code")), "Failed"),
        (Some((401, "as asked")), "Failed"),
        (None, "Succeeded"),
    ] {
        assert_eq!(world.provisioned(answer, json!({})).await, state, "{answer:?}");
    }
    let seen = world.receiver.all()[0].clone();
    assert_eq!((seen.method.as_str(), seen.uri.as_str()), ("POST", "/hook?code=hidden"));
    assert_eq!(seen.header("aeg-event-type"), "SubscriptionValidation");
    assert_eq!(seen.header("aeg-subscription-name"), "it-is");
    let event = seen.json()[0].clone();
    assert_eq!(event["eventType"], "Microsoft.EventGrid.SubscriptionValidationEvent");
    assert_eq!((&event["subject"], &event["dataVersion"]), (&json!(""), &json!("1")));
    let url = event["data"]["validationUrl"].as_str().unwrap();
    assert!(url.contains("/it-is/validate?id=") && url.contains("&token="), "{url}");
    assert_eq!(seen.json().as_array().unwrap().len(), 1);
    world.sandbox.shutdown().await;
}

/// A changed subscription is validated again, and a failed handshake leaves it `Failed` with a reason.
#[tokio::test]
async fn changed_subscription_is_revalidated() {
    let world = World::start().await;
    assert_eq!(world.provisioned(None, json!({})).await, "Succeeded");
    assert_eq!(world.provisioned(Some((500, "")), json!({})).await, "Failed");
    let shown = world.shown().await;
    assert_eq!(shown["provisioningState"], "Failed");
    assert_eq!(shown["reason"], "the webhook returned 500, expected 200");
    world.sandbox.shutdown().await;
}

/// A changed subscription delivers its pending events once its new handshake has succeeded.
#[tokio::test]
async fn changed_subscription_keeps_pending_events() {
    let world = World::start().await;
    world.subscribed(json!({}), json!({})).await;
    world.receiver.will_answer([500]);
    world.put("it", None);
    world.until(Duration::seconds(5)).await;
    let change = async {
        world.waits_for("AwaitingManualAction").await;
        world.put("meanwhile", None);
        world.until(Duration::minutes(2)).await;
        let event = world.receiver.all().last().unwrap().json()[0].clone();
        let url = event["data"]["validationUrl"].as_str().unwrap().to_owned();
        assert_eq!(world.http.get(url).send().await.unwrap().status().as_u16(), 200);
    };
    let (state, ()) = tokio::join!(world.provisioned(Some((200, "")), json!({})), change);
    assert_eq!(state, "Succeeded");
    world.until(Duration::minutes(5)).await;
    let mut subjects: Vec<_> =
        world.receiver.deliveries().iter().skip(1).map(|seen| seen.json()[0]["subject"].clone()).collect();
    subjects.sort_by_key(ToString::to_string);
    subjects.dedup();
    assert_eq!(subjects, ["it", "meanwhile"]);
    world.sandbox.shutdown().await;
}

/// If the webhook does not return the code, its validation URL can be opened once within ten minutes.
#[tokio::test]
async fn validation_url_works_for_ten_minutes() {
    let world = World::start().await;
    for method in ["GET", "POST"] {
        let by_hand = async {
            world.waits_for("AwaitingManualAction").await;
            let event = world.receiver.all().last().unwrap().json()[0].clone();
            let url = event["data"]["validationUrl"].as_str().unwrap().to_owned();
            let wrong = format!("{url}x");
            assert_eq!(world.http.get(wrong).send().await.unwrap().status().as_u16(), 400);
            let open = |url: String| world.http.request(method.parse().unwrap(), url).send();
            assert_eq!(open(url.clone()).await.unwrap().status().as_u16(), 200);
            assert_eq!(open(url).await.unwrap().status().as_u16(), 400, "it is good once");
        };
        let (state, ()) = tokio::join!(world.provisioned(Some((200, "")), json!({})), by_hand);
        assert_eq!(state, "Succeeded", "{method}");
        assert_eq!(world.control("DELETE", "subscriptions/it-is", Value::Null).await.0, 204);
    }
    let in_time = async {
        world.waits_for("AwaitingManualAction").await;
        world.until(Duration::minutes(9)).await;
        assert_eq!(world.shown().await["provisioningState"], "AwaitingManualAction");
        world.until(Duration::minutes(11)).await;
        assert_eq!(world.shown().await["provisioningState"], "Failed");
    };
    let (state, ()) = tokio::join!(world.provisioned(Some((200, "")), json!({})), in_time);
    assert_eq!(state, "Failed");
    world.sandbox.shutdown().await;
}

/// The validation URL also works when the sandbox serves Azure's production host names.
#[tokio::test]
async fn validation_url_works_with_production_names() {
    let world = World::with_production_names().await;
    let by_hand = async {
        let is_it = |seen: &Seen| seen.header("aeg-subscription-name") == "it-is";
        let seen = loop {
            match world.receiver.all().into_iter().find(is_it) {
                Some(seen) => break seen,
                None => tokio::task::yield_now().await,
            }
        };
        let url = seen.json()[0]["data"]["validationUrl"].as_str().unwrap().to_owned();
        assert_eq!(world.http.get(url).send().await.unwrap().status().as_u16(), 200);
    };
    let (state, ()) = tokio::join!(world.provisioned(Some((200, "")), json!({})), by_hand);
    assert_eq!(state, "Succeeded");
    world.sandbox.shutdown().await;
}

/// The CloudEvents handshake sends `OPTIONS` and succeeds only if a 200 allows Event Grid's origin or `*`.
#[tokio::test]
async fn cloud_events_handshake_checks_allowed_origin() {
    let world = World::start().await;
    for (answer, state) in [
        (Some((200, "")), "Failed"),
        (Some((200, "example.com")), "Failed"),
        (Some((204, "*")), "Failed"),
        (Some((200, "*")), "Succeeded"),
        (None, "Succeeded"),
    ] {
        assert_eq!(world.provisioned(answer, cloud()).await, state, "{answer:?}");
    }
    for seen in world.receiver.all() {
        assert_eq!((seen.method.as_str(), seen.uri.as_str()), ("OPTIONS", "/hook?code=hidden"));
        assert_eq!(seen.header("webhook-request-origin"), "eventgrid.azure.net");
    }
    world.sandbox.shutdown().await;
}

/// Deleting a subscription delivers `SubscriptionDeletedEvent` in its schema, and then sends nothing more.
#[tokio::test]
async fn deleted_subscription_sends_only_deletion_notice() {
    let world = World::start().await;
    for (rest, is_cloud) in [(json!({}), false), (cloud(), true)] {
        world.subscribed(json!({}), rest).await;
        world.put("it", None);
        assert_eq!(world.control("DELETE", "subscriptions/IT-IS", Value::Null).await.0, 204);
        let seen = world.receiver.deliveries().pop().unwrap();
        assert_eq!(seen.header("aeg-event-type"), "SubscriptionDeletion");
        let event = if is_cloud { seen.json() } else { seen.json()[0].clone() };
        assert_eq!(event.get("subject").is_none(), is_cloud, "{event}");
        let kind = &event[if is_cloud { "type" } else { "eventType" }];
        assert_eq!(kind, "Microsoft.EventGrid.SubscriptionDeletedEvent");
        let id = event["data"]["eventSubscriptionId"].as_str().unwrap();
        assert!(id.ends_with("/providers/Microsoft.EventGrid/eventSubscriptions/it-is"), "{id}");
        let before = world.receiver.all().len();
        world.put("it", 10);
        world.until(Duration::days(20)).await;
        assert_eq!(world.receiver.all().len(), before);
    }
    assert_eq!(world.control("DELETE", "subscriptions/it-is", Value::Null).await.0, 404);
    world.sandbox.shutdown().await;
}

/// A subscription with an unknown field is refused with the reason, and a shown subscription hides its secrets.
#[tokio::test]
async fn unknown_field_is_refused_and_secrets_hidden() {
    let world = World::start().await;
    let body = json!({"destination": {"webhook": {"url": world.url()}}, "colour": "red"});
    let (status, answer) = world.control("PUT", "subscriptions/it-is", body).await;
    assert_eq!(status, 400);
    assert!(answer["error"].as_str().unwrap().contains("unknown field `colour`"), "{answer}");
    world.subscribed(json!({"headers": {"x-key": "hidden-too"}}), json!({})).await;
    let shown = world.control("GET", "subscriptions", Value::Null).await.1.to_string();
    let state = world.state().await.to_string();
    assert!(shown.contains("x-key") && !shown.contains("hidden"), "{shown}");
    assert!(!state.contains("hidden"), "{state}");
    assert_eq!(world.receiver.all()[0].header("x-key"), "hidden-too");
    world.sandbox.shutdown().await;
}

/// A webhook's certificate is trusted only if the subscription contains the CA that issued it.
#[tokio::test]
async fn only_the_given_ca_is_trusted() {
    let world = World::start().await;
    let url = format!("{}/nowhere", world.sandbox.endpoints().authority);
    for (ca, reason) in [(Some(world.sandbox.ca_pem()), "501"), (None, "can't be reached")] {
        let rest = json!({"ca_pem": ca});
        let answer = world.subscribe("it-is", json!({"url": url}), rest).await;
        assert!(answer["reason"].as_str().unwrap().contains(reason), "{answer}");
    }
    world.sandbox.shutdown().await;
}
