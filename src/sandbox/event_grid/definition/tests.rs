#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may stop here")]

use super::*;
use serde_json::{Value, json};

fn refusal(body: &Value) -> String {
    Subscription::parse("it-is", body.to_string().as_bytes()).unwrap_err()
}

fn webhook(extra: (&str, Value)) -> Value {
    let mut webhook = json!({"url": "https://localhost:1/x?code=hidden"});
    webhook.as_object_mut().unwrap().insert(extra.0.to_owned(), extra.1);
    json!({"destination": {"webhook": webhook}})
}

#[test]
fn what_is_left_out_is_as_documented() {
    let body = json!({"destination": {"webhook": {"url": "https://localhost:1/x?code=hidden"}}}).to_string();
    let shown = Subscription::parse("it-is", body.as_bytes()).unwrap().to_json();
    let expected = json!({
        "name": "it-is", "eventDeliverySchema": "EventGridSchema", "deadLetter": false,
        "destination": {
            "endpointType": "WebHook", "endpointBaseUrl": "https://localhost:1/x", "headers": [],
            "audience": null, "maxEventsPerBatch": 1, "preferredBatchSizeInKilobytes": 64,
        },
        "filter": {"includedEventTypes": [], "subjectBeginsWith": "", "subjectEndsWith": ""},
        "retryPolicy": {"maxDeliveryAttempts": 30, "eventTimeToLiveInMinutes": 1440},
    });
    assert_eq!(shown, expected);
    let queue = json!({"destination": {"storageQueue": {"queueUrl": "https://localhost:1/a/q?sig=x"}}});
    let queue = Subscription::parse("it-is", queue.to_string().as_bytes()).unwrap().to_json();
    assert_eq!(queue["destination"]["queueMessageTimeToLiveInSeconds"], 7 * 24 * 60 * 60);
}

/// A subscription definition that Azure would refuse is refused with an error that gives the reason.
#[test]
fn invalid_definition_is_refused_with_reason() {
    let eleven: BTreeMap<_, _> = (0..11).map(|n| (format!("x-{n}"), "1")).collect();
    for (extra, reason) in [
        (("maxEventsPerBatch", json!(5_001)), "maxEventsPerBatch must be from 1 to 5000"),
        (("preferredBatchSizeInKilobytes", json!(0)), "must be from 1 to 1024"),
        (("headers", json!(eleven)), "at most 10 headers"),
        (("headers", json!({"aeg-mine": "1"})), "reserved for Event Grid"),
        (("headers", json!({"Content-Type": "text/plain"})), "reserved for Event Grid"),
        (("headers", json!({"x-long": "a".repeat(4_097)})), "at most 4096 bytes"),
        (("colour", json!("red")), "unknown field `colour`"),
        (("url", json!("http://example.com/x")), "https"),
    ] {
        let refused = refusal(&webhook(extra));
        assert!(refused.contains(reason), "{refused}");
    }
    let retry = json!({"destination": {"webhook": {"url": "https://localhost/"}}, "retryPolicy": {"maxDeliveryAttempts": 31}});
    assert!(refusal(&retry).contains("1 to 30"));
    let queue = json!({"destination": {"storageQueue": {"queueUrl": "https://localhost/a/q", "ttl": 0}}});
    assert!(refusal(&queue).contains("queueMessageTimeToLiveInSeconds must be from 1"));
    assert!(Subscription::parse("no name", b"{}").unwrap_err().contains("letters"));
}

/// A filter accepts only Key Vault event types, in their exact spelling and with or without the prefix.
#[test]
fn only_key_vault_event_types_are_accepted() {
    let parse = |kind: &str| {
        let mut body = webhook(("maxEventsPerBatch", json!(1)));
        body["filter"] = json!({"includedEventTypes": [kind]});
        Subscription::parse("it-is", body.to_string().as_bytes())
    };
    for kind in ["SecretExpired", "Microsoft.KeyVault.KeyNearExpiry"] {
        assert!(parse(kind).is_ok(), "{kind}");
    }
    for kind in ["Nonsense", "", "Microsoft.Storage.BlobCreated", "secretexpired"] {
        assert!(parse(kind).unwrap_err().contains("includedEventTypes"), "{kind}");
    }
}

#[test]
fn no_secret_of_a_subscription_is_shown() {
    for wrong in [json!({"destination": "hidden"}), json!({"destination": {"webhook": {"url": ["hidden"]}}})]
    {
        let refused = refusal(&wrong);
        assert!(
            refused.starts_with("not a valid subscription, at line 1") && !refused.contains("hidden"),
            "{refused}"
        );
    }
    let body = webhook(("headers", json!({"x-key": "hidden-too"}))).to_string();
    let subscription = Subscription::parse("it-is", body.as_bytes()).unwrap();
    let shown = format!("{subscription:?} {}", subscription.to_json());
    assert!(shown.contains("x-key") && !shown.contains("hidden"), "{shown}");
    let signed_in = webhook(("url", json!("https://hidden:hidden@localhost:1/x#hidden"))).to_string();
    let shown = Subscription::parse("it-is", signed_in.as_bytes()).unwrap().to_json().to_string();
    assert!(shown.contains("https://localhost:1/x\"") && !shown.contains("hidden"), "{shown}");
}
