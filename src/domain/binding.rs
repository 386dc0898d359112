//! The check that a secret may hold an application's credentials: the guard against a confused deputy.
//!
//! Without it, anyone who can write tags in a vault could point them at a powerful application and receive its secret.

use std::collections::BTreeSet;

use uuid::Uuid;

use super::names::{AppObjectId, ApplicationRef, ClientId, SecretId};
use super::reasons::BlockReason;

/// The source of the claim that a secret belongs to an application.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Origin {
    /// The configuration file, which is consent in itself.
    Configured,
    /// The secret's own tags. The application has to consent.
    Discovered,
}

impl Origin {
    /// Every origin.
    pub const ALL: [Self; 2] = [Self::Configured, Self::Discovered];

    /// Returns the name in the API and in logs.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Configured => "configured",
            Self::Discovered => "discovered",
        }
    }
}

/// The applications that may be rotated at all. Either of an application's two GUIDs names it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ApplicationRules {
    /// Only these applications may be rotated, if any is listed.
    pub allow: BTreeSet<Uuid>,
    /// These applications are never rotated.
    pub deny: BTreeSet<Uuid>,
}

/// The facts about an application that decide if it may be rotated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApplicationFacts {
    /// Id of its directory object.
    pub object_id: AppObjectId,
    /// Client id that it signs in with.
    pub client_id: ClientId,
    /// True if one of its tags names this very secret.
    pub consents: bool,
    /// True if it has no use for a secret, because it is a public client only.
    pub is_public_only: bool,
    /// True if the daemon itself signs in with it.
    pub is_own: bool,
}

impl ApplicationRules {
    /// Returns true if the lists let the application be rotated.
    fn permit(&self, application: &ApplicationFacts) -> bool {
        let is_allowed = self.allow.is_empty() || application.is_named_in(&self.allow);
        is_allowed && !application.is_named_in(&self.deny)
    }
}

impl ApplicationFacts {
    /// Returns true if either of its GUIDs is in the list.
    fn is_named_in(&self, list: &BTreeSet<Uuid>) -> bool {
        list.contains(&self.object_id.0) || list.contains(&self.client_id.0)
    }
}

/// Returns the tag by which an application consents to be rotated into `secret`.
#[must_use]
pub fn consent_tag(secret: &SecretId) -> String {
    format!("rekeyd:secret={secret}")
}

/// Returns true if one of an application's tags consents. Case does not matter, as in the names of a vault.
#[must_use]
pub fn consents<'a>(secret: &SecretId, mut tags: impl Iterator<Item = &'a str>) -> bool {
    let wanted = consent_tag(secret);
    tags.any(|tag| tag.trim().eq_ignore_ascii_case(&wanted))
}

/// Returns the reason why this application's credentials may not be put into the secret; `None` if they may.
#[must_use]
pub fn denied_reason(
    origin: Origin,
    application: &ApplicationFacts,
    rules: &ApplicationRules,
) -> Option<BlockReason> {
    if application.is_own {
        Some(BlockReason::OwnApplication)
    } else if !rules.permit(application) {
        Some(BlockReason::NotAllowed)
    } else if origin == Origin::Discovered && !application.consents {
        Some(BlockReason::NoConsent)
    } else if application.is_public_only {
        Some(BlockReason::PublicClient)
    } else {
        None
    }
}

/// Parses the application that a `ProviderAddress` tag names: a GUID, or an address that contains one.
#[must_use]
pub fn provider_address(text: &str) -> Option<ApplicationRef> {
    let text = text.trim();
    if let Ok(id) = Uuid::parse_str(text) {
        return Some(ApplicationRef::Either(id));
    }
    let path = text.to_ascii_lowercase();
    let (_, rest) = path.rsplit_once("/applications").or_else(|| path.rsplit_once("applications"))?;
    if let Some(rest) = rest.strip_prefix("(appid=") {
        return quoted_guid(rest.split(')').next()?).map(|id| ApplicationRef::ClientId(ClientId(id)));
    }
    let first = rest.trim_start_matches('/').split(['/', '?', '#']).next()?;
    quoted_guid(first).map(|id| ApplicationRef::ObjectId(AppObjectId(id)))
}

/// Parses a GUID that may be in quotes and parentheses, as in a Graph URL.
fn quoted_guid(text: &str) -> Option<Uuid> {
    Uuid::parse_str(text.trim_matches(|c| matches!(c, '\'' | '(' | ')' | ' '))).ok()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may fail")]
mod tests {
    use super::*;

    fn application() -> ApplicationFacts {
        ApplicationFacts {
            object_id: AppObjectId(Uuid::from_u128(1)),
            client_id: ClientId(Uuid::from_u128(2)),
            consents: false,
            is_public_only: false,
            is_own: false,
        }
    }

    /// A discovered secret needs the application's consent; a configured one does not.
    #[test]
    fn discovered_secret_needs_application_consent() {
        let (silent, rules) = (application(), ApplicationRules::default());
        assert_eq!(denied_reason(Origin::Configured, &silent, &rules), None);
        assert_eq!(denied_reason(Origin::Discovered, &silent, &rules), Some(BlockReason::NoConsent));
        let willing = ApplicationFacts { consents: true, ..silent };
        assert_eq!(denied_reason(Origin::Discovered, &willing, &rules), None);
    }

    /// The daemon's own application is always refused, and the allow and deny lists match both GUIDs of an application.
    #[test]
    fn own_application_is_refused_lists_match_guids() {
        let own = ApplicationFacts { is_own: true, consents: true, ..application() };
        let allowing = ApplicationRules { allow: [Uuid::from_u128(1)].into(), ..ApplicationRules::default() };
        assert_eq!(denied_reason(Origin::Configured, &own, &allowing), Some(BlockReason::OwnApplication));
        assert_eq!(denied_reason(Origin::Configured, &application(), &allowing), None);
        for id in [1, 2] {
            let denying = ApplicationRules { deny: [Uuid::from_u128(id)].into(), ..allowing.clone() };
            assert_eq!(
                denied_reason(Origin::Configured, &application(), &denying),
                Some(BlockReason::NotAllowed)
            );
        }
        let others = ApplicationRules { allow: [Uuid::from_u128(9)].into(), ..ApplicationRules::default() };
        assert_eq!(denied_reason(Origin::Configured, &application(), &others), Some(BlockReason::NotAllowed));
    }

    #[test]
    fn consent_names_one_secret_and_no_more() {
        let secret: SecretId = "kv-1/app-foo".parse().unwrap();
        assert!(consents(&secret, ["x", " rekeyd:secret=KV-1/App-Foo"].into_iter()));
        for other in
            ["rekeyd:secret=kv-1", "rekeyd:secret=kv-1/*", "rekeyd:secret=kv-1/app-foo2", "kv-1/app-foo"]
        {
            assert!(!consents(&secret, [other].into_iter()), "{other}");
        }
    }

    /// A provider address is a GUID of either kind or a Graph address of an application; other text is none.
    #[test]
    fn provider_address_is_guid_or_graph_url() {
        let id = Uuid::from_u128(0x6b7a);
        let object = Some(ApplicationRef::ObjectId(AppObjectId(id)));
        let client = Some(ApplicationRef::ClientId(ClientId(id)));
        for (text, meant) in [
            (id.to_string(), Some(ApplicationRef::Either(id))),
            (format!("https://graph.microsoft.com/v1.0/applications/{id}"), object),
            (format!("/Applications/{id}/addPassword"), object),
            (format!("https://graph.microsoft.com/v1.0/applications(appId='{id}')"), client),
            ("https://example.org/applications/none".to_owned(), None),
            (String::new(), None),
            ("storage-account".to_owned(), None),
        ] {
            assert_eq!(provider_address(&text), meant, "{text}");
        }
    }
}
