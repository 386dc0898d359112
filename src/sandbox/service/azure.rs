//! The state that the simulated services share. Only the services and the start of a sandbox know it: everything else
//! gets the parts that it needs.

use std::sync::Arc;

use tokio::sync::mpsc::UnboundedSender;
use tokio_util::task::TaskTracker;

use super::injected_failures::InjectedFailures;
use crate::sandbox::addresses::Addresses;
use crate::sandbox::clock::SandboxClock;
use crate::sandbox::event_grid::Notice;
use crate::sandbox::faults::Faults;
use crate::sandbox::model::Model;
use crate::sandbox::resources::Resource;
use crate::sandbox::tokens::TokenIssuer;

/// One simulated Azure.
pub(in crate::sandbox) struct Azure {
    pub(in crate::sandbox) clock: SandboxClock,
    pub(in crate::sandbox) model: Arc<Model>,
    pub(in crate::sandbox) faults: Faults,
    pub(in crate::sandbox) tokens: Arc<TokenIssuer>,
    /// The failures of the metadata service.
    pub(in crate::sandbox) metadata_failures: InjectedFailures,
    pub(in crate::sandbox) addresses: Addresses,
    /// The channel to Event Grid.
    pub(in crate::sandbox) notices: UnboundedSender<Notice>,
    /// Held while the clock is moved, so that one request at a time moves it.
    pub(in crate::sandbox) moving_clock: Arc<tokio::sync::Mutex<()>>,
    /// Tasks that must finish even if the client that started them goes away.
    pub(in crate::sandbox) tasks: TaskTracker,
}

impl Azure {
    /// Finds the resource of this name; `None` if the tenant has none of that name.
    pub(super) fn resource(&self, asked_for: &str) -> Option<Resource> {
        Resource::find(&self.model, &self.addresses.fhir, asked_for)
    }
}
