//! The tag `SupersededCredentialId`: which credentials are still to be retired. An index, never a proof.

use std::fmt::{self, Write as _};

use super::names::KeyId;

/// The credentials of a secret that are still to be retired.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SupersededIndex {
    /// These, oldest first.
    Ids(Vec<KeyId>),
    /// More than fit into one tag.
    Many,
}

impl SupersededIndex {
    pub(super) fn parse(text: &str) -> Option<Self> {
        if text.trim() == MANY {
            return Some(Self::Many);
        }
        let ids = text.split(',').map(str::trim).filter(|id| !id.is_empty());
        ids.map(|id| id.parse().ok()).collect::<Option<_>>().map(Self::Ids)
    }

    /// Returns true if nothing is left to retire.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        matches!(self, Self::Ids(ids) if ids.is_empty())
    }

    /// Returns this index without the credentials that `keep` rejects. `Many` stays as it is, since its credentials are
    /// not known.
    #[must_use]
    pub fn only(self, keep: impl Fn(&KeyId) -> bool) -> Self {
        match self {
            Self::Many => Self::Many,
            Self::Ids(ids) => Self::Ids(ids.into_iter().filter(keep).collect()),
        }
    }

    /// Returns this index with one more credential.
    #[must_use]
    pub fn with(self, key_id: KeyId) -> Self {
        match self {
            Self::Many => Self::Many,
            Self::Ids(ids) if ids.contains(&key_id) => Self::Ids(ids),
            Self::Ids(ids) if ids.len() == MAX_INDEXED => Self::Many,
            Self::Ids(mut ids) => {
                ids.push(key_id);
                Self::Ids(ids)
            }
        }
    }
}

impl Default for SupersededIndex {
    fn default() -> Self {
        Self::Ids(Vec::new())
    }
}

impl fmt::Display for SupersededIndex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self::Ids(ids) = self else { return f.write_str(MANY) };
        for (place, id) in ids.iter().enumerate() {
            if place > 0 {
                f.write_char(',')?;
            }
            write!(f, "{id}")?;
        }
        Ok(())
    }
}

const MANY: &str = "many";

/// Maximum number of GUIDs, separated by commas, that fit into 256 characters.
const MAX_INDEXED: usize = 6;
