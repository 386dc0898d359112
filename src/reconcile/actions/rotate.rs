//! One rotation: intent, issue, verify, publish. The text of the new credential lives only here, in memory.
//!
//! This is the only action with more than one effect. A `CRASH` comment stands between each two of them and describes
//! the state that the next pass sees if the process ends there.

use secrecy::ExposeSecret;
use time::OffsetDateTime;
use tracing::{info, warn};
use uuid::Uuid;

use super::context::Context;
use super::publish::{publication_tags, publish};
use super::revoke::revoke_just_issued;
use super::update_tags::{TagUpdate, update, with_pending};
use crate::domain::tags::{PendingRotation, Tags};
use crate::domain::{BlockReason, KeyId, Marker, RotationId};
use crate::ports::{IssuedCredential, NewVersion, Revocation, chain};
use crate::reconcile::blocked::Blocked;
use crate::reconcile::preflight::preflight;
use crate::reconcile::verify::verify;

/// Issues, verifies and publishes a credential. `began` is the time of the observation.
///
/// # Errors
/// The reason why nothing was published, or why that is not known. What can be cleaned up at once has been.
pub(super) async fn rotate(
    context: &Context<'_>,
    rotation: RotationId,
    began: OffsetDateTime,
    attempt: u32,
) -> Result<(), Blocked> {
    if context.stop.is_cancelled() {
        return Err(Blocked::stopping());
    }
    let end = preflight(context).await?;
    // A rotation counts only after its preflight, so that one that can't succeed doesn't use up the limit of an hour.
    if !context.admission.request() {
        return Err(Blocked::by_rollout_limit());
    }
    let pending = PendingRotation { rotation, began, attempt, failed: false };
    write_intent(context, &pending).await?;
    // CRASH: the tag notes that a rotation began; no credential exists. Seen as in flight, then as due again.
    let issued = match issue_usable(context, &pending, end).await {
        Ok(issued) => issued,
        Err(blocked) => return Err(give_up(context, &pending, blocked, None).await),
    };
    // CRASH: the credential exists, its text is only here. Seen as an orphan.
    match verify_and_publish(context, &pending, &issued).await {
        Ok(()) => Ok(()),
        Err(blocked) => Err(give_up(context, &pending, blocked, Some(issued.key_id)).await),
    }
}

/// Notes the rotation on the current version: proves that the vault can be written, and informs other instances and the
/// next pass after a crash.
async fn write_intent(context: &Context<'_>, pending: &PendingRotation) -> Result<(), Blocked> {
    match update(context, |tags| intent_tags(context, pending, tags)).await? {
        TagUpdate::Done => Ok(()),
        TagUpdate::NoVersion => write_placeholder(context, pending).await,
        TagUpdate::Conflict => Err(Blocked::conflict()),
    }
}

fn intent_tags(context: &Context<'_>, pending: &PendingRotation, tags: &Tags) -> Result<Tags, Blocked> {
    if is_other_under_way(context, pending, tags) {
        return Err(Blocked::conflict());
    }
    publication_tags(context, pending, tags, KeyId(Uuid::nil())).check_limits()?;
    Ok(with_pending(tags, pending))
}

/// Returns true if another instance noted its own rotation since the observation.
fn is_other_under_way(context: &Context<'_>, pending: &PendingRotation, tags: &Tags) -> bool {
    let noted = tags.pending_rotation().ok().flatten();
    let other = noted.filter(|noted| noted.rotation != pending.rotation);
    let (deadline, now) = (context.observation.policy.deadline(), context.ports.clock.now());
    other.is_some_and(|other| other.under_way_until(deadline, now).is_some())
}

/// Writes a disabled version to a secret without any, so that a soft-deleted name is noticed before issuing.
async fn write_placeholder(context: &Context<'_>, pending: &PendingRotation) -> Result<(), Blocked> {
    let placeholder = NewVersion {
        value: "pending".into(),
        enabled: false,
        expires: None,
        content_type: None,
        tags: with_pending(&Tags::default(), pending),
    };
    context.ports.store.put(context.secret, placeholder).await?;
    Ok(())
}

/// Issues a credential whose text is not to be rejected; one whose text is gets revoked, and another is issued.
async fn issue_usable(
    context: &Context<'_>,
    pending: &PendingRotation,
    end: OffsetDateTime,
) -> Result<IssuedCredential, Blocked> {
    let rejected = context.observation.verify.reject_secret_pattern.as_ref();
    for _ in 0..MAX_MINTED {
        let issued = issue(context, pending, end).await?;
        if !rejected.is_some_and(|pattern| pattern.matches(issued.secret_text.expose_secret())) {
            return Ok(issued);
        }
        info!(secret = %context.secret, key_id = %issued.key_id, "rejected new credential: its text matches verify.reject_secret_pattern");
        // CRASH: the credential exists and no one wants it. Seen as an orphan.
        if revoke_just_issued(context, issued.key_id).await? == Revocation::NotFound {
            let detail = "Entra does not list the rejected credential yet: it is revoked after orphan_grace";
            return Err(Blocked::detailed(BlockReason::NotProven, detail));
        }
    }
    let detail =
        format!("{MAX_MINTED} new texts in a row matched verify.reject_secret_pattern: narrow the pattern");
    Err(Blocked::detailed(BlockReason::NotProven, detail))
}

async fn issue(
    context: &Context<'_>,
    pending: &PendingRotation,
    end: OffsetDateTime,
) -> Result<IssuedCredential, Blocked> {
    context.check_clock()?;
    let display_name = Marker::of(context.secret).display_name(&pending.rotation);
    let application = context.observation.application.object_id;
    Ok(context.ports.issuer.issue(application, &display_name, end).await?)
}

async fn verify_and_publish(
    context: &Context<'_>,
    pending: &PendingRotation,
    issued: &IssuedCredential,
) -> Result<(), Blocked> {
    verify(context, issued).await?;
    // CRASH: the credential is proven, its text is only here. Seen as an orphan.
    publish(context, pending, issued).await
}

/// Cleans up what a failed rotation left, as far as that is certain to be safe, and returns the failure.
///
/// Its credential is revoked only if no `PUT` of it can have happened; otherwise only `orphan_grace` may end it.
async fn give_up(
    context: &Context<'_>,
    pending: &PendingRotation,
    blocked: Blocked,
    issued: Option<KeyId>,
) -> Blocked {
    if let Some(key_id) = issued.filter(|_| blocked.had_no_effect()) {
        revoke_unpublished(context, key_id).await;
    }
    // CRASH: the tag still shows it in flight. The next pass waits for the deadline in the place of the back-off.
    if let Err(error) = update(context, |tags| Ok(failed_tags(pending, tags))).await {
        warn!(secret = %context.secret, %error, "failed to mark rotation as failed");
    }
    blocked
}

async fn revoke_unpublished(context: &Context<'_>, key_id: KeyId) {
    let secret = context.secret;
    match revoke_just_issued(context, key_id).await {
        Ok(Revocation::Revoked) => {}
        Ok(Revocation::NotFound) => {
            warn!(%secret, %key_id, "unpublished credential not found: it is revoked after orphan_grace if it appears later");
        }
        Err(error) => {
            warn!(%secret, %key_id, error = chain(&error), "unpublished credential not revoked: it is revoked after orphan_grace");
        }
    }
}

/// Returns the tags with our note marked as failed, if it is still there. It stays, so that a restart resets nothing.
fn failed_tags(pending: &PendingRotation, tags: &Tags) -> Tags {
    match tags.pending_rotation() {
        Ok(Some(noted)) if noted.rotation == pending.rotation => {
            with_pending(tags, &PendingRotation { failed: true, ..pending.clone() })
        }
        Ok(_) | Err(_) => tags.clone(),
    }
}

/// One text in 64 begins with a hyphen.
const MAX_MINTED: u32 = 5;
