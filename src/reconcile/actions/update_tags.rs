//! The actions on the tags of the current version, and the update that every other note is written with. Each write
//! starts from a read made immediately before.

use time::{Duration, OffsetDateTime};

use super::context::Context;
use crate::domain::KeyId;
use crate::domain::tags::{self, PendingRotation, Quarantine, QuarantineReason, Tags};
use crate::ports::{CurrentVersion, Version, sleep};
use crate::reconcile::blocked::Blocked;

/// The end of an update.
#[derive(Debug)]
pub(super) enum TagUpdate {
    /// The version has the changed tags now.
    Done,
    /// There is no version to update.
    NoVersion,
    /// The current version is not the observed one any more.
    Conflict,
}

/// Removes the index of superseded credentials once all of them are retired.
pub(super) async fn clear_index(context: &Context<'_>) -> Result<(), Blocked> {
    set_tag(context, tags::SUPERSEDED_CREDENTIAL_ID, None).await
}

/// Notes which credential the current version holds.
pub(super) async fn adopt(context: &Context<'_>, key_id: KeyId) -> Result<(), Blocked> {
    set_tag(context, tags::CREDENTIAL_ID, Some(key_id.to_string())).await
}

/// Pauses rotations of the secret.
pub(super) async fn pause(context: &Context<'_>) -> Result<(), Blocked> {
    set_tag(context, tags::ROTATION_DISABLED, Some("true".to_owned())).await
}

/// Resumes rotations of the secret.
pub(super) async fn resume(context: &Context<'_>) -> Result<(), Blocked> {
    set_tag(context, tags::ROTATION_DISABLED, None).await
}

/// Marks the current version as bad, since the time of the command or, without one, since `now`.
pub(super) async fn quarantine(
    context: &Context<'_>,
    reason: QuarantineReason,
    now: OffsetDateTime,
) -> Result<(), Blocked> {
    let at = context.observation.seen.command.map_or(now, |command| command.at);
    set_tag(context, tags::QUARANTINED, Some(Quarantine { reason, at }.to_string())).await
}

/// Sets or removes one tag of the observed version.
async fn set_tag(context: &Context<'_>, name: &str, value: Option<String>) -> Result<(), Blocked> {
    match update(context, |before| Ok(with_tag(before, name, value.as_deref()))).await? {
        TagUpdate::Done => Ok(()),
        TagUpdate::NoVersion | TagUpdate::Conflict => Err(Blocked::conflict()),
    }
}

fn with_tag(before: &Tags, name: &str, value: Option<&str>) -> Tags {
    let mut after = before.clone();
    after.remove(name);
    if let Some(value) = value {
        after.set(name, value);
    }
    after
}

/// Changes the tags of the observed version, if that is still the current one; without an observed version, those of
/// the placeholder of a secret without a first credential.
///
/// An update can be repeated, so one whose effect is unknown is repeated, from a fresh read.
///
/// # Errors
/// The refusal of `change`, or the last failure if several tries in a row did not succeed.
pub(super) async fn update(
    context: &Context<'_>,
    change: impl Fn(&Tags) -> Result<Tags, Blocked>,
) -> Result<TagUpdate, Blocked> {
    let mut retries = 0;
    loop {
        match try_update(context, &change).await {
            Err(blocked) if blocked.is_passing() && retries < MAX_RETRIES => {
                retries += 1;
                let pause = blocked.retry_after().unwrap_or(PAUSE * retries).min(MAX_PAUSE);
                sleep(&*context.ports.clock, pause).await;
            }
            result => return result,
        }
    }
}

async fn try_update(
    context: &Context<'_>,
    change: impl Fn(&Tags) -> Result<Tags, Blocked>,
) -> Result<TagUpdate, Blocked> {
    let (store, secret) = (&context.ports.store, context.secret);
    let found = match (store.read_current(secret).await?, context.observed_version()) {
        (CurrentVersion::Missing, None) => return Ok(TagUpdate::NoVersion),
        (CurrentVersion::Disabled, None) => placeholder(store.list_versions(secret).await?),
        (CurrentVersion::Readable(read), Some(observed)) => {
            Some(read.properties).filter(|version| version.version == *observed)
        }
        (CurrentVersion::Missing | CurrentVersion::Disabled | CurrentVersion::Readable(_), _) => None,
    };
    let Some(version) = found else { return Ok(TagUpdate::Conflict) };
    let after = change(&version.tags)?;
    after.check_limits()?;
    if after != version.tags {
        store.replace_tags(secret, &version.version, &after).await?;
    }
    Ok(TagUpdate::Done)
}

/// Returns the newest of the disabled versions that rekeyd wrote before a first credential.
fn placeholder(versions: Vec<Version>) -> Option<Version> {
    versions
        .into_iter()
        .filter(|version| !version.enabled && version.tags.value(tags::PENDING_ROTATION).is_some())
        .max_by_key(|version| version.created)
}

/// Returns the tags with the note of a rotation.
pub(super) fn with_pending(before: &Tags, pending: &PendingRotation) -> Tags {
    with_tag(before, tags::PENDING_ROTATION, Some(&pending.to_string()))
}

const MAX_RETRIES: i32 = 3;
const PAUSE: Duration = Duration::seconds(2);
const MAX_PAUSE: Duration = Duration::minutes(1);
