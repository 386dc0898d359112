//! The directory as a person would read it: all applications, owners, federated credentials.

use rekeyd::domain::AppObjectId;
use rekeyd::ports::Directory;
use rekeyd::sandbox::model::{ApplicationChange, FederatedIdentity};
use rekeyd::sandbox::{FaultKind, Service};
use uuid::Uuid;

use super::Bench;
use crate::world::START;

/// Every application is listed exactly once with its credentials, however many pages there are and though some fail.
#[tokio::test]
async fn every_page_of_applications_is_listed() {
    let bench = Bench::new().await;
    let add =
        |_| bench.sandbox.model().add_settled_application(ApplicationChange::default(), START).object_id;
    let mut expected: Vec<Uuid> = (0..1_100).map(add).collect();
    let known = bench.sandbox.model().applications(START).len();
    // One page fails now and then.
    bench.fail(Service::Graph, "GET", "/applications", FaultKind::Timeout, 2);
    let mut found = bench.azure.graph.list_applications().await.unwrap();
    assert_eq!(found.len(), known);
    let managed = found.iter().find(|found| found.object_id == bench.application()).unwrap();
    assert_eq!(managed.credentials.len(), 1);
    found.retain(|found| expected.contains(&found.object_id.0));
    let mut found: Vec<_> = found.into_iter().map(|found| found.object_id.0).collect();
    found.sort_unstable();
    expected.sort_unstable();
    assert_eq!(found, expected);
}

/// An application's owners are listed by object ID, and an unknown application is an error.
#[tokio::test]
async fn owners_are_listed_by_object_id() {
    let bench = Bench::new().await;
    let client = bench.sandbox.model().tenant().client.object_id;
    bench.sandbox.model().add_owner(bench.application().0, client, START).unwrap();
    let owners = bench.azure.graph.list_owners(bench.application()).await.unwrap();
    assert_eq!(owners, [bench.daemon().to_string(), client.to_string()].into());
    assert!(bench.azure.graph.list_owners(AppObjectId(Uuid::nil())).await.is_err());
}

/// An application that trusts another identity provider is reported as having federated credentials.
#[tokio::test]
async fn federated_credentials_are_detected() {
    let bench = Bench::new().await;
    let graph = &bench.azure.graph;
    assert!(!graph.has_federated_credentials(bench.application()).await.unwrap());
    let identity = FederatedIdentity {
        id: Uuid::nil(),
        name: "cluster".to_owned(),
        issuer: "https://cluster.example".to_owned(),
        subject: "system:serviceaccount:a:b".to_owned(),
        audiences: vec!["api://AzureADTokenExchange".to_owned()],
        description: None,
    };
    bench.sandbox.model().add_federated_identity(bench.application().0, identity, START).unwrap();
    assert!(graph.has_federated_credentials(bench.application()).await.unwrap());
}
