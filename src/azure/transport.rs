//! The HTTP transport: TLS with the system's roots and an extra CA, time-outs on everything, no redirects, no retries.

use std::path::PathBuf;
use std::sync::Arc;

use azure_core::cloud::{CloudConfiguration, CustomConfiguration};
use azure_core::http::{ClientOptions, RetryOptions, Transport, UserAgentOptions};
use reqwest::redirect::Policy;

use super::observer::RequestObserver;
use crate::config::AzureConfig;

/// The reason why no client can be created.
#[derive(Debug, thiserror::Error)]
pub enum TransportError {
    /// The extra CA file can't be read.
    #[error("can't read the CA file {}", path.display())]
    UnreadableCa {
        /// The file.
        path: PathBuf,
        /// The cause.
        #[source]
        source: std::io::Error,
    },
    /// The extra CA file holds no certificates.
    #[error("the CA file {} does not contain a PEM certificate", path.display())]
    InvalidCa {
        /// The file.
        path: PathBuf,
        /// The cause.
        #[source]
        source: Option<reqwest::Error>,
    },
    /// There are no root certificates, or TLS can't be set up.
    #[error("can't create an HTTPS client: check that the system's CA certificates are installed")]
    Client(#[source] reqwest::Error),
}

/// Returns the HTTPS client for all Azure services. A proxy is taken from the environment, but is not used to reach a
/// sandbox on this machine: only there may the check of the challenge be off.
pub(super) fn https_client(config: &AzureConfig) -> Result<reqwest::Client, TransportError> {
    let client = base(config).tls_certs_merge(extra_roots(config)?);
    let client = if config.verify_challenge_resource { client } else { client.no_proxy() };
    client.build().map_err(TransportError::Client)
}

/// Returns the client for the local managed-identity endpoint: never through a proxy.
pub(super) fn local_client(config: &AzureConfig) -> Result<reqwest::Client, TransportError> {
    let roots = extra_roots(config)?;
    base(config).tls_certs_merge(roots).no_proxy().build().map_err(TransportError::Client)
}

fn base(config: &AzureConfig) -> reqwest::ClientBuilder {
    reqwest::Client::builder()
        .user_agent(concat!("rekeyd/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(config.connect_timeout)
        .timeout(config.request_timeout)
        .redirect(Policy::none())
        .tcp_nodelay(true)
}

fn extra_roots(config: &AzureConfig) -> Result<Vec<reqwest::Certificate>, TransportError> {
    let Some(path) = config.ca_file.clone() else { return Ok(Vec::new()) };
    let pem =
        std::fs::read(&path).map_err(|source| TransportError::UnreadableCa { path: path.clone(), source })?;
    match reqwest::Certificate::from_pem_bundle(&pem) {
        Ok(roots) if roots.is_empty() => Err(TransportError::InvalidCa { path, source: None }),
        Ok(roots) => Ok(roots),
        Err(source) => Err(TransportError::InvalidCa { path, source: Some(source) }),
    }
}

/// Returns the SDK's options: our client, our observer on each try, no retries of its own.
pub(super) fn client_options(
    config: &AzureConfig,
    client: &reqwest::Client,
    observer: RequestObserver,
) -> ClientOptions {
    let mut cloud = CustomConfiguration::default();
    config.authority_url.as_str().trim_end_matches('/').clone_into(&mut cloud.authority_host);
    ClientOptions {
        transport: Some(Transport::new(Arc::new(client.clone()))),
        per_try_policies: vec![Arc::new(observer)],
        // Writes must not be repeated blindly, and reads are retried on our own clock.
        retry: RetryOptions::none(),
        user_agent: UserAgentOptions { application_id: Some("rekeyd".to_owned()) },
        cloud: Some(Arc::new(CloudConfiguration::Custom(cloud))),
        ..ClientOptions::default()
    }
}
