//! Tokens for any scope, and what they say.

use rekeyd::ports::{SignIn, SignInVerifier};
use rekeyd::sandbox::{FaultKind, Service};
use secrecy::ExposeSecret;

use super::Bench;

const VAULTS: &str = "https://vault.azure.net/.default";

#[tokio::test]
async fn a_token_is_for_the_scope_it_was_asked_for_and_says_so() {
    let bench = Bench::new().await;
    let (issued, client_id) = (bench.issued().await, bench.client_id());
    let model = bench.sandbox.model();
    let principal = model.service_principal(client_id.0).unwrap();
    model.set_app_roles(principal, "https://vault.azure.net", &["Some.Role"]);
    let token = bench.azure.entra.token(client_id, &issued.secret_text, VAULTS).await.unwrap();
    let claims = token.claims.unwrap();
    assert_eq!(claims.audience, "https://vault.azure.net");
    assert_eq!(claims.client_id, Some(client_id));
    assert_eq!(claims.tenant, Some(model.tenant().id.to_string()));
    assert_eq!(claims.object_id, Some(principal.to_string()));
    assert_eq!(claims.roles, ["Some.Role".to_owned()].into());
    assert!(claims.expires.is_some_and(|end| end > crate::world::START));
}

#[tokio::test]
async fn a_resource_that_is_an_application_gives_a_token_of_version_2() {
    let bench = Bench::new().await;
    let (issued, client_id) = (bench.issued().await, bench.client_id());
    let scope = format!("{client_id}/.default");
    let token = bench.azure.entra.token(client_id, &issued.secret_text, &scope).await.unwrap();
    let claims = token.claims.unwrap();
    assert_eq!((claims.audience, claims.client_id), (client_id.to_string(), Some(client_id)));
    assert!(claims.roles.is_empty(), "a claim that is left out is no role");
}

#[tokio::test]
async fn a_refusal_says_the_same_to_whoever_asks_for_a_token() {
    let bench = Bench::new().await;
    let (issued, client_id) = (bench.issued().await, bench.client_id());
    let token = |text: &'static str| async {
        bench.azure.entra.token(client_id, &text.into(), VAULTS).await.map(drop)
    };
    assert_eq!(token("wrong").await, Err(SignIn::Wrong));
    let odd =
        bench.azure.entra.token(client_id, &issued.secret_text, "https://nobody.example/.default").await;
    assert!(matches!(odd, Err(SignIn::Unclear(_))), "a wrong scope says nothing about the secret: {odd:?}");
    assert!(bench.sandbox.model().set_application_enabled(bench.application().0, false));
    assert_eq!(token("wrong").await, Err(SignIn::ApplicationDisabled));
}

#[tokio::test]
async fn an_unclear_answer_is_asked_for_again() {
    let bench = Bench::new().await;
    let (issued, client_id) = (bench.issued().await, bench.client_id());
    for kind in [FaultKind::Unavailable, FaultKind::Timeout, FaultKind::LostReply, FaultKind::Throttled] {
        bench.fail(Service::Entra, "POST", "/token", kind, 2);
        let token = bench.azure.entra.token(client_id, &issued.secret_text, VAULTS).await;
        assert!(token.is_ok(), "{kind:?}: {token:?}");
        bench.fail(Service::Entra, "POST", "/token", kind, 3);
        let token = bench.azure.entra.token(client_id, &issued.secret_text, VAULTS).await;
        assert!(matches!(token, Err(SignIn::Unclear(_))), "{kind:?}: {token:?}");
    }
}

#[tokio::test]
async fn neither_a_token_nor_a_text_shows() {
    let bench = Bench::new().await;
    let (issued, client_id) = (bench.issued().await, bench.client_id());
    let token = bench.azure.entra.token(client_id, &issued.secret_text, VAULTS).await.unwrap();
    bench.fail(Service::Entra, "POST", "/token", FaultKind::Timeout, 3);
    let unclear = bench.azure.entra.token(client_id, &issued.secret_text, VAULTS).await.unwrap_err();
    assert!(bench.sandbox.model().set_application_enabled(bench.application().0, false));
    let refused = bench.azure.entra.token(client_id, &issued.secret_text, VAULTS).await.unwrap_err();
    let shown = format!("{issued:?} {token:?} {unclear:?} {refused:?} {:?}", bench.azure);
    for secret in [token.text.expose_secret(), issued.secret_text.expose_secret()] {
        assert!(!shown.contains(secret));
        assert!(!bench.metrics.render().unwrap().contains(secret));
    }
}
