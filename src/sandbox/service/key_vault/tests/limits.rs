//! Section 0 and A.1: Key Vault's limits, at the limit and one beyond it.

use super::*;

async fn statuses(bodies: Vec<Value>) -> Vec<u16> {
    let world = World::start().await;
    let asker = Asker::administrator(&world).await;
    let mut statuses = Vec::new();
    for body in bodies {
        let reply = asker.put("it", body).await;
        assert!(
            reply.status == StatusCode::OK || reply.problem() == "400 BadParameter -",
            "{}",
            reply.problem()
        );
        statuses.push(reply.status.as_u16());
    }
    world.sandbox.shutdown().await;
    statuses
}

#[tokio::test]
async fn a_value_has_at_most_25_kilobytes() {
    let body = |length| json!({"value": "x".repeat(length)});
    assert_eq!(statuses(vec![body(25 * 1024), body(25 * 1024 + 1)]).await, [200, 400]);
    // Bytes, not characters.
    assert_eq!(statuses(vec![json!({"value": "é".repeat(13_000)})]).await, [400]);
}

/// A secret accepts at most 15 tags, with names and values of at most 256 characters.
#[tokio::test]
async fn secret_takes_15_tags_of_256() {
    let many = |count| {
        let tags: serde_json::Map<_, _> = (0..count).map(|n| (format!("t{n}"), json!(""))).collect();
        json!({"value": "text", "tags": tags})
    };
    assert_eq!(statuses(vec![many(15), many(16)]).await, [200, 400]);
    let long = |name, value| json!({"value": "text", "tags": {("n".repeat(name)): "é".repeat(value)}});
    assert_eq!(statuses(vec![long(256, 256), long(257, 1), long(1, 257)]).await, [200, 400, 400]);
}

/// A content type has at most 255 characters.
#[tokio::test]
async fn content_type_takes_255_characters() {
    let body = |length| json!({"value": "text", "contentType": "x".repeat(length)});
    assert_eq!(statuses(vec![body(255), body(256)]).await, [200, 400]);
}

/// A patch is refused beyond the same limits for tags and content type as a put.
#[tokio::test]
async fn patch_obeys_the_put_limits() {
    let world = World::start().await;
    let asker = Asker::administrator(&world).await;
    asker.put_text("it", "text").await;
    let tags: serde_json::Map<_, _> = (0..16).map(|n| (format!("t{n}"), json!(""))).collect();
    for body in [json!({"tags": tags}), json!({"contentType": "x".repeat(256)})] {
        assert_eq!(asker.patch("it", body).await.problem(), "400 BadParameter -");
    }
    world.sandbox.shutdown().await;
}

/// A secret's name consists of 1 to 127 ASCII letters, digits and dashes.
#[tokio::test]
async fn secret_name_takes_127_letters_digits_dashes() {
    let world = World::start().await;
    let asker = Asker::administrator(&world).await;
    for name in ["a", "A-0", &"n".repeat(127)] {
        assert_eq!(asker.put(name, json!({"value": "text"})).await.status, StatusCode::OK, "{name}");
    }
    for name in ["under_score", "d.ot", "sp%20ace", "%C3%A9", &"n".repeat(128)] {
        let refused = asker.put(name, json!({"value": "text"})).await;
        assert_eq!(refused.problem(), "400 BadParameter -", "{name}");
        assert!(refused.message().starts_with("The request URI contains an invalid name: "));
    }
    world.sandbox.shutdown().await;
}

#[tokio::test]
async fn names_are_case_insensitive() {
    let world = World::start().await;
    let asker = Asker::administrator(&world).await;
    let version = asker.put_text("MiXed", "one").await;
    assert_eq!(asker.get("secrets/mixed").await.body["value"], "one");
    assert_eq!(asker.get(&format!("secrets/MIXED/{}", version.to_uppercase())).await.body["value"], "one");
    asker.put_text("mIXED", "two").await;
    let list = asker.get("secrets").await.body;
    assert_eq!(last_segment(&list["value"][2]["id"]), "MiXed");
    assert_eq!(list["value"].as_array().unwrap().len(), 3);
    world.sandbox.shutdown().await;
}
