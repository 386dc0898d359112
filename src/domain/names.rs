//! The names of things. Each kind has its own type, so that no two of them can be confused.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// The error for a text that is not a name of its kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{given:?} is not {expected}")]
pub struct InvalidName {
    given: String,
    expected: &'static str,
}

impl InvalidName {
    fn new(given: &str, expected: &'static str) -> Self {
        let given = given.chars().take(MAX_QUOTED).collect();
        Self { given, expected }
    }
}

macro_rules! text_name {
    ($(#[$doc:meta])* $name:ident, $expected:literal, $holds:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// Returns the name as text, in lower case.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = InvalidName;

            fn from_str(given: &str) -> Result<Self, InvalidName> {
                let holds: fn(&str) -> bool = $holds;
                if holds(given) {
                    Ok(Self(given.to_ascii_lowercase()))
                } else {
                    Err(InvalidName::new(given, $expected))
                }
            }
        }

        impl TryFrom<String> for $name {
            type Error = InvalidName;

            fn try_from(given: String) -> Result<Self, InvalidName> {
                given.parse()
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> Self {
                name.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

text_name!(
    /// The name of a Key Vault. Case does not matter, so it is kept in lower case.
    VaultName,
    "a vault name (1 to 63 letters, digits and hyphens)",
    |text| is_azure_name(text, 63)
);

text_name!(
    /// The name of a Key Vault secret. Case does not matter, so it is kept in lower case.
    SecretName,
    "a secret name (1 to 127 letters, digits and hyphens)",
    |text| is_azure_name(text, 127)
);

text_name!(
    /// A version of a vault secret, as Key Vault names it.
    VersionId,
    "a version (1 to 64 letters and digits)",
    |text| is_azure_name(text, 64)
);

text_name!(
    /// One rotation: in the tags of the version it made and in the credential's `displayName`.
    RotationId,
    "a rotation id (8 to 36 letters, digits and hyphens)",
    |text| text.len() >= 8 && is_azure_name(text, 36)
);

/// Returns true if Key Vault accepts the name: it rejects other characters, and some would change the path of a
/// request.
fn is_azure_name(text: &str, longest: usize) -> bool {
    (1..=longest).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
}

macro_rules! guid_name {
    ($(#[$doc:meta])* $name:ident, $expected:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub Uuid);

        impl FromStr for $name {
            type Err = InvalidName;

            fn from_str(given: &str) -> Result<Self, InvalidName> {
                Uuid::parse_str(given.trim()).map(Self).map_err(|_| InvalidName::new(given, $expected))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

guid_name!(
    /// Id of an application's directory object, used in Graph URLs (`id`).
    AppObjectId,
    "an application's object id (a GUID)"
);

guid_name!(
    /// Id that the application signs in with (`appId`). Not the GUID in Graph URLs.
    ClientId,
    "an application's client id (a GUID)"
);

guid_name!(
    /// Id of one credential of an application (`passwordCredential.keyId`).
    KeyId,
    "a credential's key id (a GUID)"
);

/// A vault secret: the name of a secret and of the vault it is in. Shown as `vault/name`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SecretId {
    /// The vault that consumers read from.
    pub vault: VaultName,
    /// The secret's name in that vault.
    pub name: SecretName,
}

impl SecretId {
    /// Returns the id of the secret `name` in `vault`.
    #[must_use]
    pub const fn new(vault: VaultName, name: SecretName) -> Self {
        Self { vault, name }
    }
}

impl FromStr for SecretId {
    type Err = InvalidName;

    fn from_str(given: &str) -> Result<Self, InvalidName> {
        let (vault, name) =
            given.split_once('/').ok_or_else(|| InvalidName::new(given, "of the form VAULT/NAME"))?;
        Ok(Self::new(vault.parse()?, name.parse()?))
    }
}

impl TryFrom<String> for SecretId {
    type Error = InvalidName;

    fn try_from(given: String) -> Result<Self, InvalidName> {
        given.parse()
    }
}

impl From<SecretId> for String {
    fn from(secret: SecretId) -> Self {
        secret.to_string()
    }
}

impl fmt::Display for SecretId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.vault, self.name)
    }
}

/// A reference to an application: one of its two GUIDs, or a GUID that may be either.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ApplicationRef {
    /// Its directory object id.
    ObjectId(AppObjectId),
    /// Its client id.
    ClientId(ClientId),
    /// A GUID from a tag, which may be either.
    Either(Uuid),
}

impl ApplicationRef {
    /// Returns true if it refers to the application with these two GUIDs.
    #[must_use]
    pub fn is_of(self, object_id: AppObjectId, client_id: ClientId) -> bool {
        match self {
            Self::ObjectId(id) => id == object_id,
            Self::ClientId(id) => id == client_id,
            Self::Either(id) => [object_id.0, client_id.0].contains(&id),
        }
    }
}

impl fmt::Display for ApplicationRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ObjectId(id) => write!(f, "application {id}"),
            Self::ClientId(id) => write!(f, "application with client id {id}"),
            Self::Either(id) => write!(f, "application with object or client id {id}"),
        }
    }
}

/// Maximum length of a quoted text in error messages; longer ones are cut.
const MAX_QUOTED: usize = 80;

#[cfg(test)]
mod tests {
    use super::*;

    /// A secret name that is empty, too long or would change a URL path is refused.
    #[test]
    fn path_changing_names_are_refused() {
        for bad in ["", "a/b", "../a", "a b", "ä", "a%2f", "a?x", &"a".repeat(128)] {
            assert!(bad.parse::<SecretName>().is_err(), "{bad:?} was taken");
        }
        assert!("A-1".parse::<SecretName>().is_ok());
    }

    /// Secret ids that differ only in letter case are equal.
    #[test]
    fn secret_ids_ignore_letter_case() {
        let (one, other) = ("KV-1/App-Foo".parse::<SecretId>(), "kv-1/app-foo".parse::<SecretId>());
        assert!(one.is_ok());
        assert_eq!(one, other);
    }
}
