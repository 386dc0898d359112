//! The clouds of Azure and everything in which they differ: hosts, issuers and client ids.
//!
//! Azure's host names are found in this file, in the adapters and in the sandbox, and nowhere else. A new cloud needs
//! one more variant and one more constant.

use uuid::{Uuid, uuid};

use super::values;

/// The clouds of Azure, which differ in their addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cloud {
    /// The public cloud.
    Public,
    /// Azure Government of the United States.
    UsGovernment,
    /// Azure operated by 21Vianet.
    China,
    /// A cloud whose addresses are all configured.
    Custom,
}

/// The facts of one cloud.
#[derive(Debug, Clone, Copy)]
struct Facts {
    /// Entra's sign-in service.
    sign_in: &'static str,
    /// Microsoft Graph, without the version.
    graph: &'static str,
    /// The domain of vaults.
    vaults: &'static str,
    /// The issuer of Entra's tokens of version 1, without the tenant.
    version_1_issuer: &'static str,
    /// The client id of Event Grid's own application (contract C.4). `None`: Microsoft does not publish it.
    event_grid: Option<Uuid>,
}

const PUBLIC: Facts = Facts {
    sign_in: "https://login.microsoftonline.com",
    graph: "https://graph.microsoft.com",
    vaults: "vault.azure.net",
    version_1_issuer: "https://sts.windows.net",
    event_grid: Some(uuid!("4962773b-9cdb-44cf-a8bf-237846a00ab7")),
};

const US_GOVERNMENT: Facts = Facts {
    sign_in: "https://login.microsoftonline.us",
    graph: "https://graph.microsoft.us",
    vaults: "vault.usgovcloudapi.net",
    version_1_issuer: "https://sts.windows.net",
    event_grid: Some(uuid!("54316b56-3481-47f9-8f30-0300f5542a7b")),
};

const CHINA: Facts = Facts {
    sign_in: "https://login.partner.microsoftonline.cn",
    graph: "https://microsoftgraph.chinacloudapi.cn",
    vaults: "vault.azure.cn",
    version_1_issuer: "https://sts.chinacloudapi.cn",
    event_grid: None,
};

/// The client id of Microsoft Graph, the same in every cloud and tenant.
pub const GRAPH_CLIENT_ID: Uuid = uuid!("00000003-0000-0000-c000-000000000000");

/// The id of Graph's app role `Application.ReadWrite.OwnedBy`, the same in every cloud and tenant.
pub const GRAPH_ROLE_OWNED_BY: Uuid = uuid!("18a4783c-866b-4cc7-a460-3d5e5662c884");

/// The scope for every DICOM service, whatever its address and cloud.
pub(super) const DICOM_SCOPE: &str = "https://dicom.healthcareapis.azure.com/.default";

const NAMES: [(&str, Cloud); 4] = [
    ("public", Cloud::Public),
    ("us-government", Cloud::UsGovernment),
    ("china", Cloud::China),
    ("custom", Cloud::Custom),
];

impl Cloud {
    /// Returns the issuer of Entra's tokens of version 1, without the tenant.
    #[must_use]
    pub const fn version_1_issuer(self) -> &'static str {
        self.facts().version_1_issuer
    }

    pub(super) fn parse(text: &str) -> Result<Self, String> {
        values::one_of(&NAMES)(text)
    }

    /// Returns the address of the sign-in service; `None` if it has to be configured.
    pub(super) fn sign_in_url(self) -> Option<&'static str> {
        self.own_facts().map(|facts| facts.sign_in)
    }

    /// Returns the address of Microsoft Graph; `None` if it has to be configured.
    pub(super) fn graph_url(self) -> Option<&'static str> {
        self.own_facts().map(|facts| facts.graph)
    }

    /// Returns the domain of vaults; `None` if their addresses have to be configured.
    pub(super) fn vault_domain(self) -> Option<&'static str> {
        self.own_facts().map(|facts| facts.vaults)
    }

    /// Returns the scope of tokens for Microsoft Graph if none is configured.
    pub(super) fn graph_scope(self) -> String {
        format!("{}/.default", self.facts().graph)
    }

    /// Returns the client id of Event Grid's own application, if Microsoft publishes it.
    pub(super) const fn event_grid_client_id(self) -> Option<Uuid> {
        self.facts().event_grid
    }

    /// Returns the facts of this cloud itself; `None` if it has none.
    fn own_facts(self) -> Option<&'static Facts> {
        (self != Self::Custom).then(|| self.facts())
    }

    /// Returns the facts of this cloud, or the public cloud's if the file sets no others.
    const fn facts(self) -> &'static Facts {
        match self {
            Self::Public | Self::Custom => &PUBLIC,
            Self::UsGovernment => &US_GOVERNMENT,
            Self::China => &CHINA,
        }
    }
}
