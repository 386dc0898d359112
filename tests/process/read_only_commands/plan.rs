//! `plan`: the next actions, without acting.

use reqwest::Method;
use serde_json::{Value, json};

use super::{look, look_with, text};
use crate::support::Azure;

/// `plan` lists each secret with its status and the reason, exits accordingly and changes nothing.
#[tokio::test]
async fn plan_lists_due_secrets_without_changes() {
    let azure = Azure::start(&["--secrets", "3"]).await;
    let (file, before) = (azure.file("rekeyd.toml"), azure.state().await);
    let (code, plan) = look("plan", &file, &[]).await;
    assert_eq!(code, 2, "{plan:#}");
    let lines = plan["secrets"].as_array().unwrap();
    assert_eq!(lines.len(), 3, "the plan lists the secret that only its tags name: {plan:#}");
    for due in before.due_at_first() {
        let line = lines.iter().find(|line| text(line, "secret") == due).unwrap();
        let (status, action) = (text(line, "status"), text(line, "action"));
        let is_deferred = (status, text(line, "reason")) == ("deferred", "canary");
        assert!((status, action) == ("due", "issue") || is_deferred, "{line:#}");
        assert!(line["due"].is_string() && line["expires"].is_string() && !text(line, "message").is_empty());
    }
    assert!(!before.due_at_first().is_empty(), "the sandbox begins with something due");

    let calm = [("REKEYD_POLICY__ROTATE_BEFORE", "1d"), ("REKEYD_POLICY__JITTER", "0s")];
    let (code, plan) = look_with("plan", &file, &[], &calm).await;
    assert_eq!(code, 0, "{plan:#}");
    let is_calm = |line: &Value| (text(line, "status"), text(line, "reason")) == ("up_to_date", "not_due");
    assert!(plan["secrets"].as_array().unwrap().iter().all(is_calm), "{plan:#}");

    let vault = azure.vault_token().await;
    let version = &before.secrets()["vault-2/app-02"][0].id;
    let url = format!("{}/secrets/app-02/{version}?api-version=2025-07-01", azure.vault_url("vault-2"));
    azure.call(Method::PATCH, &url, Some(&vault), json!({"attributes": {"enabled": false}})).await;
    let (code, plan) = look("plan", &file, &[]).await;
    assert_eq!(code, 1, "{plan:#}");
    let line = plan["secrets"].as_array().unwrap().iter().find(|l| text(l, "secret") == "vault-2/app-02");
    let line = line.unwrap();
    assert_eq!((text(line, "status"), text(line, "reason")), ("blocked", "current_disabled"), "{line:#}");

    let after = azure.state().await;
    assert_eq!(after.ours().count(), 0, "nothing was issued");
    assert!(
        after
            .secrets()
            .values()
            .all(|versions| versions.len() == 1 && !versions[0].tags.contains_key("PendingRotation"))
    );
}
