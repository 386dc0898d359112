//! Graph's reasons to refuse a request, with error code and HTTP status.

use thiserror::Error;
use uuid::Uuid;

/// A request that Graph refuses.
#[derive(Debug, Clone, Error, PartialEq, Eq)]
pub enum GraphRefusal {
    /// The object doesn't exist, or the server that handles the request doesn't know it yet.
    #[error(
        "Resource '{0}' does not exist or one of its queried reference-property objects are not present."
    )]
    NotFound(Uuid),
    /// The application has no such password, or the server that handles the request doesn't know it yet.
    #[error("No password credential found with keyId '{0}' in the application.")]
    UnknownCredential(Uuid),
    /// The request is invalid.
    #[error("{0}")]
    BadRequest(String),
    /// The token's roles don't allow it.
    #[error("Insufficient privileges to complete the operation.")]
    Forbidden,
    /// Another write to the same application is under way.
    #[error("Unable to complete the request due to a concurrency violation. Please retry.")]
    Concurrent,
    /// The application has as many passwords as it may have.
    #[error(
        "The size of the object has exceeded its limit. Please reduce the number of values and retry your request."
    )]
    TooManyPasswords,
    /// The policy requires an earlier end.
    #[error("Credential lifetime exceeds the max value allowed as per assigned policy '{0}'.")]
    LifetimeTooLong(Uuid),
    /// The policy allows no passwords.
    #[error("Credential type not allowed as per assigned policy '{0}'.")]
    PasswordsNotAllowed(Uuid),
    /// A service principal needs an application.
    #[error("The appId '{0}' of the service principal does not reference a valid application object.")]
    NoBackingApplication(Uuid),
    /// The application already has a service principal.
    #[error(
        "The service principal cannot be created, updated, or restored because the service principal name {0} is already in use."
    )]
    PrincipalExists(Uuid),
    /// The reports need a licence that the tenant doesn't have.
    #[error("Neither tenant is B2C or tenant doesn't have premium license")]
    NoPremiumLicence,
}

impl GraphRefusal {
    /// Returns a refusal of an invalid request, with this message.
    pub(crate) fn bad_request(message: impl Into<String>) -> Self {
        Self::BadRequest(message.into())
    }

    /// Returns `error.code`. The code of `Concurrent` is not documented.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotFound(_) => "Request_ResourceNotFound",
            Self::UnknownCredential(_) | Self::BadRequest(_) => "Request_BadRequest",
            Self::Forbidden => "Authorization_RequestDenied",
            Self::Concurrent => "Directory_ConcurrencyViolation",
            Self::TooManyPasswords => "Directory_ResourceSizeExceeded",
            Self::LifetimeTooLong(_) => "CredentialInvalidLifetimeAsPerAppPolicy",
            Self::PasswordsNotAllowed(_) => "CredentialTypeNotAllowedAsPerAppPolicy",
            Self::NoBackingApplication(_) => "NoBackingApplicationObject",
            Self::PrincipalExists(_) => "Request_MultipleObjectsWithSameKeyValue",
            Self::NoPremiumLicence => "Authentication_RequestFromNonPremiumTenantOrB2CTenant",
        }
    }

    /// Returns the HTTP status.
    #[must_use]
    pub fn status(&self) -> u16 {
        match self {
            Self::NotFound(_) => 404,
            Self::UnknownCredential(_)
            | Self::BadRequest(_)
            | Self::LifetimeTooLong(_)
            | Self::PasswordsNotAllowed(_)
            | Self::NoBackingApplication(_) => 400,
            Self::Forbidden | Self::TooManyPasswords | Self::NoPremiumLicence => 403,
            Self::Concurrent | Self::PrincipalExists(_) => 409,
        }
    }
}
