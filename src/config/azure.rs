//! The tables `[azure]` and `[[vaults]]`: the cloud, the addresses of its services, and the vaults.

use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use url::Url;

use super::cloud::Cloud;
use super::problems::Problems;
use super::reader::{Found, Section};
use super::values;
use crate::domain::VaultName;

/// The cloud, and the settings to reach its services.
#[derive(Debug, Clone)]
pub struct AzureConfig {
    /// The cloud.
    pub cloud: Cloud,
    /// The tenant: a GUID or a verified domain name.
    pub tenant_id: String,
    /// Entra's sign-in service.
    pub authority_url: Url,
    /// Microsoft Graph, without the version.
    pub graph_url: Url,
    /// The scope of tokens for Graph.
    pub graph_scope: String,
    /// The OpenID metadata of the issuer of callers' tokens.
    pub openid_url: Url,
    /// Further certificate authorities to trust, PEM. `None`: the system's only.
    pub ca_file: Option<PathBuf>,
    /// True if a vault's challenge must name the vault's domain. `false` on loopback only.
    pub verify_challenge_resource: bool,
    /// Time to connect: 100 ms to 5 min, default 10 s.
    pub connect_timeout: Duration,
    /// Time for one request: 100 ms to 5 min, default 30 s.
    pub request_timeout: Duration,
}

/// A vault and its address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VaultConfig {
    /// Its name, as secrets refer to it.
    pub name: VaultName,
    /// Its address.
    pub url: Url,
}

/// The table `[azure]` as far as it could be read.
pub(super) struct AzureParts {
    pub(super) cloud: Option<Cloud>,
    tenant_id: Option<Found<String>>,
    authority_url: Option<Url>,
    graph_url: Option<Url>,
    /// `None` only if a problem was reported.
    pub(super) graph_scope: Option<String>,
    openid_url: Option<Url>,
    ca_file: Option<PathBuf>,
    verify_challenge_resource: Option<Found<bool>>,
    connect_timeout: Option<Found<Duration>>,
    request_timeout: Option<Found<Duration>>,
}

impl AzureParts {
    /// Returns the configuration, or `None` only if a problem was reported.
    pub(super) fn checked(self) -> Option<AzureConfig> {
        let (tenant_id, authority_url) = (self.tenant_id?.value, self.authority_url?);
        let metadata = format!("/{tenant_id}/v2.0/.well-known/openid-configuration");
        Some(AzureConfig {
            cloud: self.cloud?,
            openid_url: self.openid_url.or_else(|| authority_url.join(&metadata).ok())?,
            tenant_id,
            authority_url,
            graph_url: self.graph_url?,
            graph_scope: self.graph_scope?,
            ca_file: self.ca_file,
            verify_challenge_resource: self.verify_challenge_resource?.value,
            connect_timeout: self.connect_timeout?.value,
            request_timeout: self.request_timeout?.value,
        })
    }
}

pub(super) fn azure(mut section: Section<'_>, problems: &Problems) -> AzureParts {
    let cloud = section.text("cloud", Cloud::parse).map(|found| found.value);
    if cloud.is_some_and(|cloud| cloud != Cloud::Custom) {
        for key in ["authority_url", "graph_url", "graph_scope", "openid_url"] {
            only_for_custom(&section, key, problems);
        }
    }
    let parts = AzureParts {
        cloud,
        tenant_id: section.required("tenant_id", values::tenant),
        authority_url: address(&mut section, "authority_url", cloud, Cloud::sign_in_url),
        graph_url: address(&mut section, "graph_url", cloud, Cloud::graph_url),
        graph_scope: graph_scope(&mut section, cloud),
        openid_url: section.text("openid_url", values::https_url).map(|found| found.value),
        ca_file: section.text("ca_file", values::path).map(|found| found.value),
        verify_challenge_resource: section.boolean("verify_challenge_resource"),
        connect_timeout: section.text("connect_timeout", values::duration_within(TIMEOUTS)),
        request_timeout: section.text("request_timeout", values::duration_within(TIMEOUTS)),
    };
    section.finish();
    parts
}

fn only_for_custom(section: &Section<'_>, key: &str, problems: &Problems) {
    if section.has(key) {
        let told = format!("{} can be set only with azure.cloud = \"custom\"", section.path_of(key));
        problems.add(section.location_of(key), told);
    }
}

fn address(
    section: &mut Section<'_>,
    key: &'static str,
    cloud: Option<Cloud>,
    of_cloud: impl FnOnce(Cloud) -> Option<&'static str>,
) -> Option<Url> {
    if cloud == Some(Cloud::Custom) && !section.has(key) {
        section.report(format!(
            "{} is missing: it is required with azure.cloud = \"custom\"",
            section.path_of(key)
        ));
    }
    let given = section.text(key, without_version).map(|found| found.value);
    given.or_else(|| Url::parse(cloud.and_then(of_cloud)?).ok())
}

fn without_version(text: &str) -> Result<Url, String> {
    let url = values::https_url(text)?;
    let path = url.path().trim_end_matches('/');
    if path.ends_with("/v1.0") || path.ends_with("/v2.0") || path.ends_with("/beta") {
        return Err("a URL with a version, which must be left out".to_owned());
    }
    Ok(url)
}

fn graph_scope(section: &mut Section<'_>, cloud: Option<Cloud>) -> Option<String> {
    let was_given = section.has("graph_scope");
    let given = section.text("graph_scope", values::scope).map(|found| found.value);
    if was_given { given } else { Some(cloud.unwrap_or(Cloud::Public).graph_scope()) }
}

/// The vaults, and all listed names, including those with a bad URL.
pub(super) struct Vaults {
    pub(super) known: Vec<VaultConfig>,
    pub(super) named: Vec<VaultName>,
    /// The vaults that are searched for tagged secrets.
    pub(super) discovered: Vec<VaultName>,
    /// True if a vault's name could not be read, so that no other name can be called unknown.
    pub(super) has_unreadable_name: bool,
}

pub(super) fn vaults(sections: Vec<Section<'_>>, cloud: Option<Cloud>, problems: &Problems) -> Vaults {
    if sections.is_empty() {
        problems.add(&super::problems::Location::File, "no vault is configured: add [[vaults]]");
    }
    let mut vaults =
        Vaults { known: Vec::new(), named: Vec::new(), discovered: Vec::new(), has_unreadable_name: false };
    for section in sections {
        vaults.add(section, cloud, problems);
    }
    vaults
}

impl Vaults {
    /// Returns true if a vault of this name is listed, or may be.
    pub(super) fn may_have(&self, name: &VaultName) -> bool {
        self.has_unreadable_name || self.named.contains(name)
    }

    fn add(&mut self, mut section: Section<'_>, cloud: Option<Cloud>, problems: &Problems) {
        let name = section.required("name", values::name::<VaultName>(VAULT_NAME));
        let was_given = section.has("url");
        if cloud == Some(Cloud::Custom) && !was_given {
            section.report(format!(
                "{} is missing: it is required with azure.cloud = \"custom\"",
                section.path_of("url")
            ));
        }
        let given = section.text("url", values::service_url);
        let is_searched = section.boolean("discover").is_some_and(|discover| discover.value);
        self.has_unreadable_name |= name.is_none();
        if let Some(name) = name {
            let domain = cloud.and_then(Cloud::vault_domain).filter(|_| !was_given);
            let default =
                domain.and_then(|domain| Url::parse(&format!("https://{}.{domain}", name.value)).ok());
            if let Some(given) = given.as_ref().filter(|given| !is_of(&given.value, &name.value)) {
                problems.add(
                    &given.location,
                    format!(
                        "{} is {}, which is not the URL of the vault {}: its host must begin with that name",
                        section.path_of("url"),
                        given.shown,
                        name.shown
                    ),
                );
            }
            let url = given.map(|found| found.value).or(default);
            if self.named.contains(&name.value) {
                problems.add(
                    &name.location,
                    format!("{} is {}, which is listed twice", section.path_of("name"), name.shown),
                );
            }
            self.discovered.extend(is_searched.then(|| name.value.clone()));
            self.named.push(name.value.clone());
            self.known.extend(url.map(|url| VaultConfig { name: name.value, url }));
        }
        section.finish();
    }
}

/// Returns true if a vault's address begins with its name, as every real one does. The name is in the marker of our
/// credentials: two vaults under one name would each take the other's credentials for their own.
fn is_of(url: &Url, vault: &VaultName) -> bool {
    let label = url.host_str().and_then(|host| host.split('.').next());
    values::is_loopback(url) || label.is_some_and(|label| label.eq_ignore_ascii_case(vault.as_str()))
}

/// Checks that vaults' domains go unverified only on loopback, where no one else can listen.
pub(super) fn check_challenge(azure: &AzureParts, vaults: &Vaults, problems: &Problems) {
    let Some(verify) = azure.verify_challenge_resource.as_ref().filter(|verify| !verify.value) else {
        return;
    };
    let services = [&azure.authority_url, &azure.graph_url].into_iter().flatten();
    let mut all = services.chain(vaults.known.iter().map(|vault| &vault.url));
    if let Some(url) = all.find(|url| !values::is_loopback(url)) {
        let told = format!(
            "azure.verify_challenge_resource is false, which is allowed on loopback only: {url} is not a loopback address"
        );
        problems.add(&verify.location, told);
    }
}

const TIMEOUTS: RangeInclusive<Duration> = Duration::from_millis(100)..=Duration::from_secs(300);

pub(super) const VAULT_NAME: &str = "a vault name (1 to 63 letters, digits and hyphens)";
