//! The ports: what the rotation needs from the outside world, as small traits.
//!
//! Nothing here knows Azure, HTTP or a configuration file.

mod clock;
mod credential_issuer;
mod error;
mod secret_store;
mod sign_in;

pub use clock::{Clock, Hold, NEVER, sleep, unheld};
pub use credential_issuer::{Application, Credential, CredentialIssuer, IssuedCredential, Revocation};
pub use error::{PortError, chain};
pub use secret_store::{CurrentVersion, NewVersion, ReadVersion, SecretStore, Version};
pub use sign_in::{SignIn, SignInVerifier};
