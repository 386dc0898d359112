//! The Azure adapters against the sandbox, over HTTPS, with scripted faults.

mod applications;
mod directory;
mod permissions;
mod probes;
mod report;
mod rules;
mod tokens;
mod vault_lists;

use std::sync::Arc;

use rekeyd::azure::{self, Azure};
use rekeyd::clock::ClockSkew;
use rekeyd::config::Config;
use rekeyd::domain::tags::Tags;
use rekeyd::domain::{AppObjectId, ApplicationRef, ClientId, KeyId, SecretId};
use rekeyd::metrics::Metrics;
use rekeyd::ports::{
    Clock, CredentialIssuer, CurrentVersion, DirectoryAccess as _, Hold, IssuedCredential, NewVersion,
    PortError, SecretStore, SignIn, SignInVerifier, VaultAccess as _,
};
use rekeyd::sandbox::model::{ApplicationChange, ManagedSecret};
use rekeyd::sandbox::{DirectPorts, FaultKind, Sandbox, ScriptedFault, Service};
use secrecy::ExposeSecret;
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use crate::test_options::test_options;
use crate::world::START;

/// A sandbox and the adapters on it. Sleeps on its clock pass at once.
struct Bench {
    sandbox: Sandbox,
    azure: Azure,
    skew: Arc<ClockSkew>,
    metrics: Arc<Metrics>,
}

/// The sandbox's clock, which jumps over every sleep.
#[derive(Debug)]
struct Jumping(rekeyd::sandbox::SandboxClock);

#[async_trait::async_trait]
impl Clock for Jumping {
    fn now(&self) -> OffsetDateTime {
        self.0.now()
    }

    async fn sleep_until(&self, deadline: OffsetDateTime) {
        self.0.run_until(deadline).await;
    }

    fn hold(&self) -> Hold {
        Hold::none()
    }
}

impl Bench {
    async fn new() -> Self {
        Self::changed(|_| ()).await
    }

    /// Starts a bench with a changed copy of the sandbox's own configuration.
    async fn changed(change: impl FnOnce(&mut Config)) -> Self {
        let sandbox = Sandbox::start(test_options("127.0.0.1:9".parse().unwrap()));
        let sandbox = sandbox.await.unwrap();
        let directory = tempfile::tempdir().unwrap();
        sandbox.write_directory(directory.path(), false).unwrap();
        let text = std::fs::read_to_string(directory.path().join("rekeyd.toml")).unwrap();
        let mut config = Config::parse(&text, "rekeyd.toml", &[]).unwrap();
        change(&mut config);
        let clock: Arc<dyn Clock> = Arc::new(Jumping(sandbox.clock()));
        let (skew, metrics) = (Arc::new(ClockSkew::default()), Arc::new(Metrics::new().unwrap()));
        let azure = azure::connect(&config, &clock, &skew, &metrics).unwrap();
        Self { sandbox, azure, skew, metrics }
    }

    fn managed(&self) -> ManagedSecret {
        self.sandbox.model().managed()[0].clone()
    }

    fn secret(&self) -> SecretId {
        let managed = self.managed();
        format!("{}/{}", managed.vault, managed.name).parse().unwrap()
    }

    fn application(&self) -> AppObjectId {
        AppObjectId(self.managed().object_id)
    }

    /// Returns the number of credentials of the application.
    async fn credentials(&self) -> usize {
        let application = ApplicationRef::ObjectId(self.application());
        self.azure.graph.read_application(application).await.unwrap().unwrap().credentials.len()
    }

    async fn versions(&self) -> usize {
        self.azure.key_vault.list_versions(&self.secret()).await.unwrap().len()
    }

    /// Returns the daemon's object id.
    fn daemon(&self) -> Uuid {
        self.sandbox.model().tenant().daemon.object_id
    }

    /// Sets all roles of the daemon on Graph. Its token must not have been requested yet.
    fn permit(&self, roles: &[&str]) {
        self.sandbox.model().set_app_roles(self.daemon(), "https://graph.microsoft.com", roles);
    }

    /// Changes the application.
    fn change_application(&self, change: ApplicationChange) {
        self.sandbox.model().change_application(self.application().0, change, START).unwrap();
    }

    /// Issues a credential that works at once.
    async fn issued(&self) -> IssuedCredential {
        let end = START + Duration::days(90);
        self.azure.graph.issue(self.application(), "rekeyd test", end).await.unwrap()
    }

    fn client_id(&self) -> ClientId {
        ClientId(self.managed().client_id)
    }

    /// Makes the next `count` requests of this kind fail.
    fn fail(&self, service: Service, method: &str, path: &str, kind: FaultKind, count: u32) {
        self.sandbox.script_faults(vec![ScriptedFault {
            service: Some(service),
            method: Some(method.to_owned()),
            path_contains: Some(path.to_owned()),
            kind,
            count,
        }]);
    }
}

fn version(text: &str) -> NewVersion {
    let tags = [("Team", "imaging"), ("CredentialId", "6b7a3c1e-0d7e-4d5c-9a54-0c7c8b6f2f10")];
    NewVersion {
        value: text.into(),
        enabled: true,
        expires: Some(START + Duration::days(90)),
        content_type: Some("text/plain".to_owned()),
        tags: tags.into_iter().collect(),
    }
}

/// A version is read back as written: its text, its properties, its replaced tags and its disabled state.
#[tokio::test]
async fn version_is_read_back_as_written() {
    let bench = Bench::new().await;
    let (store, secret) = (&bench.azure.key_vault, bench.secret());
    let written = store.put(&secret, version("a text ~ with + odd & characters")).await.unwrap();
    let CurrentVersion::Readable(read) = store.read_current(&secret).await.unwrap() else {
        panic!("unreadable")
    };
    assert_eq!(read.value.expose_secret(), "a text ~ with + odd & characters");
    assert_eq!(read.properties.version, written);
    assert_eq!(read.properties.expires, Some(START + Duration::days(90)));
    assert_eq!(read.properties.content_type.as_deref(), Some("text/plain"));
    assert_eq!(read.properties.tags, version("").tags);
    let only: Tags = [("Other", "x")].into_iter().collect();
    store.replace_tags(&secret, &written, &only).await.unwrap();
    store.disable(&secret, &written).await.unwrap();
    assert!(matches!(store.read_current(&secret).await.unwrap(), CurrentVersion::Disabled));
    assert!(store.read_version(&secret, &written).await.unwrap().is_none());
    let listed = store.list_versions(&secret).await.unwrap();
    let listed = listed.iter().find(|listed| listed.version == written).unwrap();
    assert_eq!((&listed.tags, listed.enabled), (&only, false));
}

/// A secret that does not exist is read as missing and lists no versions.
#[tokio::test]
async fn unknown_secret_is_missing_without_versions() {
    let bench = Bench::new().await;
    let nothing: SecretId = format!("{}/nothing", bench.secret().vault).parse().unwrap();
    assert!(matches!(bench.azure.key_vault.read_current(&nothing).await.unwrap(), CurrentVersion::Missing));
    assert_eq!(bench.azure.key_vault.list_versions(&nothing).await.unwrap(), []);
}

/// A deleted secret reads as missing and its name stays taken, over HTTPS and through the direct ports alike.
#[tokio::test]
async fn deleted_secret_keeps_its_name() {
    let bench = Bench::new().await;
    let (secret, model) = (bench.secret(), bench.sandbox.model());
    model.delete_secret(secret.vault.as_str(), secret.name.as_str(), START).unwrap();
    let direct = DirectPorts { model: Arc::clone(model), clock: bench.sandbox.clock() };
    let stores: [&dyn SecretStore; 2] = [&*bench.azure.key_vault, &direct];
    for (minutes, conflict) in [(0, "ObjectIsBeingDeleted"), (1, "ObjectIsDeletedButRecoverable")] {
        bench.sandbox.clock().run_until(START + Duration::minutes(minutes)).await;
        for store in stores {
            let put = store.put(&secret, version("another")).await.unwrap_err();
            assert_eq!((put.status(), put.code()), (Some(409), Some(conflict)));
            assert!(put.had_no_effect());
            assert!(matches!(store.read_current(&secret).await.unwrap(), CurrentVersion::Missing));
            assert_eq!(store.list_versions(&secret).await.unwrap(), []);
        }
    }
}

#[tokio::test]
async fn every_page_of_versions_is_read() {
    let bench = Bench::new().await;
    for number in 0..60 {
        bench.azure.key_vault.put(&bench.secret(), version(&format!("text {number}"))).await.unwrap();
    }
    assert_eq!(bench.versions().await, 61);
}

/// A write with a lost reply has an unknown outcome and is sent only once.
#[tokio::test]
async fn write_with_lost_reply_is_unknown() {
    let bench = Bench::new().await;
    // A client's first request only provokes the challenge, and has no effect.
    assert_eq!(bench.versions().await, 1);
    bench.fail(Service::KeyVault, "PUT", "/secrets/", FaultKind::LostReply, 1);
    let put = bench.azure.key_vault.put(&bench.secret(), version("once")).await;
    assert!(matches!(put, Err(PortError::OutcomeUnknown { .. })), "{put:?}");
    assert_eq!(bench.versions().await, 2);

    bench.fail(Service::Graph, "POST", "/addPassword", FaultKind::LostReply, 1);
    let end = START + Duration::days(90);
    let issued = bench.azure.graph.issue(bench.application(), "rekeyd test", end).await;
    assert!(matches!(issued, Err(PortError::OutcomeUnknown { .. })), "{issued:?}");
    assert_eq!(bench.credentials().await, 2);
}

/// A throttled write is reported as having had no effect and is not repeated.
#[tokio::test]
async fn throttled_write_is_not_repeated() {
    let bench = Bench::new().await;
    bench.fail(Service::Graph, "POST", "/addPassword", FaultKind::Throttled, 1);
    let end = START + Duration::days(90);
    let issued = bench.azure.graph.issue(bench.application(), "rekeyd test", end).await;
    assert!(issued.as_ref().is_err_and(PortError::had_no_effect), "{issued:?}");
    assert_eq!(bench.credentials().await, 1);
    bench.fail(Service::KeyVault, "PUT", "/secrets/", FaultKind::Throttled, 1);
    let put = bench.azure.key_vault.put(&bench.secret(), version("refused")).await;
    assert!(put.as_ref().is_err_and(PortError::had_no_effect), "{put:?}");
    assert_eq!(bench.versions().await, 1);
}

/// A write answered with a server error has an unknown outcome.
#[tokio::test]
async fn write_with_server_error_is_unknown() {
    let bench = Bench::new().await;
    bench.fail(Service::KeyVault, "PUT", "/secrets/", FaultKind::Unavailable, 1);
    let put = bench.azure.key_vault.put(&bench.secret(), version("perhaps")).await;
    assert!(matches!(put, Err(PortError::OutcomeUnknown { .. })), "{put:?}");
}

#[tokio::test]
async fn reads_are_repeated_until_they_succeed() {
    let bench = Bench::new().await;
    for kind in [FaultKind::Throttled, FaultKind::Unavailable, FaultKind::Timeout, FaultKind::LostReply] {
        bench.fail(Service::KeyVault, "GET", "/secrets/", kind, 3);
        assert!(bench.azure.key_vault.read_current(&bench.secret()).await.is_ok(), "{kind:?}");
        bench.fail(Service::Graph, "GET", "/applications", kind, 3);
        assert_eq!(bench.credentials().await, 1, "{kind:?}");
    }
}

/// An application is found by its object ID and by its client ID, and an unknown ID finds nothing.
#[tokio::test]
async fn application_is_found_by_either_id() {
    let bench = Bench::new().await;
    let (managed, graph) = (bench.managed(), &bench.azure.graph);
    let by_object =
        graph.read_application(ApplicationRef::ObjectId(AppObjectId(managed.object_id))).await.unwrap();
    let by_client =
        graph.read_application(ApplicationRef::ClientId(ClientId(managed.client_id))).await.unwrap();
    assert_eq!(by_object, by_client);
    assert!(by_object.is_some());
    for unknown in
        [ApplicationRef::ObjectId(AppObjectId(Uuid::nil())), ApplicationRef::ClientId(ClientId(Uuid::nil()))]
    {
        assert_eq!(graph.read_application(unknown).await.unwrap(), None);
    }
}

/// A credential signs in until it is revoked, and revoking it twice does no harm.
#[tokio::test]
async fn credential_signs_in_until_revoked() {
    let bench = Bench::new().await;
    let (client_id, application) = (ClientId(bench.managed().client_id), bench.application());
    let end = START + Duration::days(90);
    let issued = bench.azure.graph.issue(application, "rekeyd test", end).await.unwrap();
    assert_eq!(issued.end, end);
    assert_eq!(bench.azure.entra.sign_in(client_id, &issued.secret_text).await, SignIn::Accepted);
    for _ in 0..2 {
        bench.azure.graph.revoke(application, issued.key_id).await.unwrap();
    }
    assert_eq!(bench.azure.entra.sign_in(client_id, &issued.secret_text).await, SignIn::Wrong);
    bench.azure.graph.revoke(application, KeyId(Uuid::nil())).await.unwrap();
    assert_eq!(
        bench.azure.entra.sign_in(ClientId(Uuid::nil()), &issued.secret_text).await,
        SignIn::ApplicationUnknown
    );
    assert!(bench.sandbox.model().set_application_enabled(application.0, false));
    assert_eq!(bench.azure.entra.sign_in(client_id, &issued.secret_text).await, SignIn::ApplicationDisabled);
}

/// A sign-in without a service principal is distinguished from a sign-in to an unknown application.
#[tokio::test]
async fn missing_service_principal_is_distinguished() {
    let bench = Bench::new().await;
    let (client_id, model) = (bench.managed().client_id, bench.sandbox.model());
    let issued =
        bench.azure.graph.issue(bench.application(), "rekeyd test", START + Duration::DAY).await.unwrap();
    model.delete_service_principal(model.service_principal(client_id).unwrap()).unwrap();
    assert_eq!(
        bench.azure.entra.sign_in(ClientId(client_id), &issued.secret_text).await,
        SignIn::NoServicePrincipal
    );
}

/// A sign-in that a busy Entra does not answer is unclear and does not make the secret wrong.
#[tokio::test]
async fn busy_entra_leaves_the_secret_unclear() {
    let bench = Bench::new().await;
    bench.fail(Service::Entra, "POST", "/token", FaultKind::Unavailable, 20);
    let answer = bench.azure.entra.sign_in(ClientId(bench.managed().client_id), &"text".into()).await;
    assert!(matches!(answer, SignIn::Unclear(_)), "{answer:?}");
}

/// A write to a service that cannot be reached is reported as not sent.
#[tokio::test]
async fn unreachable_service_was_sent_nothing() {
    // A port that was free a moment ago.
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let bench = Bench::changed(|config| {
        config.azure.graph_url = format!("https://localhost:{}/", free.port()).parse().unwrap();
    })
    .await;
    let issued = bench.azure.graph.issue(bench.application(), "rekeyd test", START).await;
    assert!(matches!(issued, Err(PortError::NotSent { .. })), "{issued:?}");
}

/// A write to a vault with an untrusted certificate is not sent.
#[tokio::test]
async fn untrusted_vault_is_sent_nothing() {
    let bench = Bench::changed(|config| config.azure.ca_file = None).await;
    let put = bench.azure.key_vault.put(&bench.secret(), version("unsent")).await;
    assert!(matches!(put, Err(PortError::NotSent { .. } | PortError::NoToken { .. })), "{put:?}");
}

/// The date of an answer reveals the clock skew of the service, and the latest answer counts.
#[tokio::test]
async fn answer_date_reveals_clock_skew() {
    let bench = Bench::new().await;
    bench.azure.graph.probe().await.unwrap();
    assert!(bench.skew.is_tolerable(), "{}", bench.skew.largest());
    let late = START - Duration::hours(1);
    bench.skew.note("graph", late, late, START);
    assert_eq!(bench.skew.largest(), Duration::HOUR);
    bench.azure.graph.probe().await.unwrap();
    assert!(bench.skew.is_tolerable(), "the latest answer counts");
}

#[tokio::test]
async fn requests_are_counted_by_service_and_status() {
    let bench = Bench::new().await;
    bench.azure.key_vault.probe(&bench.secret().vault).await.unwrap();
    bench.azure.graph.probe().await.unwrap();
    let text = bench.metrics.render().unwrap();
    for series in [
        r#"rekeyd_azure_requests_total{service="key_vault",status="200"}"#,
        r#"rekeyd_azure_requests_total{service="key_vault",status="401"}"#,
        r#"rekeyd_azure_requests_total{service="graph",status="200"}"#,
        r#"rekeyd_azure_requests_total{service="entra",status="200"}"#,
    ] {
        assert!(text.contains(series), "{series} is missing in\n{text}");
    }
}
