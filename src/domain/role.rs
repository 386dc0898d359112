//! What a caller of the API may do.

use std::fmt;

/// The roles of the API; each may do what those before it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// May look.
    Reader,
    /// May ask for rotations and all that a person can ask for.
    Operator,
}

impl Role {
    /// The app role's value in Entra.
    #[must_use]
    pub const fn app_role(self) -> &'static str {
        match self {
            Self::Reader => "Rekeyd.Reader",
            Self::Operator => "Rekeyd.Operator",
        }
    }

    /// The highest role among the values of a token's `roles`.
    #[must_use]
    pub fn highest(app_roles: &[String]) -> Option<Self> {
        [Self::Operator, Self::Reader]
            .into_iter()
            .find(|role| app_roles.iter().any(|is| is == role.app_role()))
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Reader => "reader",
            Self::Operator => "operator",
        })
    }
}
