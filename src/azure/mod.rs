//! The ports on Azure: Key Vault through Microsoft's client, Graph and Entra through our own thin ones.
//!
//! The adapters make no decisions. Every call has a time-out, writes are sent once, and each error states the known
//! effect of the call.

mod az_login;
mod claims;
mod entra;
mod errors;
mod event_grid;
mod graph;
mod identity;
mod key_vault;
mod observer;
mod openid;
mod permission;
mod probe;
mod retry;
mod storage_queue;
mod token;
mod transport;

use std::sync::Arc;

use azure_core::credentials::TokenCredential;
use azure_core::http::ClientOptions;

pub use az_login::AzLogin;
pub use entra::Entra;
pub use errors::refused;
pub use event_grid::EventGridHandshake;
pub use graph::Graph;
pub use identity::IdentityError;
pub use key_vault::KeyVault;
pub use openid::OpenId;
pub use probe::HttpsProbe;
pub use storage_queue::StorageQueue;
pub use transport::TransportError;

use crate::clock::ClockSkew;
use crate::config::Config;
use crate::metrics::Metrics;
use crate::ports::Clock;
use observer::{ObserverSinks, RequestObserver};
use token::TokenSource;

/// The adapters of one daemon.
#[derive(Debug)]
pub struct Azure {
    /// The vaults.
    pub key_vault: Arc<KeyVault>,
    /// The directory of applications.
    pub graph: Arc<Graph>,
    /// The token endpoint.
    pub entra: Arc<Entra>,
    /// Protected resources.
    pub probe: Arc<HttpsProbe>,
    /// The signing keys of the issuer whose tokens are accepted.
    pub token_keys: Arc<OpenId>,
    /// The queue of events, if one is configured.
    pub storage_queue: Option<Arc<StorageQueue>>,
}

/// The reason why the adapters can't be created.
#[derive(Debug, thiserror::Error)]
pub enum AzureError {
    /// No HTTPS client.
    #[error(transparent)]
    Transport(#[from] TransportError),
    /// The daemon has no identity.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// A URL that can't be used.
    #[error("a configured URL is not valid")]
    Url(#[from] url::ParseError),
    /// The SDK refuses a vault.
    #[error("can't create the Key Vault client")]
    KeyVault(#[source] azure_core::Error),
    /// The SDK refuses the queue.
    #[error("can't create the Storage Queue client")]
    StorageQueue(#[source] azure_core::Error),
}

/// Creates the adapters. Sends nothing yet.
///
/// # Errors
/// Something that the adapters need is missing or unusable.
pub fn connect(
    config: &Config,
    clock: &Arc<dyn Clock>,
    skew: &Arc<ClockSkew>,
    metrics: &Arc<Metrics>,
) -> Result<Azure, AzureError> {
    Connector::new(config, clock, skew, metrics)?.connect()
}

/// The parts that all adapters share.
struct Connector<'a> {
    config: &'a Config,
    clock: &'a Arc<dyn Clock>,
    https: reqwest::Client,
    /// The client for the managed-identity endpoint of this machine.
    local: reqwest::Client,
    sinks: Arc<ObserverSinks>,
}

impl<'a> Connector<'a> {
    fn new(
        config: &'a Config,
        clock: &'a Arc<dyn Clock>,
        skew: &Arc<ClockSkew>,
        metrics: &Arc<Metrics>,
    ) -> Result<Self, TransportError> {
        Ok(Self {
            config,
            clock,
            https: transport::https_client(&config.azure)?,
            local: transport::local_client(&config.azure)?,
            sinks: Arc::new(ObserverSinks {
                clock: Arc::clone(clock),
                skew: Arc::clone(skew),
                metrics: Arc::clone(metrics),
            }),
        })
    }

    fn connect(&self) -> Result<Azure, AzureError> {
        let openid_url = self.config.azure.openid_url.clone();
        Ok(Azure {
            key_vault: Arc::new(self.key_vault()?),
            graph: Arc::new(self.graph()?),
            entra: Arc::new(self.entra()?),
            probe: Arc::new(HttpsProbe::new(self.https.clone(), self.observer("resource"))),
            token_keys: Arc::new(OpenId::new(self.https.clone(), openid_url, self.observer("openid"))),
            storage_queue: self.storage_queue()?.map(Arc::new),
        })
    }

    fn key_vault(&self) -> Result<KeyVault, AzureError> {
        let (azure, vaults) = (&self.config.azure, &self.config.vaults);
        let (credential, options) = (self.credential()?, self.options("key_vault"));
        KeyVault::new(azure, vaults, &credential, &options, Arc::clone(self.clock))
            .map_err(AzureError::KeyVault)
    }

    fn graph(&self) -> Result<Graph, AzureError> {
        let azure = &self.config.azure;
        let token = TokenSource::new(self.credential()?, azure.graph_scope.clone());
        let (observer, clock) = (self.observer("graph"), Arc::clone(self.clock));
        Ok(Graph::new(self.https.clone(), &azure.graph_url, token, observer, clock)?)
    }

    fn entra(&self) -> Result<Entra, AzureError> {
        let (azure, scope) = (&self.config.azure, self.config.verify.scope.clone());
        let (observer, clock) = (self.observer("entra"), Arc::clone(self.clock));
        Ok(Entra::new(self.https.clone(), &azure.authority_url, &azure.tenant_id, scope, observer, clock)?)
    }

    fn storage_queue(&self) -> Result<Option<StorageQueue>, AzureError> {
        let Some(queue) = &self.config.queue else { return Ok(None) };
        let queue = StorageQueue::new(&queue.url, &self.credential()?, &self.options("storage_queue"));
        queue.map(Some).map_err(AzureError::StorageQueue)
    }

    /// Returns a separate credential for each adapter: the SDK has a single lock for all that a credential caches.
    fn credential(&self) -> Result<Arc<dyn TokenCredential>, IdentityError> {
        let azure = &self.config.azure;
        let local = transport::client_options(azure, &self.local, self.observer("identity"));
        identity::credential(azure, &self.config.identity, self.options("entra"), local)
    }

    fn options(&self, service: &'static str) -> ClientOptions {
        transport::client_options(&self.config.azure, &self.https, self.observer(service))
    }

    fn observer(&self, service: &'static str) -> RequestObserver {
        RequestObserver::new(service, Arc::clone(&self.sinks))
    }
}
