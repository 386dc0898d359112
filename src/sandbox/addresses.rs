//! The addresses of the simulated services, on loopback or under Azure's own names. It opens no port.

use std::net::SocketAddr;

use super::hosts::{DICOM, ENTRA, FHIR, GRAPH, Hosts, Port, VirtualHost, vault_host};

/// The resource group of all resources, as ARM ids begin.
pub(crate) const RESOURCE_GROUP: &str =
    "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/sandbox";

/// The services' URLs as clients must write them: without a trailing slash.
#[derive(Debug, Clone, Default)]
pub(crate) struct Addresses {
    /// Entra.
    pub(crate) authority: String,
    /// Entra's URL in the vaults' challenges: in production its older name.
    pub(crate) challenge_authority: String,
    /// The sandbox's own controls: always on `localhost`.
    pub(crate) controls: String,
    /// Graph, without `/v1.0`.
    pub(crate) graph: String,
    /// The vaults' names and URLs.
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

/// The production names and the address that they resolve to.
#[derive(Debug, Clone)]
pub(crate) struct Production {
    pub(crate) hosts: Hosts,
    /// The address that serves all of them.
    pub(crate) address: SocketAddr,
}

impl Addresses {
    /// Returns the addresses of services that each have a port of their own.
    pub(crate) fn on_loopback(bound: &[(Port, SocketAddr)]) -> Self {
        let mut addresses = Self::default();
        for (port, address) in bound {
            addresses.add(port, address.port());
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
            Port::Only(VirtualHost::Vault(name)) => self.vaults.push((name.clone(), url)),
            Port::Only(VirtualHost::Entra) => self.authority = url,
            Port::Only(VirtualHost::Graph) => self.graph = url,
            Port::Only(VirtualHost::Fhir) => self.fhir = url,
            Port::Only(VirtualHost::Dicom) => self.dicom = url,
            Port::Only(VirtualHost::ManagedIdentity) => self.identity = format!("http://127.0.0.1:{number}"),
        }
    }

    /// Returns Azure's own names, without a port: the caller must make sure that they are served on port 443.
    pub(crate) fn in_production(bound: &[(Port, SocketAddr)], vaults: &[String]) -> Self {
        let [entra, older, ..] = ENTRA.map(|name| format!("https://{name}"));
        let everything = bound.iter().find(|(port, _)| *port == Port::Production);
        let vault = |name: &String| (name.clone(), format!("https://{}", vault_host(name)));
        Self {
            authority: entra,
            challenge_authority: older,
            graph: format!("https://{GRAPH}"),
            vaults: vaults.iter().map(vault).collect(),
            fhir: format!("https://{FHIR}"),
            dicom: format!("https://{DICOM}"),
            production: everything
                .map(|(_, address)| Production { hosts: Hosts::of_production(vaults), address: *address }),
            ..Self::on_loopback(bound)
        }
    }

    pub(crate) fn vault(&self, name: &str) -> &str {
        let found = self.vaults.iter().find(|(vault, _)| vault.eq_ignore_ascii_case(name));
        found.map_or("", |(_, url)| url)
    }

    /// Returns the URL at which a daemon in another process reads the time.
    pub(crate) fn clock_url(&self) -> String {
        format!("{}/_sandbox/clock", self.controls)
    }

    /// Returns Entra's host and, if it has one, port, as instance discovery names it.
    pub(crate) fn authority_host(&self) -> &str {
        self.authority.trim_start_matches("https://")
    }
}
