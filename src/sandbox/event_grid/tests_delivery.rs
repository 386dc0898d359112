//! The format of a delivery, and the handling of failed ones.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may stop here")]

use axum::routing::any;
use base64::Engine;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use time::Duration;
use tokio_util::task::TaskTracker;

use super::EVENT_GRID;
use super::endpoint::{DeliveryRequest, Endpoint};
use super::outcome::Outcome;
use super::subscription::Subscription;
use super::tests_world::{Seen, World};
use crate::sandbox::TimelineEventKind;

fn claims(seen: &Seen) -> Value {
    let token = seen.header("authorization").strip_prefix("Bearer ").unwrap();
    let claims = token.split('.').nth(1).unwrap();
    serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(claims).unwrap()).unwrap()
}

fn attempts(seen: &[Seen]) -> Vec<String> {
    seen.iter().map(|seen| seen.header("aeg-delivery-count").to_owned()).collect()
}

#[tokio::test]
async fn deliveries_bear_event_grid_s_headers() {
    let world = World::start().await;
    let headers = json!({"headers": {"x-key": "hidden", "authorization": "no-scheme"}});
    world.subscribed(headers, json!({})).await;
    world.put("it", None);
    world.a_minute().await;
    let (asked, seen) = (world.receiver.all()[0].clone(), world.receiver.deliveries()[0].clone());
    assert_eq!(seen.header("content-type"), "application/json; charset=utf-8");
    for (name, value) in [
        ("aeg-subscription-name", "it-is"),
        ("aeg-event-type", "Notification"),
        ("aeg-delivery-count", "0"),
        ("aeg-metadata-version", "1"),
        ("aeg-data-version", "1"),
        ("x-key", "hidden"),
    ] {
        assert_eq!(seen.header(name), value, "{name}");
    }
    assert!(uuid::Uuid::parse_str(seen.header("aeg-output-event-id")).is_ok());
    assert_eq!((asked.header("authorization"), seen.header("authorization")), ("no-scheme", ""));
    assert_eq!(seen.json().as_array().unwrap().len(), 1, "an array of one");
    world.sandbox.shutdown().await;
}

/// An event requested through the controls is sent at once, and the reply shows if it was delivered.
#[tokio::test]
async fn event_on_demand_reports_delivery() {
    let world = World::start().await;
    world.put("it", None);
    let ask = || world.control("POST", "events/vault-1/IT", Value::Null);
    assert_eq!(ask().await, (502, json!({"delivered": false})));
    world.subscribed(json!({}), json!({})).await;
    assert_eq!(ask().await, (200, json!({"delivered": true})));
    assert_eq!(
        world.receiver.events(),
        [("Microsoft.KeyVault.SecretNearExpiry".to_owned(), "2026-01-01T00:00:00.0000000Z".to_owned())]
    );
    world.receiver.will_answer([503]);
    assert_eq!(ask().await, (502, json!({"delivered": false})));
    world.sandbox.shutdown().await;
}

/// CloudEvents are delivered as one object if the batch size is 1 and as an array with a batch content type otherwise.
#[tokio::test]
async fn cloud_events_come_singly_or_batched() {
    let world = World::start().await;
    for (batch, kind) in [(1, "application/cloudevents+json"), (10, "application/cloudevents-batch+json")] {
        let rest = json!({"eventDeliverySchema": "CloudEventSchemaV1_0"});
        world.subscribed(json!({"maxEventsPerBatch": batch}), rest).await;
        world.put("it", None);
        world.a_minute().await;
        let seen = world.receiver.deliveries().pop().unwrap();
        assert_eq!(seen.header("content-type"), format!("{kind}; charset=utf-8"));
        assert_eq!(seen.json().is_array(), batch > 1);
        assert_eq!((seen.header("aeg-data-version"), seen.header("aeg-metadata-version")), ("", ""));
        assert_eq!(seen.header("aeg-event-type"), "Notification");
    }
    world.sandbox.shutdown().await;
}

/// A batch stays within the limits on count and size, and a failed batch is retried unchanged.
#[tokio::test]
async fn batches_respect_limits_and_retry_whole() {
    let world = World::start().await;
    world.subscribed(json!({"maxEventsPerBatch": 3}), json!({})).await;
    world.receiver.will_answer([500]);
    (0..5).for_each(|number| _ = world.put(&format!("it-{number}"), None));
    world.a_minute().await;
    let seen = world.receiver.deliveries();
    let sizes: Vec<_> = seen.iter().map(|seen| seen.json().as_array().unwrap().len()).collect();
    assert_eq!(sizes, [3, 2, 3], "the first one again");
    assert_eq!(seen[0].text, seen[2].text);
    assert_eq!(seen[0].header("aeg-output-event-id"), seen[2].header("aeg-output-event-id"));
    assert_eq!(attempts(&seen), ["0", "0", "1"]);
    let small = json!({"maxEventsPerBatch": 5000, "preferredBatchSizeInKilobytes": 1});
    world.subscribed(small, json!({})).await;
    (0..5).for_each(|number| _ = world.put(&format!("it-{number}"), None));
    world.a_minute().await;
    let seen = world.receiver.deliveries().split_off(3);
    assert!(seen.len() >= 3 && seen.iter().all(|seen| seen.text.len() <= 1100), "{seen:?}");
    world.sandbox.shutdown().await;
}

/// Only the status codes 200 to 204 count as delivered, and a redirect is retried without being followed.
#[tokio::test]
async fn only_200_to_204_count_as_delivered() {
    let world = World::start().await;
    world.subscribed(json!({}), json!({})).await;
    for (status, expected) in [(200, 1), (202, 1), (204, 1), (205, 2), (302, 2), (503, 2)] {
        let before = world.receiver.deliveries().len();
        world.receiver.will_answer([status]);
        world.put("it", None);
        world.pass(Duration::minutes(2)).await;
        let mut seen = attempts(&world.receiver.deliveries()[before..]);
        seen.dedup();
        assert_eq!(seen.len(), expected, "{status}: {seen:?}");
    }
    world.sandbox.shutdown().await;
}

/// An event refused with 400, 401, 403 or 413 is not retried, and is dead-lettered after five minutes.
#[tokio::test]
async fn final_refusal_is_dead_lettered_after_delay() {
    let expected = [(400, "BadRequest"), (401, "Unauthorized"), (403, "Forbidden"), (413, "PayloadTooLarge")];
    for (status, outcome) in expected {
        let world = World::start().await;
        world.subscribed(json!({}), json!({"deadLetter": true})).await;
        world.receiver.will_answer([status]);
        world.put("it", None);
        world.until(Duration::minutes(4)).await;
        assert_eq!(world.state().await["dead_letters"], json!([]));
        world.until(Duration::minutes(6)).await;
        let letters = world.state().await["dead_letters"].clone();
        let (seen, letter) = (world.receiver.deliveries(), &letters[0]);
        assert_eq!(seen.len(), 1, "{status} is tried again");
        assert_eq!(letter["lastDeliveryOutcome"], outcome);
        assert_eq!(letter["deadLetterReason"], format!("UndeliverableDueToHttp{outcome}"));
        assert_eq!(letter["deliveryAttempts"], 1);
        assert_eq!(letter["lastHttpStatusCode"], status);
        for time in ["publishTime", "lastDeliveryAttemptTime"] {
            assert!(letter[time].as_str().unwrap().starts_with("2026-01-01T00:00:"), "{letter}");
        }
        let mut event = letter.clone();
        event.as_object_mut().unwrap().retain(|name, _| seen[0].json()[0].get(name).is_some());
        assert_eq!(event, seen[0].json()[0], "the event itself is unchanged");
        world.sandbox.shutdown().await;
    }
}

/// A dead letter states which limit ended its delivery, the number of attempts or the time to live.
#[tokio::test]
async fn dead_letter_names_the_exceeded_limit() {
    let world = World::start().await;
    let with = |retry: Value| json!({"deadLetter": true, "retryPolicy": retry});
    let twice = with(json!({"maxDeliveryAttempts": 2}));
    world.subscribed(json!({}), twice).await;
    let cloud = with(json!({"eventTimeToLiveInMinutes": 1}));
    let mut cloud = cloud;
    cloud["eventDeliverySchema"] = json!("CloudEventSchemaV1_0");
    world.subscribe("cloudy", json!({}), cloud).await;
    world.receiver.will_answer([500; 20]);
    world.put("it", None);
    world.until(Duration::minutes(30)).await;
    let letters = world.state().await["dead_letters"].clone();
    assert_eq!(letters[0]["deadLetterReason"], "MaxDeliveryAttemptsExceeded");
    assert_eq!(
        (&letters[0]["deliveryAttempts"], &letters[0]["lastDeliveryOutcome"]),
        (&json!(2), &json!("InternalServerError"))
    );
    assert_eq!(letters[1]["deadletterreason"], "TimeToLiveExceeded");
    assert_eq!((&letters[1]["deliveryattempts"], &letters[1]["specversion"]), (&json!(3), &json!("1.0")));
    assert_eq!(letters.as_array().unwrap().len(), 2);
    world.sandbox.shutdown().await;
}

/// Without dead-lettering, an event that cannot be delivered is dropped, counted and reported on the timeline.
#[tokio::test]
async fn undeliverable_event_is_dropped_and_counted() {
    let mut world = World::start().await;
    world.subscribed(json!({}), json!({})).await;
    world.receiver.will_answer([400]);
    world.put("it", None);
    world.until(Duration::hours(1)).await;
    let state = world.state().await;
    assert_eq!((&state["dead_letters"], &state["dropped"]), (&json!([]), &json!(1)));
    let mut reported = Vec::new();
    while let Ok(event) = world.timeline.try_recv() {
        reported.push((event.kind, event.secret, event.detail));
    }
    let dropped = reported.into_iter().find(|(kind, ..)| *kind == TimelineEventKind::EventDropped).unwrap();
    assert_eq!((dropped.1.as_str(), dropped.2.contains("to it-is")), ("vault-1/it", true));
    world.sandbox.shutdown().await;
}

/// After ten failed deliveries in a row, new events for the endpoint are held back as well.
#[tokio::test]
async fn ten_failures_delay_new_events() {
    let world = World::start().await;
    world.subscribed(json!({}), json!({})).await;
    world.receiver.will_answer([500; 10]);
    (0..10).for_each(|number| _ = world.put(&format!("it-{number}"), None));
    world.until(Duration::seconds(40)).await;
    let failed = world.receiver.deliveries().len();
    assert_eq!(failed, 10, "the tenth was the last");
    world.put("new", None);
    world.until(Duration::minutes(50)).await;
    assert_eq!(world.receiver.deliveries().len(), failed);
    world.until(Duration::minutes(70)).await;
    assert!(world.receiver.deliveries().len() >= failed + 11);
    world.sandbox.shutdown().await;
}

/// Every request to a webhook secured with Entra carries a token for its audience.
#[tokio::test]
async fn secured_webhook_gets_a_token_each_time() {
    let world = World::start().await;
    let audience = "9b0e5d28-6f0e-4a8f-8a3b-5f6d6a1f6c11";
    let principal = world.sandbox.model().principal_by_client_id(EVENT_GRID).unwrap();
    for (audience, client, version) in [("api://hooks", "appid", "1.0"), (audience, "azp", "2.0")] {
        world.subscribed(json!({"entra": {"audience": audience}}), json!({})).await;
        world.put("it", None);
        world.a_minute().await;
        let seen = world.receiver.all();
        for seen in &seen[seen.len() - 2..] {
            let claims = claims(seen);
            assert_eq!((&claims["aud"], &claims["ver"]), (&json!(audience), &json!(version)));
            assert_eq!(claims[client], "4962773b-9cdb-44cf-a8bf-237846a00ab7");
            assert_eq!(claims["roles"], json!(["AzureEventGridSecureWebhookSubscriber"]));
            assert_eq!(claims["oid"], json!(principal), "{claims}");
            let now = world.now().unix_timestamp();
            assert!((claims["nbf"].as_i64().unwrap() - now).abs() <= 120, "{claims}");
        }
    }
    world.sandbox.shutdown().await;
}

/// A storage queue gets each event as its own base64 message, authorized by the SAS signature or by a token.
#[tokio::test]
async fn storage_queue_gets_base64_messages() {
    let world = World::start().await;
    let queue = format!("http://{}/account/events", world.address);
    for (url, is_signed) in [(format!("{queue}?sv=1&sig=hidden"), true), (queue, false)] {
        world.receiver.will_answer([201]);
        let body = json!({"destination": {"storageQueue": {"queueUrl": url, "ttl": 600}}});
        let (_, answer) = world.control("PUT", "subscriptions/queued", body).await;
        assert_eq!(answer, json!({"provisioningState": "Succeeded"}), "a queue isn't asked");
        world.put("it", None);
        world.a_minute().await;
        let seen = world.receiver.deliveries().pop().unwrap();
        let query = if is_signed { "?sv=1&sig=hidden&messagettl=600" } else { "?messagettl=600" };
        assert_eq!(seen.uri, format!("/account/events/messages{query}"));
        let text = seen.text.strip_prefix("<QueueMessage><MessageText>").unwrap();
        let text = text.strip_suffix("</MessageText></QueueMessage>").unwrap();
        let event: Value = serde_json::from_slice(&BASE64_STANDARD.decode(text).unwrap()).unwrap();
        assert_eq!(event["subject"], "it");
        assert!(!seen.header("x-ms-version").is_empty() && !seen.header("x-ms-date").is_empty());
        if is_signed {
            assert_eq!(seen.header("authorization"), "");
        } else {
            assert_eq!(claims(&seen)["aud"], "https://storage.azure.com");
            assert_eq!(
                claims(&seen)["iss"],
                format!("https://sts.windows.net/{}/", world.sandbox.endpoints().tenant_id)
            );
        }
    }
    world.sandbox.shutdown().await;
}

/// A storage queue's 401 is retried, while its 400, 403 and 413 are not.
#[tokio::test]
async fn queue_retries_401_but_not_403() {
    for (status, outcome) in [(400, "BadRequest"), (403, "Forbidden"), (413, "PayloadTooLarge")] {
        let world = World::start().await;
        let queue = format!("http://{}/account/events", world.address);
        let body = json!({"destination": {"storageQueue": {"queueUrl": queue}}, "deadLetter": true});
        world.control("PUT", "subscriptions/queued", body).await;
        world.receiver.will_answer([401, status]);
        world.put("it", None);
        world.until(Duration::hours(2)).await;
        assert_eq!(world.receiver.deliveries().len(), 2, "{status}");
        let letter = world.state().await["dead_letters"][0].clone();
        assert_eq!(
            (&letter["deliveryAttempts"], &letter["lastDeliveryOutcome"]),
            (&json!(2), &json!(outcome))
        );
        world.sandbox.shutdown().await;
    }
}

/// A delivery whose endpoint does not respond in time counts as timed out, and the limit is 30 seconds.
#[tokio::test]
async fn slow_response_times_out() {
    let socket = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", socket.local_addr().unwrap());
    let silent = axum::Router::new().fallback(any(|| async { std::future::pending::<()>().await }));
    let tasks = TaskTracker::new();
    tasks.spawn(async move { axum::serve(socket, silent).await });
    let body = json!({"destination": {"webhook": {"url": url}}}).to_string();
    let subscription = Subscription::parse("it-is", body.as_bytes()).unwrap();
    let endpoint = Endpoint::new(&subscription, std::time::Duration::from_millis(50)).unwrap();
    let request =
        DeliveryRequest { events: vec![json!({})], output_id: uuid::Uuid::nil(), attempts: 0, token: None };
    assert_eq!(endpoint.deliver(request).await, Outcome::TimedOut);
    assert_eq!(super::handshake::RESPONSE_TIMEOUT.as_secs(), 30);
}
