//! The verification of a new credential before publication: consecutive sign-ins, token claims, a probe of the
//! resource.

use std::collections::BTreeSet;
use std::fmt;

use time::{Duration, OffsetDateTime};

use super::names::ClientId;
use super::tags::{Tags, VERIFY_SCOPE};

/// The rules for verifying a new credential before it is published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifyPolicy {
    /// Number of consecutive sign-ins that must succeed: 1 to 20.
    pub sign_ins: u32,
    /// Time between two sign-ins. `(sign_ins - 1) * spacing` should be twice the longest propagation.
    pub spacing: Duration,
    /// Time limit for all attempts. Shorter than the policy's deadline.
    pub limit: Duration,
    /// The scope to sign in for; it ends in `/.default`.
    pub scope: String,
    /// The requirement that the token is for the scope's resource, this tenant and this application, and unexpired.
    pub claims: Requirement,
    /// App roles that the token must carry, if `claims` are checked.
    pub roles: BTreeSet<String>,
    /// The probe of the resource with the token. `None`: no probe.
    pub probe: Option<Probe>,
    /// The requirement that the resource responds as expected.
    pub probe_requirement: Requirement,
    /// Secret texts that match are rejected and made again: a leading `-` breaks command lines. A regular expression;
    /// `None`: any text is accepted.
    pub reject_secret_pattern: Option<TextPattern>,
}

/// The weight of one part of the verification.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Requirement {
    /// If it fails, nothing is published.
    Required,
    /// If it fails, the credential is published with a warning.
    Advisory,
    /// It is not checked.
    Off,
}

/// One request to the protected resource, with the token of the new credential.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Probe {
    /// Kind of service.
    pub kind: ProbeKind,
    /// The whole URL of the `GET` request. HTTPS.
    pub url: String,
    /// The statuses that prove the credential. Never empty.
    pub expected: BTreeSet<u16>,
}

/// The kinds of services that can be probed; each has its own request and its own name for a missing role.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ProbeKind {
    /// FHIR service of Azure Health Data Services: one patient's id.
    Fhir,
    /// DICOM service of Azure Health Data Services: one study.
    Dicom,
    /// Anything else.
    Https,
}

impl Probe {
    /// Returns the address without its query, which may hold a key.
    #[must_use]
    pub fn shown(&self) -> &str {
        self.url.split_once('?').map_or(self.url.as_str(), |(address, _)| address)
    }
}

impl ProbeKind {
    /// Returns the path that is appended to the service's address. [FHIR: contract G]
    #[must_use]
    pub const fn path(self) -> &'static str {
        match self {
            Self::Fhir => "/Patient?_count=1&_elements=id",
            Self::Dicom => "/v2/studies?limit=1",
            Self::Https => "",
        }
    }

    /// Returns the least role that permits the request, if the service has built-in roles.
    #[must_use]
    pub const fn role(self) -> Option<&'static str> {
        match self {
            Self::Fhir => Some("FHIR Data Reader"),
            Self::Dicom => Some("DICOM Data Reader"),
            Self::Https => None,
        }
    }
}

/// The resource's response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProbeAnswer {
    /// One of the expected statuses.
    AsExpected,
    /// 401: it does not accept this token.
    Unauthenticated,
    /// 403: it accepts the caller's identity, but a role is missing.
    Forbidden,
    /// Another status.
    Unexpected(u16),
    /// No conclusive response: not reached, too slow, a server error.
    Unclear(String),
}

/// The claims of a token. Read without checking its signature: it comes from Entra itself, over TLS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenClaims {
    /// Resource that it is for (`aud`).
    pub audience: String,
    /// Tenant that it is of (`tid`).
    pub tenant: Option<String>,
    /// Application that it is of (`appid` in version 1, `azp` in version 2).
    pub client_id: Option<ClientId>,
    /// Service principal that it is of (`oid`).
    pub object_id: Option<String>,
    /// Time when it ends (`exp`).
    pub expires: Option<OffsetDateTime>,
    /// Its app roles; Entra omits the claim if there are none.
    pub roles: BTreeSet<String>,
}

/// A problem with a token's claims.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ClaimProblem {
    /// It is for another resource.
    #[error("the token is for {found}, not for the resource of scope {scope}")]
    Audience {
        /// The audience in the token.
        found: String,
        /// The requested scope.
        scope: String,
    },
    /// It is of another application.
    #[error("the token is not of application {expected}")]
    Client {
        /// The application that signed in.
        expected: ClientId,
    },
    /// It is of another tenant.
    #[error("the token is of tenant {found}, not of tenant {expected}")]
    Tenant {
        /// The tenant in the token.
        found: String,
        /// The configured tenant.
        expected: String,
    },
    /// It is past its end, or has none.
    #[error("the token has expired, or has no expiry")]
    Expired,
    /// An app role is missing.
    #[error(
        "the token lacks app role {role} on the resource of scope {scope}: assign it to the application's service principal"
    )]
    Role {
        /// The missing role.
        role: String,
        /// The scope of the resource.
        scope: String,
    },
}

impl VerifyPolicy {
    /// Returns the default policy for sign-ins with this scope.
    #[must_use]
    pub fn for_scope(scope: impl Into<String>) -> Self {
        Self {
            sign_ins: 3,
            spacing: Duration::seconds(20),
            limit: Duration::minutes(45),
            scope: scope.into(),
            claims: Requirement::Required,
            roles: BTreeSet::new(),
            probe: None,
            probe_requirement: Requirement::Required,
            reject_secret_pattern: None,
        }
    }

    /// Returns this policy with the scope that the tags of a version ask for, unless the resource is probed with the
    /// token: a token for another resource would be handed to it. `None`: the tag is not followed.
    #[must_use]
    pub fn with_tags(&self, tags: &Tags) -> Option<Self> {
        let Some(scope) = tags.value(VERIFY_SCOPE).map(str::trim) else { return Some(self.clone()) };
        let is_scope = scope.strip_suffix("/.default").is_some_and(|resource| resource.contains("://"));
        let is_wanted = is_scope && (self.probe.is_none() || scope == self.scope);
        is_wanted.then(|| Self { scope: scope.to_owned(), ..self.clone() })
    }

    /// Returns every problem with a token for this scope. `tenant` is compared only if it is a GUID.
    #[must_use]
    pub fn problems(
        &self,
        claims: &TokenClaims,
        client_id: ClientId,
        tenant: &str,
        now: OffsetDateTime,
    ) -> Vec<ClaimProblem> {
        let mut problems = Vec::new();
        if !is_audience_of(&claims.audience, &self.scope) {
            problems
                .push(ClaimProblem::Audience { found: claims.audience.clone(), scope: self.scope.clone() });
        }
        if claims.client_id != Some(client_id) {
            problems.push(ClaimProblem::Client { expected: client_id });
        }
        if let Some(found) = claims.tenant.as_deref().filter(|found| is_other_guid(found, tenant)) {
            problems.push(ClaimProblem::Tenant { found: found.to_owned(), expected: tenant.to_owned() });
        }
        if claims.expires.is_none_or(|end| end <= now) {
            problems.push(ClaimProblem::Expired);
        }
        let missing = self.roles.difference(&claims.roles);
        problems
            .extend(missing.map(|role| ClaimProblem::Role { role: role.clone(), scope: self.scope.clone() }));
        problems
    }
}

/// Returns true if the audience is the scope's resource. A version 2 token names its audience by client id, which a
/// scope by URI does not contain: then only a URI is compared.
fn is_audience_of(audience: &str, scope: &str) -> bool {
    let resource = scope.strip_suffix("/.default").unwrap_or(scope);
    let audience_is_guid = uuid::Uuid::parse_str(audience).is_ok();
    let resource_id = resource.strip_prefix("api://").unwrap_or(resource);
    is_same_resource(audience, resource)
        || (audience_is_guid
            && (uuid::Uuid::parse_str(resource_id).is_err() || is_same_resource(audience, resource_id)))
}

/// Compares two resources, ignoring case and a slash at the end.
fn is_same_resource(one: &str, other: &str) -> bool {
    one.trim_end_matches('/').eq_ignore_ascii_case(other.trim_end_matches('/'))
}

fn is_other_guid(found: &str, expected: &str) -> bool {
    let Ok(expected) = uuid::Uuid::parse_str(expected) else { return false };
    uuid::Uuid::parse_str(found) != Ok(expected)
}

/// A regular expression for texts. Two are equal if they are written the same.
#[derive(Debug, Clone)]
pub struct TextPattern(regex::Regex);

impl TextPattern {
    /// Returns true if it matches anywhere in the text.
    #[must_use]
    pub fn matches(&self, text: &str) -> bool {
        self.0.is_match(text)
    }
}

impl std::str::FromStr for TextPattern {
    type Err = regex::Error;

    fn from_str(text: &str) -> Result<Self, regex::Error> {
        regex::Regex::new(text).map(Self)
    }
}

impl PartialEq for TextPattern {
    fn eq(&self, other: &Self) -> bool {
        self.0.as_str() == other.0.as_str()
    }
}

impl Eq for TextPattern {}

impl fmt::Display for TextPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::datetime;
    use uuid::Uuid;

    const NOW: OffsetDateTime = datetime!(2026-11-22 12:00 UTC);
    const CLIENT: ClientId = ClientId(Uuid::from_u128(7));
    const SCOPE: &str = "https://graph.microsoft.com/.default";
    const TENANT: &str = "6b7a3c1e-0d7e-4d5c-9a54-0c7c8b6f2f10";

    fn claims() -> TokenClaims {
        TokenClaims {
            audience: "https://graph.microsoft.com".to_owned(),
            tenant: Some(TENANT.to_owned()),
            client_id: Some(CLIENT),
            object_id: None,
            expires: Some(NOW + Duration::HOUR),
            roles: BTreeSet::new(),
        }
    }

    fn told(policy: &VerifyPolicy, claims: &TokenClaims) -> Vec<String> {
        policy.problems(claims, CLIENT, TENANT, NOW).iter().map(ToString::to_string).collect()
    }

    /// A token with the requested claims has no problem, also if the tenant is given by its domain name.
    #[test]
    fn token_as_requested_has_no_problem() {
        assert_eq!(told(&VerifyPolicy::for_scope(SCOPE), &claims()), [""; 0]);
        let by_domain = VerifyPolicy::for_scope(SCOPE).problems(&claims(), CLIENT, "example.org", NOW);
        assert!(by_domain.is_empty(), "a tenant given by its domain name can't be compared");
    }

    /// Each token claim that differs from the expected value is reported.
    #[test]
    fn each_unexpected_claim_is_reported() {
        let policy = VerifyPolicy { roles: ["Reader".to_owned()].into(), ..VerifyPolicy::for_scope(SCOPE) };
        let wrong = TokenClaims {
            audience: "https://vault.azure.net".to_owned(),
            tenant: Some(Uuid::nil().to_string()),
            client_id: None,
            expires: Some(NOW),
            ..claims()
        };
        assert_eq!(told(&policy, &wrong).len(), 5);
    }

    /// An audience may be a client id if the scope is a URI; a GUID in the scope must match it.
    #[test]
    fn audience_may_be_client_id_for_uri() {
        let by_id = TokenClaims { audience: Uuid::from_u128(9).to_string(), ..claims() };
        assert_eq!(told(&VerifyPolicy::for_scope(SCOPE), &by_id), [""; 0]);
        let scope = format!("api://{}/.default", Uuid::from_u128(9));
        assert_eq!(told(&VerifyPolicy { scope, ..VerifyPolicy::for_scope(SCOPE) }, &by_id), [""; 0]);
        let other = format!("api://{}/.default", Uuid::from_u128(8));
        assert_eq!(told(&VerifyPolicy { scope: other, ..VerifyPolicy::for_scope(SCOPE) }, &by_id).len(), 1);
    }
}
