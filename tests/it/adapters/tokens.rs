//! Tokens for any scope, and their claims.

use rekeyd::ports::{SignIn, SignInVerifier};
use rekeyd::sandbox::{FaultKind, Service};
use secrecy::ExposeSecret;

use super::Bench;

const VAULTS: &str = "https://vault.azure.net/.default";

/// A token is for the requested scope, and its claims name the audience, client, tenant, object and roles.
#[tokio::test]
async fn token_claims_match_the_requested_scope() {
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

/// A token for a resource that is an application itself has version 2 claims, with the client ID as audience.
#[tokio::test]
async fn application_scope_gives_a_v2_token() {
    let bench = Bench::new().await;
    let (issued, client_id) = (bench.issued().await, bench.client_id());
    let scope = format!("{client_id}/.default");
    let token = bench.azure.entra.token(client_id, &issued.secret_text, &scope).await.unwrap();
    let claims = token.claims.unwrap();
    assert_eq!((claims.audience, claims.client_id), (client_id.to_string(), Some(client_id)));
    assert!(claims.roles.is_empty(), "a claim that is left out grants no role");
}

/// A refused token request has the same result as a refused sign-in, and a wrong scope is unclear.
#[tokio::test]
async fn token_refusal_matches_sign_in_refusal() {
    let bench = Bench::new().await;
    let (issued, client_id) = (bench.issued().await, bench.client_id());
    let token = |text: &'static str| async {
        bench.azure.entra.token(client_id, &text.into(), VAULTS).await.map(drop)
    };
    assert_eq!(token("wrong").await, Err(SignIn::Wrong));
    let odd =
        bench.azure.entra.token(client_id, &issued.secret_text, "https://unknown.example/.default").await;
    assert!(matches!(odd, Err(SignIn::Unclear(_))), "a wrong scope proves nothing about the secret: {odd:?}");
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
