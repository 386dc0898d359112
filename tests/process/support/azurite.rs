//! Azurite, Microsoft's emulator of Storage, in a process of its own: the queue that events come from.

use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use reqwest::{Certificate, Client, Method, StatusCode};
use tempfile::TempDir;

use super::provider::certificates;
use super::{Azure, PATIENCE, eventually};

/// Azurite's process. It is killed when it is dropped. It does not check tokens closely: any of the tenant's will do.
pub(crate) struct Azurite {
    child: Child,
    http: Client,
    token: String,
    /// The account's address, without a slash at its end.
    pub(crate) account: String,
    pub(crate) ca_pem: String,
    _directory: TempDir,
}

impl Azurite {
    /// Starts it; `token` is one for Storage.
    pub(crate) async fn start(token: String) -> Self {
        let directory = TempDir::new().unwrap();
        let (ca_pem, leaf_key, leaf) = certificates();
        let [key, certificate] = ["azurite.key", "azurite.pem"].map(|name| directory.path().join(name));
        std::fs::write(&key, leaf_key).unwrap();
        std::fs::write(&certificate, leaf).unwrap();
        Self::launch(directory, [&certificate, &key], ca_pem, free_port(), token).await
    }

    /// Starts it with the certificate that a sandbox wrote for it, at the port that the sandbox was started with.
    pub(crate) async fn beside(azure: &Azure, port: u16) -> Self {
        let directory = TempDir::new().unwrap();
        let [certificate, key] = ["localhost.pem", "localhost.key"].map(|name| azure.file(name));
        let ca_pem = std::fs::read_to_string(azure.file("ca.pem")).unwrap();
        let token = azure.token("https://storage.azure.com/.default").await;
        Self::launch(directory, [&certificate, &key], ca_pem, port, token).await
    }

    async fn launch(
        directory: TempDir,
        [certificate, key]: [&Path; 2],
        ca_pem: String,
        port: u16,
        token: String,
    ) -> Self {
        let program = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/azurite/node_modules/.bin/azurite-queue");
        let child = Command::new(program)
            .args(["--silent", "--disableTelemetry", "--skipApiVersionCheck", "--inMemoryPersistence"])
            .args(["--oauth", "basic", "--queueHost", "localhost", "--queuePort", &port.to_string()])
            .arg("--cert")
            .arg(certificate)
            .arg("--key")
            .arg(key)
            .current_dir(directory.path())
            .stdout(Stdio::null())
            .spawn()
            .expect("Azurite is there (.ci/install)");
        let roots = [Certificate::from_pem(ca_pem.as_bytes()).unwrap()];
        let http = Client::builder().no_proxy().timeout(PATIENCE).tls_certs_only(roots).build().unwrap();
        let account = format!("https://localhost:{port}/devstoreaccount1");
        let azurite = Self { child, http, token, account, ca_pem, _directory: directory };
        eventually("Azurite answers", PATIENCE, async || azurite.count("none").await.ok()).await;
        azurite
    }

    pub(crate) fn url(&self, queue: &str) -> String {
        format!("{}/{queue}", self.account)
    }

    pub(crate) async fn create(&self, queue: &str) {
        let status = self.send(Method::PUT, &self.url(queue), "").await.unwrap().status();
        assert_eq!(status, StatusCode::CREATED);
    }

    /// Puts a message, as its text is written in XML.
    pub(crate) async fn put(&self, queue: &str, text: &str) {
        let body = format!("<QueueMessage><MessageText>{text}</MessageText></QueueMessage>");
        let url = format!("{}/messages", self.url(queue));
        let answer = self.send(Method::POST, &url, &body).await.unwrap();
        assert_eq!(answer.status(), StatusCode::CREATED);
    }

    /// Returns the number of messages, including hidden ones; none in a queue that does not exist.
    pub(crate) async fn count(&self, queue: &str) -> Result<u64, reqwest::Error> {
        let answer = self.send(Method::GET, &format!("{}?comp=metadata", self.url(queue)), "").await?;
        let count = answer.headers().get("x-ms-approximate-messages-count");
        Ok(count.map_or(0, |count| count.to_str().unwrap().parse().unwrap()))
    }

    async fn send(&self, method: Method, url: &str, body: &str) -> Result<reqwest::Response, reqwest::Error> {
        let request = self.http.request(method, url).bearer_auth(&self.token);
        let request = request.header("x-ms-version", "2021-12-02").header("x-ms-date", now());
        request.header("content-type", "application/xml").body(body.to_owned()).send().await
    }
}

impl Drop for Azurite {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Returns a port that nothing listens on now.
pub(crate) fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

#[expect(clippy::disallowed_methods, reason = "Azurite lives in real time")]
fn now() -> String {
    httpdate(time::OffsetDateTime::now_utc())
}

fn httpdate(moment: time::OffsetDateTime) -> String {
    let format = time::macros::format_description!(
        "[weekday repr:short], [day] [month repr:short] [year] [hour]:[minute]:[second] GMT"
    );
    moment.format(format).unwrap()
}
