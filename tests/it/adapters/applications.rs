//! Applications and their service principals, as read from Graph, and the daemon's own identity.

use std::sync::Arc;

use rekeyd::domain::{AppObjectId, ApplicationRef, ClientId};
use rekeyd::ports::{Application, CredentialIssuer, OwnIdentity, ServicePrincipal};
use rekeyd::sandbox::model::{ApplicationChange, Audience, Redirects};
use rekeyd::sandbox::{DirectPorts, FaultKind, Service};
use time::OffsetDateTime;
use uuid::Uuid;

use super::Bench;
use crate::world::START;

async fn read(bench: &Bench, id: Uuid) -> Application {
    bench.azure.graph.read_application(ApplicationRef::Either(id)).await.unwrap().unwrap()
}

/// Adds an application without passwords.
fn bare(bench: &Bench, change: ApplicationChange) -> Uuid {
    bench.sandbox.model().add_settled_application(change, START).object_id
}

/// An application's tags are read as written, with whether its audience admits personal accounts.
#[tokio::test]
async fn application_tags_and_audience_are_read() {
    let bench = Bench::new().await;
    let id = bench.application().0;
    assert!(!read(&bench, id).await.admits_personal_accounts);
    bench.change_application(ApplicationChange {
        tags: Some(vec!["rekeyd:secret=vault-1/app-01".to_owned(), "other".to_owned()]),
        audience: Some(Audience::AnyOrganisationAndPersonal),
        ..ApplicationChange::default()
    });
    let found = read(&bench, id).await;
    assert_eq!(found.tags, ["rekeyd:secret=vault-1/app-01", "other"]);
    assert!(found.admits_personal_accounts);
}

/// An application counts as public-only if it allows public clients and has neither an app ID URI nor a password.
#[tokio::test]
async fn public_client_has_no_uri_or_password() {
    let bench = Bench::new().await;
    let public = || ApplicationChange { is_fallback_public_client: Some(true), ..Default::default() };
    let with_uri =
        ApplicationChange { identifier_uris: Some(vec!["api://something".to_owned()]), ..public() };
    assert!(read(&bench, bare(&bench, public())).await.is_public_only);
    assert!(!read(&bench, bare(&bench, with_uri)).await.is_public_only);
    bench.change_application(public());
    assert!(!read(&bench, bench.application().0).await.is_public_only, "it has a password");
}

/// A service principal is found by its client ID, with its object ID and whether sign-in is enabled.
#[tokio::test]
async fn service_principal_is_found_by_client_id() {
    let bench = Bench::new().await;
    let (client_id, model) = (bench.client_id(), bench.sandbox.model());
    let object_id = model.service_principal(client_id.0).unwrap();
    for is_enabled in [true, false] {
        model.enable_service_principal(object_id, is_enabled).unwrap();
        let found = bench.azure.graph.read_service_principal(client_id).await.unwrap();
        assert_eq!(found, Some(ServicePrincipal { object_id: object_id.to_string(), is_enabled }));
    }
}

/// Reading the service principal of an application without one, or of an unknown client ID, returns `None`.
#[tokio::test]
async fn missing_service_principal_is_none() {
    let bench = Bench::new().await;
    let model = bench.sandbox.model();
    model.delete_service_principal(model.service_principal(bench.client_id().0).unwrap()).unwrap();
    for client_id in [bench.client_id(), ClientId(Uuid::nil())] {
        assert_eq!(bench.azure.graph.read_service_principal(client_id).await.unwrap(), None);
    }
}

/// A service principal that cannot be read, for lack of a right or in an outage, is an error and not missing.
#[tokio::test]
async fn unreadable_service_principal_is_an_error() {
    let bench = Bench::new().await;
    bench.permit(&[]);
    let refused = bench.azure.graph.read_service_principal(bench.client_id()).await.unwrap_err();
    assert_eq!(refused.code(), Some("Authorization_RequestDenied"));
    bench.fail(Service::Graph, "GET", "/servicePrincipals", FaultKind::Unavailable, 20);
    assert!(bench.azure.graph.read_service_principal(bench.client_id()).await.is_err());
}

/// The daemon reads its own client ID, object ID and roles from its own access token.
#[tokio::test]
async fn daemon_identity_comes_from_its_token() {
    let bench = Bench::new().await;
    bench.permit(&["Application.ReadWrite.OwnedBy", "Policy.Read.All"]);
    let daemon = &bench.sandbox.model().tenant().daemon;
    let caller = bench.azure.graph.read_own_identity().await.unwrap();
    let roles = ["Application.ReadWrite.OwnedBy", "Policy.Read.All"].map(str::to_owned).into();
    let expected = OwnIdentity {
        client_id: Some(ClientId(daemon.client_id)),
        object_id: Some(daemon.object_id.to_string()),
        roles,
    };
    assert_eq!(caller, expected);
}

/// The sandbox returns the same application over HTTPS and through its direct ports.
#[tokio::test]
async fn direct_and_https_applications_agree() {
    let bench = Bench::new().await;
    let direct = DirectPorts { model: Arc::clone(bench.sandbox.model()), clock: bench.sandbox.clock() };
    let redirects = || Some(Redirects { redirect_uris: vec!["https://somewhere.example".to_owned()] });
    let public = || ApplicationChange { public_client: redirects(), ..Default::default() };
    let changes = [
        ApplicationChange::default(),
        public(),
        ApplicationChange { web: redirects(), ..public() },
        ApplicationChange { spa: redirects(), ..public() },
        ApplicationChange { audience: Some(Audience::Personal), ..public() },
        ApplicationChange { is_fallback_public_client: Some(true), ..Default::default() },
        ApplicationChange {
            is_fallback_public_client: Some(true),
            identifier_uris: Some(vec!["api://something".to_owned()]),
            ..Default::default()
        },
    ];
    let mut ids: Vec<_> = changes.into_iter().map(|change| bare(&bench, change)).collect();
    ids.push(bench.application().0);
    for id in ids {
        let application = ApplicationRef::ObjectId(AppObjectId(id));
        let over_https = bench.azure.graph.read_application(application).await.unwrap();
        assert!(over_https.is_some());
        assert_eq!(over_https, direct.read_application(application).await.unwrap());
    }
}

/// Dates are read exactly as Graph writes them, with seven digits.
#[tokio::test]
async fn credential_end_is_read_exactly() {
    let bench = Bench::new().await;
    let issued = bench.issued().await;
    let found = read(&bench, bench.application().0).await.credentials;
    let ends: Vec<OffsetDateTime> =
        found.iter().filter(|found| found.key_id == issued.key_id).map(|found| found.end).collect();
    assert_eq!(ends, [issued.end]);
}
