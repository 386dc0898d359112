//! The marker: the `displayName` that identifies a credential as ours, even if the response that created it was lost.

use std::fmt::Write as _;

use sha2::{Digest, Sha256};

use super::names::{RotationId, SecretId};

/// The prefix of the `displayName` of each credential of one managed secret.
///
/// It names the product, the vault and the secret; the rotation follows. Graph's limit for a `displayName` is
/// undocumented, so a long name is replaced with a stable short hash of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Marker(String);

impl Marker {
    /// Returns the marker of `secret`.
    #[must_use]
    pub fn of(secret: &SecretId) -> Self {
        let name = secret.to_string();
        let shown = if name.len() <= MAX_NAME_LENGTH { name } else { short_hash(&name) };
        Self(format!("{PRODUCT} {shown} "))
    }

    /// Returns the `displayName` of the credential that `rotation` makes: at most 90 characters.
    #[must_use]
    pub fn display_name(&self, rotation: &RotationId) -> String {
        format!("{}{rotation}", self.0)
    }

    /// Returns true if a `displayName` bears the marker of any secret.
    #[must_use]
    pub fn is_of_any(display_name: &str) -> bool {
        let named = display_name.strip_prefix(PRODUCT).and_then(|rest| rest.strip_prefix(' '));
        named.and_then(|rest| rest.rsplit_once(' ')).is_some_and(|(_, id)| id.parse::<RotationId>().is_ok())
    }

    /// Returns the rotation that made the credential with this `displayName`, if it bears this marker.
    #[must_use]
    pub fn rotation_of(&self, display_name: &str) -> Option<RotationId> {
        display_name.strip_prefix(&self.0)?.parse().ok()
    }
}

fn short_hash(name: &str) -> String {
    let digest = Sha256::digest(name.as_bytes());
    digest.iter().take(10).fold(String::from("#"), |mut text, byte| {
        // Writing to a `String` can't fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

const PRODUCT: &str = "rekeyd";

/// 90 less the product, two spaces and the longest rotation id.
const MAX_NAME_LENGTH: usize = 90 - PRODUCT.len() - 2 - 36;

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may fail")]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_marker_reads_as_what_it_is() {
        let rotation: RotationId = "0123456789ab".parse().unwrap();
        let marker = Marker::of(&"kv-1/app-foo".parse().unwrap());
        assert_eq!(marker.display_name(&rotation), "rekeyd kv-1/app-foo 0123456789ab");
        assert_eq!(marker.rotation_of("rekeyd kv-1/app-foo 0123456789ab"), Some(rotation));
    }

    #[test]
    fn another_secret_s_marker_is_not_ours() {
        let marker = Marker::of(&"kv-1/app-foo".parse().unwrap());
        for other in ["rekeyd kv-1/app-fo 0123456789ab", "rekeyd kv-2/app-foo 0123456789ab", "by hand", ""] {
            assert_eq!(marker.rotation_of(other), None, "{other:?}");
        }
    }

    proptest! {
        /// A display name is at most 90 bytes long and gives back its rotation for any secret.
        #[test]
        fn display_name_fits_and_round_trips(name in "[a-z0-9-]{1,127}", vault in "[a-z0-9-]{3,24}") {
            let marker = Marker::of(&format!("{vault}/{name}").parse().unwrap());
            let rotation: RotationId = "6b7a3c1e-0d7e-4d5c-9a54-0c7c8b6f2f10".parse().unwrap();
            let shown = marker.display_name(&rotation);
            prop_assert!(shown.len() <= 90);
            prop_assert_eq!(marker.rotation_of(&shown), Some(rotation));
        }
    }
}
