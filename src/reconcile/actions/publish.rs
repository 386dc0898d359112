//! The publication of a verified credential: the commit point of a rotation. Issues and revokes nothing.

use time::Duration;

use super::context::Context;
use crate::domain::tags::{self, PendingRotation, SupersededIndex, Tags};
use crate::domain::{BlockReason, KeyId};
use crate::ports::{CurrentVersion, IssuedCredential, NewVersion, Version, sleep};
use crate::reconcile::blocked::Blocked;
use crate::reconcile::observe::Observation;

/// The write that remains to be made.
enum Publication {
    /// None: a `PUT` whose outcome was unknown did happen.
    Done,
    /// This version.
    Missing(NewVersion),
}

/// Publishes a credential with one `PUT` of text, expiry and `CredentialId` together.
///
/// After an unknown outcome it reads first, and then repeats the `PUT` with the same credential, within the deadline.
pub(super) async fn publish(
    context: &Context<'_>,
    pending: &PendingRotation,
    issued: &IssuedCredential,
) -> Result<(), Blocked> {
    let mut last = Blocked::because(BlockReason::ServiceUnavailable);
    let mut is_unknown = false;
    for attempt in 0..MAX_PUTS {
        if attempt > 0 {
            sleep(&*context.ports.clock, PUT_PAUSE * attempt).await;
        }
        let new = match prepare(context, pending, issued).await {
            Ok(Publication::Done) => return Ok(()),
            Ok(Publication::Missing(new)) => new,
            Err(blocked) => return Err(blocked.after(is_unknown)),
        };
        match put_in_time(context, pending, new).await {
            Ok(()) => return Ok(()),
            Err(blocked) => last = blocked,
        }
        is_unknown |= !last.had_no_effect();
        if !last.is_passing() {
            break;
        }
    }
    Err(last.after(is_unknown))
}

/// Reads the tags that the new version starts from, immediately before it is written.
async fn prepare(
    context: &Context<'_>,
    pending: &PendingRotation,
    issued: &IssuedCredential,
) -> Result<Publication, Blocked> {
    let current = context.ports.store.read_current(context.secret).await.map_err(Blocked::of_read)?;
    let (before, content_type) = match current {
        CurrentVersion::Readable(read) => {
            if read.properties.tags.credential_id() == Ok(Some(issued.key_id)) {
                return Ok(Publication::Done);
            }
            check_unchanged(context, &read.properties)?;
            (read.properties.tags, read.properties.content_type)
        }
        CurrentVersion::Disabled if context.observed_version().is_none() => (Tags::default(), None),
        CurrentVersion::Disabled => return Err(Blocked::because(BlockReason::CurrentDisabled)),
        CurrentVersion::Missing => return Err(Blocked::conflict()),
    };
    let tags = publication_tags(context, pending, &before, issued.key_id);
    tags.check_limits()?;
    Ok(Publication::Missing(NewVersion {
        value: issued.secret_text.clone(),
        enabled: true,
        expires: Some(issued.end),
        content_type,
        tags,
    }))
}

/// Checks that the current version is the observed one, and that it was not marked as bad since: a credential that
/// was made before the mark does not answer it.
fn check_unchanged(context: &Context<'_>, current: &Version) -> Result<(), Blocked> {
    let observed = context.observation.seen.current_version();
    let is_unchanged = observed.is_some_and(|observed| {
        observed.version == current.version
            && observed.tags.value(tags::QUARANTINED) == current.tags.value(tags::QUARANTINED)
    });
    if is_unchanged { Ok(()) } else { Err(Blocked::conflict()) }
}

/// Writes the new version. The clock is checked last: a stalled process must not publish a dead credential.
async fn put_in_time(
    context: &Context<'_>,
    pending: &PendingRotation,
    new: NewVersion,
) -> Result<(), Blocked> {
    context.check_clock()?;
    let deadline = pending.began + context.observation.policy.deadline();
    if context.ports.clock.now() >= deadline {
        return Err(Blocked::deadline_exceeded());
    }
    context.ports.store.put(context.secret, new).await?;
    Ok(())
}

/// Returns the tags of the version that publishes `key_id`, from those of the version before.
pub(super) fn publication_tags(
    context: &Context<'_>,
    pending: &PendingRotation,
    before: &Tags,
    key_id: KeyId,
) -> Tags {
    let Observation { seen, application, .. } = context.observation;
    let mut after = before.carried_over();
    after.set(tags::CREDENTIAL_ID, key_id);
    after.set(tags::ROTATION_ID, &pending.rotation);
    after.set(tags::PROVIDER_ADDRESS, application.object_id);
    let index = before.superseded().unwrap_or(SupersededIndex::Many);
    // A credential that Entra no longer lists is retired.
    let index = index.only(|key_id| application.credentials.iter().any(|listed| listed.key_id == *key_id));
    let superseded = seen.current_credential().map(|credential| credential.key_id);
    let index = superseded.into_iter().fold(index, SupersededIndex::with);
    if !index.is_empty() {
        after.set(tags::SUPERSEDED_CREDENTIAL_ID, index);
    }
    after
}

const MAX_PUTS: i32 = 4;
const PUT_PAUSE: Duration = Duration::seconds(2);
