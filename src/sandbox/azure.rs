//! What the simulated services share: the model, the clock, the faults, the keys, and where they are served.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::sync::mpsc::UnboundedSender;
use tokio_util::task::TaskTracker;

use super::clock::SandboxClock;
use super::event_grid::Notice;
use super::faults::Faults;
use super::https::{DICOM, ENTRA, FHIR, GRAPH, Hosts, Listener, Port, Site, vault_host};
use super::model::Model;
use super::service::entra::Troubles;
use super::signing_keys::TokenSigner;

/// Where all resources are, in ARM ids.
pub(crate) const RESOURCE_GROUP: &str =
    "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/sandbox";

/// One simulated Azure.
pub(crate) struct Azure {
    pub(crate) clock: SandboxClock,
    pub(crate) model: Arc<Model>,
    pub(crate) faults: Faults,
    pub(crate) signer: TokenSigner,
    pub(crate) troubles: Troubles,
    pub(crate) addresses: Addresses,
    /// To Event Grid.
    pub(crate) notices: UnboundedSender<Notice>,
    /// Whoever moves the clock has it, so that there is one at a time.
    pub(crate) moving_clock: Arc<tokio::sync::Mutex<()>>,
    /// What must go on even if whoever asked for it goes away.
    pub(crate) tasks: TaskTracker,
}

/// Where everything is served, as clients are to write it: no slash at the end of a URL.
#[derive(Debug, Clone, Default)]
pub(crate) struct Addresses {
    /// Entra.
    pub(crate) authority: String,
    /// What the vaults' challenges call Entra: in production by its older name.
    pub(crate) challenge_authority: String,
    /// The sandbox's own controls: always on `localhost`.
    pub(crate) controls: String,
    /// Graph, without `/v1.0`.
    pub(crate) graph: String,
    /// Names and URLs.
    pub(crate) vaults: Vec<(String, String)>,
    /// The FHIR service, which is also the audience of its tokens.
    pub(crate) fhir: String,
    /// The DICOM service.
    pub(crate) dicom: String,
    /// Managed identities, over plain HTTP.
    pub(crate) identity: String,
    /// Set if the names above are Azure's own.
    pub(crate) production: Option<Production>,
}

/// What production names lead to.
#[derive(Debug, Clone)]
pub(crate) struct Production {
    pub(crate) hosts: Hosts,
    /// Where all of them are served.
    pub(crate) address: SocketAddr,
}

impl Addresses {
    /// A port for each service.
    pub(crate) fn on_loopback(listeners: &[Listener]) -> Self {
        let mut addresses = Self::default();
        for listener in listeners {
            addresses.add(&listener.port, listener.address.port());
        }
        addresses
    }

    fn add(&mut self, port: &Port, number: u16) {
        let url = format!("https://localhost:{number}");
        match port {
            Port::Authority => {
                self.authority.clone_from(&url);
                self.challenge_authority.clone_from(&url);
                self.graph.clone_from(&url);
                self.controls = url;
            }
            Port::Production => self.controls = url,
            Port::Only(Site::Vault(name)) => self.vaults.push((name.clone(), url)),
            Port::Only(Site::Entra) => self.authority = url,
            Port::Only(Site::Graph) => self.graph = url,
            Port::Only(Site::Fhir) => self.fhir = url,
            Port::Only(Site::Dicom) => self.dicom = url,
            Port::Only(Site::ManagedIdentity) => self.identity = format!("http://127.0.0.1:{number}"),
        }
    }

    /// Azure's own names, without a port: whoever uses them sees to it that 443 is where it is served.
    pub(crate) fn in_production(listeners: &[Listener], vaults: &[String]) -> Self {
        let [entra, older, ..] = ENTRA.map(|name| format!("https://{name}"));
        let everything = listeners.iter().find(|listener| listener.port == Port::Production);
        let vault = |name: &String| (name.clone(), format!("https://{}", vault_host(name)));
        Self {
            authority: entra,
            challenge_authority: older,
            graph: format!("https://{GRAPH}"),
            vaults: vaults.iter().map(vault).collect(),
            fhir: format!("https://{FHIR}"),
            dicom: format!("https://{DICOM}"),
            production: everything.map(|listener| Production {
                hosts: Hosts::of_production(vaults),
                address: listener.address,
            }),
            ..Self::on_loopback(listeners)
        }
    }

    pub(crate) fn vault(&self, name: &str) -> &str {
        let found = self.vaults.iter().find(|(vault, _)| vault.eq_ignore_ascii_case(name));
        found.map_or("", |(_, url)| url)
    }

    /// Entra's host and, if it has one, port, as the instance discovery names it.
    pub(crate) fn authority_host(&self) -> &str {
        self.authority.trim_start_matches("https://")
    }
}
