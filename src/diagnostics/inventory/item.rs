//! One line of an inventory.

use std::collections::BTreeSet;

use serde::{Serialize, Serializer};
use time::OffsetDateTime;

use crate::domain::{Class, ClientId};

/// A credential or a secret, without any text of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Item {
    /// Which of the two.
    pub kind: ItemKind,
    /// `vault/name`, or the credential's key id.
    pub name: String,
    /// The application's name; `None` for a secret.
    pub application: Option<String>,
    /// What the application signs in as; `None` for a secret.
    pub client_id: Option<ClientId>,
    /// Everything that it is.
    #[serde(serialize_with = "labels")]
    pub classes: BTreeSet<Class>,
    /// Whom the tag `Owner` names: of the secret, or of the one that holds the credential.
    pub owner: Option<String>,
    /// When it ends; for a secret, what is written on it.
    #[serde(with = "time::serde::rfc3339::option")]
    pub ends: Option<OffsetDateTime>,
    /// Whole days until then; negative once it is past.
    pub days_left: Option<i64>,
    /// When the report last saw the credential sign in.
    #[serde(with = "time::serde::rfc3339::option")]
    pub last_sign_in: Option<OffsetDateTime>,
    /// What its maker called a credential; what is odd about a secret.
    pub note: String,
}

/// What an item is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ItemKind {
    /// A vault secret.
    Secret,
    /// A credential of an application.
    Credential,
}

impl ItemKind {
    /// Its name in tables, JSON and CSV.
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
