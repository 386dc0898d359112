//! The kinds of refusals that callers distinguish. They name no service's code and no HTTP status: the adapters map
//! those.

/// The cause of a refusal, as far as it decides what happens next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RefusalKind {
    /// The service does not accept the daemon's token.
    Unauthenticated,
    /// The daemon's identity lacks a permission.
    Forbidden,
    /// The vault's access policies don't name the daemon's identity.
    AccessPolicyMissing,
    /// The vault's firewall doesn't admit the address that the request came from.
    FirewallBlocked,
    /// The vault accepts private endpoints only.
    PublicAccessDisabled,
    /// The directory has no such application.
    ApplicationMissing,
    /// The vault secret is deleted and can be recovered.
    SecretDeleted,
    /// The vault secret is being deleted or recovered.
    SecretInTransition,
    /// The tenant's policy forbids the requested lifetime of a password.
    LifetimePolicy,
    /// The tenant's policy forbids passwords.
    PasswordsForbidden,
    /// The application has as many passwords as it can hold.
    PasswordLimitReached,
    /// The queue message is deleted, or another client has received it since.
    MessageLost,
    /// The service asks for fewer requests.
    Throttled,
    /// Any other cause.
    Other,
}

impl RefusalKind {
    /// Returns true if the service refused because of the caller's identity or address, whatever the request was.
    #[must_use]
    pub const fn is_access_denied(self) -> bool {
        matches!(self, Self::Unauthenticated) || self.is_forbidden()
    }

    /// Returns true if the service knows the caller and doesn't allow the request.
    #[must_use]
    pub const fn is_forbidden(self) -> bool {
        match self {
            Self::Forbidden
            | Self::AccessPolicyMissing
            | Self::FirewallBlocked
            | Self::PublicAccessDisabled => true,
            Self::Unauthenticated
            | Self::ApplicationMissing
            | Self::SecretDeleted
            | Self::SecretInTransition
            | Self::LifetimePolicy
            | Self::PasswordsForbidden
            | Self::PasswordLimitReached
            | Self::MessageLost
            | Self::Throttled
            | Self::Other => false,
        }
    }
}
