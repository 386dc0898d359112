//! What the simulated services share: the model, the clock, the faults, the keys, and where they are served.

use tokio::sync::mpsc::UnboundedSender;
use tokio_util::task::TaskTracker;
use url::Url;

use std::sync::Arc;

use super::clock::SandboxClock;
use super::event_grid::Notice;
use super::faults::Faults;
use super::model::Model;
use super::tokens::TokenSigner;

/// One simulated Azure.
pub(crate) struct Azure {
    pub(crate) clock: SandboxClock,
    pub(crate) model: Arc<Model>,
    pub(crate) faults: Faults,
    pub(crate) signer: TokenSigner,
    pub(crate) addresses: Addresses,
    /// To Event Grid.
    pub(crate) notices: UnboundedSender<Notice>,
    /// Whoever moves the clock has it, so that there is one at a time.
    pub(crate) moving_clock: Arc<tokio::sync::Mutex<()>>,
    /// What must go on even if whoever asked for it goes away.
    pub(crate) tasks: TaskTracker,
}

/// Where everything is served.
#[derive(Debug, Clone, Default)]
pub(crate) struct Addresses {
    /// Entra and the controls; no slash at the end.
    pub(crate) authority: String,
    /// Graph, without `/v1.0`; no slash at the end.
    pub(crate) graph: String,
    /// Names and URLs, no slash at the end.
    pub(crate) vaults: Vec<(String, String)>,
}

impl Addresses {
    pub(crate) fn vault(&self, name: &str) -> &str {
        let found = self.vaults.iter().find(|(vault, _)| vault.eq_ignore_ascii_case(name));
        found.map_or("", |(_, url)| url)
    }

    /// The issuer's host and port, as the instance discovery names it.
    pub(crate) fn authority_host(&self) -> String {
        let url = Url::parse(&self.authority).ok();
        let port = url.as_ref().and_then(Url::port).map_or(String::new(), |port| format!(":{port}"));
        format!("{}{port}", url.as_ref().and_then(Url::host_str).unwrap_or_default())
    }
}
