//! Every path that an event can take from the sandbox's Event Grid to a rotation: the webhook, with each schema and
//! each way to prove who delivers, and a Storage Queue on Azurite. The Functions host's path has tests of its own.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::support::{Azure, Azurite, Daemon, PATIENCE, eventually, free_port, within};

/// A sandbox without its own subscription, and a daemon that only events wake.
struct Ground {
    azure: Azure,
    daemon: Daemon,
    /// The client id of the application that stands for the webhook.
    application: String,
}

impl Ground {
    async fn new(azure: Azure, more: &[(&str, &str)]) -> Self {
        azure.call(Method::DELETE, &azure.control("subscriptions/rekeyd-sandbox"), None, Value::Null).await;
        let application = azure.endpoint("/secrets/0/client_id").to_owned();
        let audience = format!("api://{application}");
        let names = (1..=6).map(|number| format!("path-{number}")).collect::<Vec<_>>().join(",");
        let mut environment = vec![
            ("REKEYD_SCHEDULE__AT_START", "false"),
            ("REKEYD_SCHEDULE__CRON", "0 0 1 1 *"),
            ("REKEYD_POLICY__JITTER", "0s"),
            ("REKEYD_ROLLOUT__CANARIES", ""),
            ("REKEYD_WEBHOOK__AUDIENCE", audience.as_str()),
            ("REKEYD_WEBHOOK__ROLE", "AzureEventGridSecureWebhookSubscriber"),
            ("REKEYD_WEBHOOK__SUBSCRIPTIONS", names.as_str()),
        ];
        environment.extend_from_slice(more);
        let daemon = azure.daemon(&environment).await;
        Self { azure, daemon, application }
    }

    /// Subscribes to the events of the secret of that number; returns the provisioning state.
    async fn subscribe(&self, name: &str, number: usize, schema: &str, destination: Value) -> String {
        self.subscribe_as(
            name,
            number,
            json!({"eventDeliverySchema": schema, "destination": destination, "deadLetter": true}),
        )
        .await
    }

    /// Subscribes with any properties of a subscription in `body`; only its filter is added.
    async fn subscribe_as(&self, name: &str, number: usize, mut body: Value) -> String {
        let (_, secret) = self.secret(number);
        let filter = json!({"subjectBeginsWith": secret, "subjectEndsWith": secret});
        body.as_object_mut().unwrap().insert("filter".to_owned(), filter);
        let url = self.azure.control(&format!("subscriptions/{name}"));
        let answer = self.azure.call(Method::PUT, &url, None, body).await;
        answer.pointer("/provisioningState").and_then(Value::as_str).unwrap().to_owned()
    }

    fn secret(&self, number: usize) -> (&str, &str) {
        let of = |key: &str| self.azure.endpoint(&format!("/secrets/{number}/{key}"));
        (of("vault"), of("name"))
    }

    /// Publishes a text that ends soon as the secret of that number, so that Event Grid sends an event about it.
    async fn publish(&self, number: usize) {
        publish(&self.azure, number).await;
    }

    async fn rotates(&self, number: usize, path: &str) {
        let (vault, name) = self.secret(number);
        let secret = format!("{vault}/{name}");
        let before = self.azure.state().await.versions_of(&secret);
        self.publish(number).await;
        let rotated = within(PATIENCE, async || {
            self.azure.advance("10s").await;
            (self.azure.state().await.versions_of(&secret) == before + 2).then_some(())
        });
        assert!(rotated.await.is_some(), "{secret} after an event by {path}:\n{}", self.daemon.printed());
    }
}

/// Publishes a foreign credential that is due already as the secret of that number.
pub(crate) async fn publish(azure: &Azure, number: usize) {
    publish_ending(azure, number, time::Duration::days(20), json!({})).await;
}

/// Publishes a foreign credential that ends after `rest` as the secret of that number, with these additional tags.
pub(crate) async fn publish_ending(azure: &Azure, number: usize, rest: time::Duration, mut tags: Value) {
    let of = |key: &str| azure.endpoint(&format!("/secrets/{number}/{key}")).to_owned();
    let now = azure.state().await.now;
    let end = now + rest;
    let text = |at: time::OffsetDateTime| at.format(&time::format_description::well_known::Rfc3339).unwrap();
    let start = text(now - time::Duration::days(100));
    let graph = azure.token("https://graph.microsoft.com/.default").await;
    let url = format!("{}/v1.0/applications/{}/addPassword", azure.endpoint("/graph"), of("object_id"));
    let wanted = json!({"passwordCredential": {"displayName": "by hand", "startDateTime": start, "endDateTime": text(end)}});
    let made = azure.call(Method::POST, &url, Some(&graph), wanted).await;
    let url = format!("{}/secrets/{}?api-version=2025-07-01", azure.vault_url(&of("vault")), of("name"));
    let value = made.pointer("/secretText").and_then(Value::as_str).unwrap();
    let key_id = made.pointer("/keyId").unwrap().clone();
    tags.as_object_mut().unwrap().insert("CredentialId".to_owned(), key_id);
    let version = json!({"value": value, "tags": tags, "attributes": {"exp": end.unix_timestamp()}});
    azure.call(Method::PUT, &url, Some(&azure.vault_token().await), version).await;
}

/// An event of either schema wakes the loop with each proof of
/// its sender: key in the query, key in a header, Entra token.
#[tokio::test]
async fn every_schema_and_proof_wakes_the_loop() {
    let azure = Azure::start(&["--propagation", "0s..1s", "--secrets", "7", "--seed", "5"]).await;
    // The last secret is left to discovery, which no event begins.
    let ground = Ground::new(azure, &[]).await;
    let base = format!("{}/events/key-vault", ground.daemon.base());
    let key = std::fs::read_to_string(ground.azure.file("webhook-key")).unwrap();
    let proofs = [
        ("key in the query", json!({"url": format!("{base}?key={key}")})),
        ("key in a header", json!({"url": base, "headers": {"x-rekeyd-key": key}})),
        (
            "Entra's token",
            json!({"url": base, "entra": {"audience": format!("api://{}", ground.application)}}),
        ),
    ];
    let mut number = 0;
    for schema in ["EventGridSchema", "CloudEventSchemaV1_0"] {
        for (proof, webhook) in &proofs {
            let name = format!("path-{}", number + 1);
            let state = ground.subscribe(&name, number, schema, json!({"webhook": webhook})).await;
            assert_eq!(state, "Succeeded", "{schema} with {proof}:\n{}", ground.daemon.printed());
            ground.rotates(number, &format!("{schema} with {proof}")).await;
            number += 1;
        }
    }
    let heard = "rekeyd_events_total{outcome=\"enqueued\",path=\"webhook\"}";
    assert!(ground.daemon.metric(heard).await >= 6.0);
    assert!(!ground.daemon.printed().contains(&key), "the log holds the key");
}

/// The webhook refuses deliveries without valid proof and subscriptions that are not configured.
#[tokio::test]
async fn unproven_or_unknown_subscriptions_are_refused() {
    let azure = Azure::start(&["--propagation", "0s..1s", "--secrets", "2"]).await;
    let ground = Ground::new(azure, &[]).await;
    let base = format!("{}/events/key-vault", ground.daemon.base());
    let key = std::fs::read_to_string(ground.azure.file("webhook-key")).unwrap();
    let good = json!({"webhook": {"url": format!("{base}?key={key}")}});
    let other_audience = format!("api://{}", ground.azure.endpoint("/secrets/1/client_id"));
    for (name, schema, destination) in [
        ("path-1", "EventGridSchema", json!({"webhook": {"url": base}})),
        (
            "path-1",
            "CloudEventSchemaV1_0",
            json!({"webhook": {"url": format!("{base}?key=another-unknown-key")}}),
        ),
        (
            "path-1",
            "EventGridSchema",
            json!({"webhook": {"url": base, "entra": {"audience": other_audience}}}),
        ),
        ("stranger", "EventGridSchema", good.clone()),
    ] {
        assert_eq!(ground.subscribe(name, 0, schema, destination.clone()).await, "Failed", "{destination}");
    }
    assert_eq!(ground.subscribe("path-2", 0, "EventGridSchema", good).await, "Succeeded");
    let refused = async |reason: &str| {
        let sample = format!("rekeyd_refused_requests_total{{endpoint=\"webhook\",reason=\"{reason}\"}}");
        (reason.to_owned(), ground.daemon.metric(&sample).await)
    };
    for reason in ["missing", "unknown", "wrong_audience", "unknown_subscription"] {
        assert_eq!(refused(reason).await, (reason.to_owned(), 1.0));
    }

    // Without a proof not even a malformed event is read.
    let (status, body) = ground.daemon.post_json("/events/key-vault", &json!([{}])).await;
    assert_eq!(status, StatusCode::UNAUTHORIZED, "{body}");
}

/// An event in a storage queue wakes the loop, and its message is deleted once the secret has been reconciled.
#[tokio::test]
#[ignore = "needs azurite"]
async fn queued_event_rotates_and_is_deleted() {
    let azure = Azure::start(&["--propagation", "0s..1s", "--secrets", "2"]).await;
    let azurite = Azurite::start(azure.token("https://storage.azure.com/.default").await).await;
    azurite.create("events").await;
    let trusted = trust(&azure, &azurite);
    let ground = Ground::new(azure, &with_queue(&trusted, &azurite.url("events"))).await;
    let queue = json!({"storageQueue": {"queueUrl": azurite.url("events")}});
    let state =
        ground.subscribe_as("path-1", 0, json!({"destination": queue, "caPem": azurite.ca_pem})).await;
    assert_eq!(state, "Succeeded");
    ground.rotates(0, "a queue").await;
    eventually("the queue is empty", PATIENCE, async || {
        ground.azure.advance("10s").await;
        (azurite.count("events").await.unwrap() == 0).then_some(())
    })
    .await;
    assert_eq!(azurite.count("events-poison").await.unwrap(), 0);
    assert!(ground.daemon.metric("rekeyd_events_total{outcome=\"enqueued\",path=\"queue\"}").await >= 1.0);
}

/// The sandbox creates the queue beside it once the queue service answers, and its events then reach the daemon.
#[tokio::test]
#[ignore = "needs azurite"]
async fn late_queue_is_created_and_used() {
    let port = free_port();
    let url = format!("https://localhost:{port}/devstoreaccount1/beside");
    let azure = Azure::start(&["--propagation", "0s..1s", "--secrets", "2", "--queue", &url]).await;
    // The queue service does not run yet, and the daemon does not need it.
    let ground = Ground::new(azure, &[("REKEYD_QUEUE__POLL_INTERVAL", "200ms")]).await;
    let azurite = Azurite::beside(&ground.azure, port).await;
    let subscriptions = ground.azure.control("subscriptions");
    eventually("Event Grid delivers to the queue", PATIENCE, async || {
        let all = ground.azure.call(Method::GET, &subscriptions, None, Value::Null).await;
        all.to_string().contains("rekeyd-sandbox-queue").then_some(())
    })
    .await;
    ground.rotates(0, "the queue beside the sandbox").await;
    assert!(ground.daemon.metric("rekeyd_events_total{outcome=\"enqueued\",path=\"queue\"}").await >= 1.0);
    assert_eq!(azurite.count("beside-poison").await.unwrap(), 0);
}

/// An unreadable message moves to the poison queue after the configured number of attempts.
#[tokio::test]
#[ignore = "needs azurite"]
async fn unreadable_message_becomes_poison_after_retries() {
    let azure = Azure::start(&["--propagation", "0s..1s", "--secrets", "2"]).await;
    let azurite = Azurite::start(azure.token("https://storage.azure.com/.default").await).await;
    azurite.create("events").await;
    let trusted = trust(&azure, &azurite);
    let url = azurite.url("events");
    let mut settings = with_queue(&trusted, &url);
    settings.push(("REKEYD_QUEUE__MAX_ATTEMPTS", "2"));
    let ground = Ground::new(azure, &settings).await;
    azurite.put("events", "nonsense").await;
    eventually("the message is in the poison queue, and nowhere else", PATIENCE, async || {
        let counts = (azurite.count("events").await.unwrap(), azurite.count("events-poison").await.unwrap());
        (counts == (0, 1)).then_some(())
    })
    .await;
    let malformed = "rekeyd_events_total{outcome=\"malformed\",path=\"queue\"}";
    for (sample, expected) in [("rekeyd_storage_queue_poison_messages_total", 1.0), (malformed, 2.0)] {
        assert_eq!((sample, ground.daemon.metric(sample).await), (sample, expected));
    }
}

/// Writes a file with the authorities of both, for the daemon.
pub(crate) fn trust(azure: &Azure, azurite: &Azurite) -> String {
    let file = azure.file("both.pem");
    let ca = std::fs::read_to_string(azure.file("ca.pem")).unwrap();
    std::fs::write(&file, format!("{ca}\n{}", azurite.ca_pem)).unwrap();
    file.to_str().unwrap().to_owned()
}

/// Returns the settings for a daemon with a queue. A message that a killed daemon held is visible again soon.
pub(crate) fn with_queue<'a>(trusted: &'a str, url: &'a str) -> Vec<(&'a str, &'a str)> {
    vec![
        ("REKEYD_AZURE__CA_FILE", trusted),
        ("REKEYD_QUEUE__URL", url),
        ("REKEYD_QUEUE__VISIBILITY_TIMEOUT", "3s"),
        ("REKEYD_QUEUE__POLL_INTERVAL", "200ms"),
    ]
}
