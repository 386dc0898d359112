//! The virtual hosts: the service that a request is for, by its port or, under production names, by its `Host`.
//! It opens no port and handles no request.

use axum::http::{self, header};

/// A simulated service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum VirtualHost {
    /// Entra.
    Entra,
    /// Microsoft Graph.
    Graph,
    /// The vault of this name.
    Vault(String),
    /// The FHIR service.
    Fhir,
    /// The DICOM service.
    Dicom,
    /// The endpoints of managed identities, over plain HTTP as in Azure.
    ManagedIdentity,
}

/// The services of a port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Port {
    /// Entra, Graph and the sandbox's own controls, distinguished by the path.
    Authority,
    /// One service.
    Only(VirtualHost),
    /// All services, distinguished by the name that the request is for.
    Production,
}

/// The names of Azure's services in production.
#[derive(Debug, Clone)]
pub(crate) struct Hosts(Vec<(String, Port)>);

impl Port {
    /// Returns the service that a request at this port is for, by the first segment of its path.
    pub(crate) fn virtual_host(&self, first_segment: Option<&str>) -> &VirtualHost {
        match (self, first_segment) {
            (Self::Only(virtual_host), _) => virtual_host,
            (Self::Authority | Self::Production, Some("v1.0" | "beta")) => &VirtualHost::Graph,
            (Self::Authority | Self::Production, _) => &VirtualHost::Entra,
        }
    }
}

impl Hosts {
    /// Returns all names for these vaults, and `localhost` for the sandbox's own controls.
    pub(crate) fn of_production(vaults: &[String]) -> Self {
        let mut hosts = vec![("localhost".to_owned(), Port::Authority)];
        hosts.extend(ENTRA.map(|name| (name.to_owned(), Port::Only(VirtualHost::Entra))));
        let others = [(GRAPH, VirtualHost::Graph), (FHIR, VirtualHost::Fhir), (DICOM, VirtualHost::Dicom)];
        hosts.extend(others.map(|(name, virtual_host)| (name.to_owned(), Port::Only(virtual_host))));
        let vault = |name: &String| (vault_host(name), Port::Only(VirtualHost::Vault(name.clone())));
        hosts.extend(vaults.iter().map(vault));
        Self(hosts)
    }

    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(name, _)| name.as_str())
    }

    /// Returns the services of the host that a request is for; `None` if nothing here has that name.
    pub(crate) fn port<B>(&self, request: &http::Request<B>) -> Option<&Port> {
        let wanted = host(request);
        let found = self.0.iter().find(|(name, _)| name.eq_ignore_ascii_case(wanted));
        found.map(|(_, port)| port)
    }
}

/// Returns the host that a request is for, without its port; empty if it names none.
pub(crate) fn host<B>(request: &http::Request<B>) -> &str {
    let named = request.headers().get(header::HOST).and_then(|host| host.to_str().ok());
    let host = request.uri().host().or(named).unwrap_or_default();
    host.rsplit_once(':').map_or(host, |(host, _)| host)
}

pub(crate) fn vault_host(vault: &str) -> String {
    format!("{vault}.vault.azure.net")
}

/// Entra's name, then the older ones that it still answers to.
pub(crate) const ENTRA: [&str; 4] =
    ["login.microsoftonline.com", "login.windows.net", "login.microsoft.com", "sts.windows.net"];

pub(crate) const GRAPH: &str = "graph.microsoft.com";

pub(crate) const FHIR: &str = "sandbox-fhir.fhir.azurehealthcareapis.com";

pub(crate) const DICOM: &str = "sandbox-dicom.dicom.azurehealthcareapis.com";

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may stop here")]
mod tests {
    use super::*;

    /// A request's host is taken from its URI or its `Host` header, without the port.
    #[test]
    fn host_is_read_without_port() {
        let request = |uri: &str, name: Option<&str>| {
            let request = http::Request::builder().uri(uri);
            let request = name.map_or(http::Request::builder().uri(uri), |name| request.header("host", name));
            request.body(()).unwrap()
        };
        assert_eq!(host(&request("/a", Some("vault-1.vault.azure.net:443"))), "vault-1.vault.azure.net");
        assert_eq!(host(&request("https://other:8443/a", Some("localhost"))), "other");
        assert_eq!(host(&request("/a", None)), "");
    }
}
