//! The server's own TLS: a certificate from files, read again when they change.

use std::net::TcpListener;
use std::path::Path;
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rekeyd::config::TlsConfig;
use rekeyd::http::{Server, Tls};
use reqwest::{Certificate, Client};
use tokio_util::sync::CancellationToken;

/// Writes a certificate of `localhost` and its key; returns the authority that signed it.
fn write_certificate(directory: &Path) -> String {
    let (ca_key, leaf_key) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
    let mut ca = CertificateParams::new(Vec::new()).unwrap();
    ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let ca_pem = ca.self_signed(&ca_key).unwrap().pem();
    let leaf = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    let leaf = leaf.signed_by(&leaf_key, &Issuer::new(ca, ca_key)).unwrap();
    std::fs::write(directory.join("tls.crt"), leaf.pem()).unwrap();
    std::fs::write(directory.join("tls.key"), leaf_key.serialize_pem()).unwrap();
    ca_pem
}

/// Returns true if a client that trusts only `ca` gets an answer.
async fn is_trusted(port: u16, ca: &str) -> bool {
    let roots = [Certificate::from_pem(ca.as_bytes()).unwrap()];
    let client = Client::builder().no_proxy().tls_certs_only(roots).build().unwrap();
    client.get(format!("https://localhost:{port}/")).send().await.is_ok()
}

/// Waits until a client that trusts only `ca` gets an answer.
async fn becomes_trusted(port: u16, ca: &str) {
    let mut tries = 0;
    while !is_trusted(port, ca).await {
        tries += 1;
        assert!(tries < 500, "the second certificate is never shown");
        tokio::task::yield_now().await;
    }
}

/// A changed certificate comes into use without a restart, and a broken one changes nothing.
#[tokio::test]
async fn changed_certificate_is_reloaded_without_restart() {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let directory = tempfile::tempdir().unwrap();
    let file = |name: &str| directory.path().join(name);
    let first = write_certificate(directory.path());
    let files = TlsConfig { certificate_file: file("tls.crt"), private_key_file: file("tls.key") };
    let (tls, stop) = (Tls::read(&files).await.unwrap(), CancellationToken::new());
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let routes = Router::new().route("/", get(async || "here"));
    let server = Server::start(listener, routes, Some(&tls)).unwrap();
    #[expect(clippy::disallowed_methods, reason = "it ends with the test's runtime")]
    tokio::spawn(tls.keep_fresh(Duration::from_millis(20), stop.clone()));
    assert!(is_trusted(port, &first).await);

    let second = write_certificate(directory.path());
    becomes_trusted(port, &second).await;
    assert!(!is_trusted(port, &first).await);

    std::fs::write(file("tls.crt"), "nonsense").unwrap();
    for _ in 0..20 {
        assert!(is_trusted(port, &second).await, "a broken file must not replace the certificate");
    }
    stop.cancel();
    server.stop().await;
}

/// A certificate that cannot be used is reported with its file paths before any port is served.
#[tokio::test]
async fn unusable_certificate_is_named_before_serving() {
    let files =
        TlsConfig { certificate_file: "/none/tls.crt".into(), private_key_file: "/none/tls.key".into() };
    let error = Tls::read(&files).await.unwrap_err().to_string();
    assert!(error.contains("/none/tls.crt") && error.contains("/none/tls.key"), "{error}");
}

/// A certificate that changes between start and the first check is noticed too.
#[tokio::test]
async fn change_before_first_check_is_noticed() {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let directory = tempfile::tempdir().unwrap();
    write_certificate(directory.path());
    let file = |name: &str| directory.path().join(name);
    let files = TlsConfig { certificate_file: file("tls.crt"), private_key_file: file("tls.key") };
    let (tls, stop) = (Tls::read(&files).await.unwrap(), CancellationToken::new());
    let second = write_certificate(directory.path());
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let server = Server::start(listener, Router::new().route("/", get(async || "here")), Some(&tls)).unwrap();
    #[expect(clippy::disallowed_methods, reason = "it ends with the test's runtime")]
    tokio::spawn(tls.keep_fresh(Duration::from_millis(20), stop.clone()));
    becomes_trusted(port, &second).await;
    stop.cancel();
    server.stop().await;
}
