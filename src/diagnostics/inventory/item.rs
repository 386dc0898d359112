//! One line of an inventory.

use std::collections::BTreeSet;

use serde::{Serialize, Serializer};
use time::OffsetDateTime;

use crate::domain::{Class, ClientId};

/// A credential or a secret, without any text of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Item {
    /// Secret or credential.
    pub kind: ItemKind,
    /// `vault/name`, or the credential's key id.
    pub name: String,
    /// The application's name; `None` for a secret.
    pub application: Option<String>,
    /// The application's client id; `None` for a secret.
    pub client_id: Option<ClientId>,
    /// Every class that it is of.
    #[serde(serialize_with = "labels")]
    pub classes: BTreeSet<Class>,
    /// The value of the tag `Owner` of the secret, or of the one that holds the credential.
    pub owner: Option<String>,
    /// Its end; for a secret, the expiry date that is set on it.
    #[serde(with = "time::serde::rfc3339::option")]
    pub ends: Option<OffsetDateTime>,
    /// Full days until then; negative afterwards.
    pub days_left: Option<i64>,
    /// The credential's last sign-in, by the report.
    #[serde(with = "time::serde::rfc3339::option")]
    pub last_sign_in: Option<OffsetDateTime>,
    /// The display name of a credential; a remark on a secret.
    pub note: String,
}

/// The kind of an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ItemKind {
    /// A vault secret.
    Secret,
    /// A credential of an application.
    Credential,
}

impl ItemKind {
    /// Returns the name in tables, JSON and CSV.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Secret => "secret",
            Self::Credential => "credential",
        }
    }
}

fn labels<S: Serializer>(classes: &BTreeSet<Class>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(classes.iter().map(|class| class.label()))
}
