//! The end of a credential in Entra, and of a version in Key Vault.

use time::{Duration, OffsetDateTime};

use super::context::Context;
use crate::domain::{KeyId, SecretId, VersionId};
use crate::ports::{PortError, Revocation, sleep};
use crate::reconcile::blocked::Blocked;

/// Revokes a credential, unless the current version is not the observed one any more.
pub(super) async fn revoke(context: &Context<'_>, key_id: KeyId, now: OffsetDateTime) -> Result<(), Blocked> {
    context.unchanged_current(now).await?;
    try_revoke(context, key_id).await?;
    Ok(())
}

/// Disables an older version, unless the current version is not the observed one any more.
pub(super) async fn disable(
    context: &Context<'_>,
    version: &VersionId,
    replica: Option<&SecretId>,
    now: OffsetDateTime,
) -> Result<(), Blocked> {
    context.unchanged_current(now).await?;
    context.ports.store.disable(replica.unwrap_or(context.secret), version).await?;
    Ok(())
}

/// Revokes a credential that this rotation has just issued. It is certain to exist: where Entra does not find it, its
/// replicas don't know it yet.
pub(super) async fn revoke_just_issued(
    context: &Context<'_>,
    key_id: KeyId,
) -> Result<Revocation, PortError> {
    let mut result = try_revoke(context, key_id).await;
    for _ in 1..MAX_REVOCATIONS {
        match &result {
            Ok(Revocation::NotFound) => {}
            Err(error) if error.is_passing() => {}
            Ok(Revocation::Revoked) | Err(_) => break,
        }
        sleep(&*context.ports.clock, REVOCATION_PAUSE).await;
        result = try_revoke(context, key_id).await;
    }
    result
}

async fn try_revoke(context: &Context<'_>, key_id: KeyId) -> Result<Revocation, PortError> {
    context.ports.issuer.revoke(context.observation.application.object_id, key_id).await
}

/// Together well within the time that a daemon that is being stopped has.
const MAX_REVOCATIONS: i32 = 8;
const REVOCATION_PAUSE: Duration = Duration::seconds(1);
