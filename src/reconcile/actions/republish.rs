//! The republication of an older version's text: consumers get a credential back that still signs in.

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::context::Context;
use crate::domain::tags::{self, SupersededIndex};
use crate::domain::{RepublishReason, VersionFacts, VersionId};
use crate::ports::{NewVersion, ReadVersion};
use crate::reconcile::blocked::Blocked;

/// Publishes the text of `from` again, in the place of a credential that is lost or not wanted any more.
pub(super) async fn republish(
    context: &Context<'_>,
    from: &VersionId,
    reason: RepublishReason,
    now: OffsetDateTime,
) -> Result<(), Blocked> {
    let store = &context.ports.store;
    let read = store.read_version(context.secret, from).await.map_err(Blocked::of_read)?;
    let older = read.ok_or_else(Blocked::conflict)?;
    let current = context.unchanged_current(now).await?.ok_or_else(Blocked::conflict)?;
    let mut new = new_version(context, from, &older, &current)?;
    if reason == RepublishReason::Rollback {
        let at = now.replace_nanosecond(0).unwrap_or(now);
        new.tags.set(tags::ROLLED_BACK, at.format(&Rfc3339).unwrap_or_default());
        new.tags.check_limits()?;
    }
    if new.expires.is_none_or(|end| end <= context.ports.clock.now()) {
        return Err(Blocked::deadline_exceeded());
    }
    store.put(context.secret, new).await?;
    Ok(())
}

fn new_version(
    context: &Context<'_>,
    from: &VersionId,
    older: &ReadVersion,
    current: &ReadVersion,
) -> Result<NewVersion, Blocked> {
    let seen = &context.observation.seen;
    let proven = seen.versions.iter().find(|version| version.version == *from).and_then(|v| v.proven);
    let credential = proven.and_then(|key_id| seen.credential(key_id)).ok_or_else(Blocked::conflict)?;
    let mut after = current.properties.tags.carried_over();
    after.set(tags::CREDENTIAL_ID, credential.key_id);
    // No rotation made this version, so it completes no command to rotate.
    after.remove(tags::ROTATION_ID);
    let index = after.superseded().unwrap_or(SupersededIndex::Many);
    let lost = seen.current_version().and_then(VersionFacts::named);
    after.set(tags::SUPERSEDED_CREDENTIAL_ID, lost.into_iter().fold(index, SupersededIndex::with));
    after.check_limits()?;
    Ok(NewVersion {
        value: older.value.clone(),
        enabled: true,
        expires: Some(credential.end),
        content_type: current.properties.content_type.clone(),
        tags: after,
    })
}
