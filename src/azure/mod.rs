//! The ports on Azure: Key Vault through Microsoft's client, Graph and Entra through our own thin ones.
//!
//! Nothing here decides anything. Every call has a time-out, writes are sent once, and each error says what is
//! known of its effect.

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
    /// The keys of those whose tokens are taken.
    pub token_keys: Arc<OpenId>,
    /// The queue of events, if one is configured.
    pub storage_queue: Option<Arc<StorageQueue>>,
}

/// Why the adapters can't be made.
#[derive(Debug, thiserror::Error)]
pub enum AzureError {
    /// No HTTPS client.
    #[error(transparent)]
    Transport(#[from] TransportError),
    /// No identity.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// An address that can't be used.
    #[error("a configured URL can't be used")]
    Url(#[from] url::ParseError),
    /// The SDK refuses a vault.
    #[error("the Key Vault client can't be made")]
    KeyVault(#[source] azure_core::Error),
    /// The SDK refuses the queue.
    #[error("the Storage Queue client can't be made")]
    StorageQueue(#[source] azure_core::Error),
}

/// Makes the adapters. Nothing is sent yet.
///
/// # Errors
/// What is missing or unusable.
pub fn connect(
    config: &Config,
    clock: &Arc<dyn Clock>,
    skew: &Arc<ClockSkew>,
    metrics: &Arc<Metrics>,
) -> Result<Azure, AzureError> {
    let azure = &config.azure;
    let (https, local) = (transport::https_client(azure)?, transport::local_client(azure)?);
    let watch = Arc::new(ObserverSinks {
        clock: Arc::clone(clock),
        skew: Arc::clone(skew),
        metrics: Arc::clone(metrics),
    });
    let watching = |service| RequestObserver::new(service, Arc::clone(&watch));
    let options = |client, service| transport::client_options(azure, client, watching(service));
    let credential = || {
        identity::credential(azure, &config.identity, options(&https, "entra"), options(&local, "identity"))
    };
    let key_vault = KeyVault::new(
        azure,
        &config.vaults,
        &credential()?,
        &options(&https, "key_vault"),
        Arc::clone(clock),
    )
    .map_err(AzureError::KeyVault)?;
    let token = TokenSource::new(credential()?, azure.graph_scope.clone());
    let graph = Graph::new(https.clone(), &azure.graph_url, token, watching("graph"), Arc::clone(clock))?;
    let probe = HttpsProbe::new(https.clone(), watching("resource"));
    let token_keys = OpenId::new(https.clone(), azure.openid_url.clone(), watching("openid"));
    let storage_queue = match &config.queue {
        Some(queue) => {
            let made = StorageQueue::new(&queue.url, &credential()?, &options(&https, "storage_queue"));
            Some(Arc::new(made.map_err(AzureError::StorageQueue)?))
        }
        None => None,
    };
    let scope = config.verify.scope.clone();
    let entra = Entra::new(
        https,
        &azure.authority_url,
        &azure.tenant_id,
        scope,
        watching("entra"),
        Arc::clone(clock),
    )?;
    Ok(Azure {
        key_vault: Arc::new(key_vault),
        graph: Arc::new(graph),
        entra: Arc::new(entra),
        probe: Arc::new(probe),
        token_keys: Arc::new(token_keys),
        storage_queue,
    })
}
