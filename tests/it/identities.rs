//! Every identity that the daemon can have, in a process of its own on the sandbox: ready means that it signed in.

use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use jsonwebtoken::jwk::{Jwk, JwkSet};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use rekeyd::sandbox::model::FederatedCredential;
use rekeyd::sandbox::{Options, Sandbox};
use secrecy::ExposeSecret;
use serde_json::json;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::test_options::test_options;

/// A simulated Azure and a place for its files.
struct Place {
    sandbox: Sandbox,
    directory: tempfile::TempDir,
    daemon: SocketAddr,
}

impl Place {
    async fn new() -> Self {
        let daemon = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let sandbox = Sandbox::start(Options { vaults: 1, start: now(), ..test_options(daemon) });
        let sandbox = sandbox.await.unwrap();
        sandbox.clock().go_real_time();
        let directory = tempfile::tempdir().unwrap();
        sandbox.write_directory(directory.path(), true).unwrap();
        Self { sandbox, directory, daemon }
    }

    fn path(&self) -> &Path {
        self.directory.path()
    }

    fn write(&self, name: &str, text: &str) -> String {
        let path = self.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    }

    fn client_id(&self) -> Uuid {
        self.sandbox.model().tenant().daemon.client_id
    }

    /// Replaces the `[identity]` table and waits for a daemon of this identity to be ready.
    async fn assert_ready_as(&self, identity: &str, environment: &[(&str, String)]) {
        let file = self.path().join("rekeyd.toml");
        let text = std::fs::read_to_string(&file).unwrap();
        let (before, rest) = text.split_once("[identity]").unwrap();
        let (_, after) = rest.split_once("\n[").unwrap();
        std::fs::write(&file, format!("{before}[identity]\n{identity}\n\n[{after}")).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_rekeyd"));
        command.arg("run").arg("--config").arg(&file).stderr(Stdio::null());
        // Variables of the tests themselves are not configuration of the daemon.
        command.env_remove("REKEYD_BIN").env_remove("REKEYD_ROUNDS").env_remove("REKEYD_SEED");
        let _daemon = Daemon(command.envs(environment.iter().cloned()).spawn().unwrap());
        let (url, limit) =
            (format!("http://{}/readyz", self.daemon), Instant::now() + Duration::from_secs(60));
        while !reqwest::get(&url).await.is_ok_and(|answer| answer.status() == 200) {
            assert!(Instant::now() < limit, "never ready as {identity}");
            tokio::time::sleep_until(tokio::time::Instant::now() + Duration::from_millis(50)).await;
        }
    }

    /// Makes the daemon's application trust assertions of `issuer`
    /// about `subject`, and returns the key to sign them with.
    fn trust(&self, issuer: &str, subject: &str, audience: &str) -> rcgen::KeyPair {
        let pair =
            rcgen::KeyPair::generate_rsa_for(&rcgen::PKCS_RSA_SHA256, rcgen::RsaKeySize::_2048).unwrap();
        let key = EncodingKey::from_rsa_pem(pair.serialize_pem().as_bytes()).unwrap();
        let mut jwk = Jwk::from_encoding_key(&key, Algorithm::RS256).unwrap();
        jwk.common.key_id = Some("key-1".to_owned());
        jwk.common.key_algorithm = None;
        self.sandbox.model().add_federated_credential(FederatedCredential {
            client_id: self.client_id(),
            issuer: issuer.to_owned(),
            subject: subject.to_owned(),
            audience: audience.to_owned(),
            keys: JwkSet { keys: vec![jwk] },
        });
        pair
    }
}

struct Daemon(Child);

impl Drop for Daemon {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

#[expect(clippy::disallowed_methods, reason = "the daemon's own tokens are in real time")]
fn now() -> OffsetDateTime {
    OffsetDateTime::now_utc()
}

#[tokio::test]
async fn a_client_secret_signs_the_daemon_in() {
    let place = Place::new().await;
    let (client_id, secret) = (place.client_id(), place.path().join("daemon-secret"));
    let identity = format!(
        "kind = \"client-secret\"\nclient_id = \"{client_id}\"\nclient_secret_file = \"{}\"",
        secret.display()
    );
    place.assert_ready_as(&identity, &[]).await;
}

/// A managed identity of App Service signs the daemon in, system-assigned or user-assigned.
#[tokio::test]
async fn managed_identity_signs_the_daemon_in() {
    let place = Place::new().await;
    let endpoint = format!("{}/msi/token", place.sandbox.endpoints().authority);
    let header = place.sandbox.model().tenant().identity_header.expose_secret().to_owned();
    let environment = [("IDENTITY_ENDPOINT", endpoint), ("IDENTITY_HEADER", header)];
    place.assert_ready_as("kind = \"managed-identity\"", &environment).await;
    let user_assigned = format!("kind = \"managed-identity\"\nclient_id = \"{}\"", place.client_id());
    place.assert_ready_as(&user_assigned, &environment).await;
}

#[tokio::test]
async fn a_workload_identity_signs_the_daemon_in() {
    let place = Place::new().await;
    let (issuer, subject) = ("https://cluster.example", "system:serviceaccount:rekeyd:rekeyd");
    let pair = place.trust(issuer, subject, "api://AzureADTokenExchange");
    let key = EncodingKey::from_rsa_pem(pair.serialize_pem().as_bytes()).unwrap();
    let header = Header { kid: Some("key-1".to_owned()), ..Header::new(Algorithm::RS256) };
    let signed = now().unix_timestamp();
    let claims = json!({"iss": issuer, "sub": subject, "aud": "api://AzureADTokenExchange", "exp": signed + 3_600, "nbf": signed});
    let token = place.write("service-account-token", &jsonwebtoken::encode(&header, &claims, &key).unwrap());
    let identity = "kind = \"workload-identity\"";
    let environment =
        [("AZURE_CLIENT_ID", place.client_id().to_string()), ("AZURE_FEDERATED_TOKEN_FILE", token.clone())];
    place.assert_ready_as(identity, &environment).await;
    let configured = format!("{identity}\nclient_id = \"{}\"\ntoken_file = \"{token}\"", place.client_id());
    place.assert_ready_as(&configured, &[]).await;
}

#[tokio::test]
async fn a_certificate_signs_the_daemon_in() {
    let place = Place::new().await;
    let endpoints = place.sandbox.endpoints();
    let audience = format!("{}/{}/oauth2/v2.0/token", endpoints.authority, endpoints.tenant_id);
    let client_id = place.client_id().to_string();
    let pair = place.trust(&client_id, &client_id, &audience);
    let certificate = rcgen::CertificateParams::new(Vec::new()).unwrap().self_signed(&pair).unwrap();
    let certificate = place.write("daemon.pem", &certificate.pem());
    let key = place.write("daemon.key", &pair.serialize_pem());
    let identity = format!(
        "kind = \"client-certificate\"\nclient_id = \"{client_id}\"\ncertificate_file = \"{certificate}\"\nprivate_key_file = \"{key}\""
    );
    place.assert_ready_as(&identity, &[]).await;
}

/// The Azure CLI itself is too large to install for this: a script stands in for it that prints what `az` prints,
/// with a real token of the simulated Entra for whichever resource it is asked for.
#[tokio::test]
async fn the_azure_cli_signs_the_daemon_in() {
    let place = Place::new().await;
    let endpoints = place.sandbox.endpoints();
    let secret = place.sandbox.model().tenant().daemon.secret.expose_secret().to_owned();
    let script = format!(
        "#!/bin/sh\nfor word; do case $word in https://*) scope=$word;; esac; done\n\
         token=$(curl -s --cacert {ca} {authority}/{tenant}/oauth2/v2.0/token -d grant_type=client_credentials \
         -d client_id={client_id} --data-urlencode client_secret='{secret}' -d scope=$scope | sed 's/.*\"access_token\":\"\\([^\"]*\\)\".*/\\1/')\n\
         echo \"{{\\\"accessToken\\\":\\\"$token\\\",\\\"expires_on\\\":{expires},\\\"expiresOn\\\":\\\"2038-01-01 00:00:00.000000\\\",\\\"tokenType\\\":\\\"Bearer\\\"}}\"\n",
        ca = place.path().join("ca.pem").display(),
        authority = endpoints.authority,
        tenant = endpoints.tenant_id,
        client_id = place.client_id(),
        expires = now().unix_timestamp() + 3_600,
    );
    let az = place.write("az", &script);
    std::fs::set_permissions(&az, std::fs::Permissions::from_mode(0o755)).unwrap();
    let path = format!("{}:/usr/local/bin:/usr/bin:/bin", place.path().display());
    place.assert_ready_as("kind = \"azure-cli\"", &[("PATH", path)]).await;
}
