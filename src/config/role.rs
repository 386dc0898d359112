//! The roles of the API: read from the configuration and from tokens, enforced by `http::access`.

use std::fmt;

/// The roles of the API; each may do what those before it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// May read.
    Reader,
    /// May submit every command.
    Operator,
}

impl Role {
    /// Returns the app role's value in Entra.
    #[must_use]
    pub const fn app_role(self) -> &'static str {
        match self {
            Self::Reader => "Rekeyd.Reader",
            Self::Operator => "Rekeyd.Operator",
        }
    }

    /// Returns the highest role among the values of a token's `roles`; `None` if it has none of our roles.
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
