//! What proves a fresh credential before it is published: sign-ins in a row, the token's claims, a look at the resource.

use std::collections::BTreeSet;
use std::fmt;

use time::{Duration, OffsetDateTime};

use super::names::ClientId;
use super::tags::{Tags, VERIFY_SCOPE};

/// How a fresh credential is proven before it is published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifyPolicy {
    /// How many sign-ins in a row must succeed: 1 to 20.
    pub sign_ins: u32,
    /// The time between two of them. `(sign_ins - 1) * spacing` should be twice the longest propagation.
    pub spacing: Duration,
    /// How long to try. Shorter than the policy's deadline.
    pub limit: Duration,
    /// The scope to sign in for; it ends in `/.default`.
    pub scope: String,
    /// Whether the token has to be for the scope's resource, this tenant and this application, and unexpired.
    pub claims: Requirement,
    /// App roles that the token must carry, where `claims` are looked at.
    pub roles: BTreeSet<String>,
    /// What the resource is asked with the token. `None`: nothing.
    pub probe: Option<Probe>,
    /// Whether the resource has to answer as expected.
    pub probe_requirement: Requirement,
    /// Texts that match are made anew: a leading `-` breaks command lines. A regular expression; `None`: any text will do.
    pub reject_secret_pattern: Option<TextPattern>,
}

/// How much one part of a proof counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Requirement {
    /// Without it nothing is published.
    Required,
    /// Without it something is published, and a warning given.
    Advisory,
    /// It is not looked at.
    Off,
}

/// One question to the protected resource, with the token of the fresh credential.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Probe {
    /// What kind of service it is.
    pub kind: ProbeKind,
    /// The whole address that is asked, with `GET`. HTTPS.
    pub url: String,
    /// The statuses that prove the credential. Never empty.
    pub expected: BTreeSet<u16>,
}

/// The kinds of services that can be asked; each has its own question and its own name for a missing role.
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
    /// The address without its query, which may hold a key.
    #[must_use]
    pub fn shown(&self) -> &str {
        self.url.split_once('?').map_or(self.url.as_str(), |(address, _)| address)
    }
}

impl ProbeKind {
    /// What is appended to the service's address. [FHIR: contract G]
    #[must_use]
    pub const fn path(self) -> &'static str {
        match self {
            Self::Fhir => "/Patient?_count=1&_elements=id",
            Self::Dicom => "/v2/studies?limit=1",
            Self::Https => "",
        }
    }

    /// The least role that lets the question through, if the service has ready-made ones.
    #[must_use]
    pub const fn role(self) -> Option<&'static str> {
        match self {
            Self::Fhir => Some("FHIR Data Reader"),
            Self::Dicom => Some("DICOM Data Reader"),
            Self::Https => None,
        }
    }
}

/// What the resource said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProbeAnswer {
    /// One of the expected statuses.
    AsExpected,
    /// 401: it does not take this token.
    Unauthenticated,
    /// 403: it knows who asks, and a role is missing.
    Forbidden,
    /// Another status.
    Unexpected(u16),
    /// No answer that says anything: not reached, too slow, a server's error.
    Unclear(String),
}

/// What a token says of itself. Read without its signature: it comes from Entra itself, over TLS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenClaims {
    /// For which resource (`aud`).
    pub audience: String,
    /// Of which tenant (`tid`).
    pub tenant: Option<String>,
    /// Of which application (`appid` in version 1, `azp` in version 2).
    pub client_id: Option<ClientId>,
    /// Of which service principal (`oid`).
    pub object_id: Option<String>,
    /// When it ends (`exp`).
    pub expires: Option<OffsetDateTime>,
    /// Its app roles; Entra leaves the claim out where there are none.
    pub roles: BTreeSet<String>,
}

/// What is wrong with a token's claims.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ClaimProblem {
    /// For another resource.
    #[error("the token is for {found}, not for the resource of scope {scope}")]
    Audience {
        /// What it says.
        found: String,
        /// What was asked for.
        scope: String,
    },
    /// Of another application.
    #[error("the token is not of application {expected}")]
    Client {
        /// The application that signed in.
        expected: ClientId,
    },
    /// Of another tenant.
    #[error("the token is of tenant {found}, not of {expected}")]
    Tenant {
        /// What it says.
        found: String,
        /// What is configured.
        expected: String,
    },
    /// Past its end, or without one.
    #[error("the token is past its end, or has none")]
    Expired,
    /// An app role is missing.
    #[error(
        "the token lacks app role {role} on the resource of scope {scope}: assign it to the application's service principal"
    )]
    Role {
        /// Which.
        role: String,
        /// Where.
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

    /// This policy with the scope that the tags of a version ask for. Not where a resource is asked with the token: a
    /// token for somebody else would be handed to it. `None`: the tag is not followed.
    #[must_use]
    pub fn with_tags(&self, tags: &Tags) -> Option<Self> {
        let Some(scope) = tags.value(VERIFY_SCOPE).map(str::trim) else { return Some(self.clone()) };
        let is_scope = scope.strip_suffix("/.default").is_some_and(|resource| resource.contains("://"));
        let is_wanted = is_scope && (self.probe.is_none() || scope == self.scope);
        is_wanted.then(|| Self { scope: scope.to_owned(), ..self.clone() })
    }

    /// Everything that is wrong with a token for this scope. `tenant` is compared only if it is a GUID.
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

/// A version 2 token names its audience by client id, which a scope by URI does not tell: then only a URI is compared.
fn is_audience_of(audience: &str, scope: &str) -> bool {
    let resource = scope.strip_suffix("/.default").unwrap_or(scope);
    let audience_is_guid = uuid::Uuid::parse_str(audience).is_ok();
    let resource_id = resource.strip_prefix("api://").unwrap_or(resource);
    is_same_resource(audience, resource)
        || (audience_is_guid
            && (uuid::Uuid::parse_str(resource_id).is_err() || is_same_resource(audience, resource_id)))
}

/// Compares two resources; neither case nor a slash at the end matters.
fn is_same_resource(one: &str, other: &str) -> bool {
    one.trim_end_matches('/').eq_ignore_ascii_case(other.trim_end_matches('/'))
}

fn is_other_guid(found: &str, expected: &str) -> bool {
    let Ok(expected) = uuid::Uuid::parse_str(expected) else { return false };
    uuid::Uuid::parse_str(found) != Ok(expected)
}

/// A regular expression for texts. Two are the same if they are written the same.
#[derive(Debug, Clone)]
pub struct TextPattern(regex::Regex);

impl TextPattern {
    /// Whether a text matches anywhere.
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
