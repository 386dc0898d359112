//! Editing the tags of the current version: each write starts from a read made immediately before.

use time::Duration;

use super::Ports;
use super::failure::Failure;
use crate::domain::tags::{self, PendingRotation, Tags};
use crate::domain::{SecretId, VersionId};
use crate::ports::{CurrentVersion, PortError, Version, sleep};

/// How an edit ended.
#[derive(Debug)]
pub(super) enum TagEdit {
    /// The version has the changed tags now.
    Done,
    /// There is no version to edit.
    NoVersion,
    /// The current version is not the expected one any more.
    Conflict,
}

/// Changes the tags of the version that is current, if that is still the `expected` one (`None`: the placeholder
/// of a secret without a first credential, or no version at all).
///
/// Replacing tags can be repeated, so an unknown outcome is: from a fresh read.
///
/// # Errors
/// What `change` refused, or the last failure, if several tries in a row did not succeed.
pub(super) async fn edit_current_tags(
    ports: &Ports,
    secret: &SecretId,
    expected: Option<&VersionId>,
    change: impl Fn(&Tags) -> Result<Tags, Failure>,
) -> Result<TagEdit, Failure> {
    let mut tries = 0;
    loop {
        match try_edit(ports, secret, expected, &change).await {
            Err(Failed::Port(error)) if error.is_passing() && tries < MAX_RETRIES => {
                tries += 1;
                sleep(&*ports.clock, error.retry_after().unwrap_or(PAUSE * tries).min(MAX_PAUSE)).await;
            }
            Err(Failed::Port(error)) => return Err(error.into()),
            Err(Failed::Refused(failure)) => return Err(failure),
            Ok(edit) => return Ok(edit),
        }
    }
}

enum Failed {
    Port(PortError),
    Refused(Failure),
}

impl From<PortError> for Failed {
    fn from(error: PortError) -> Self {
        Self::Port(error)
    }
}

async fn try_edit(
    ports: &Ports,
    secret: &SecretId,
    expected: Option<&VersionId>,
    change: impl Fn(&Tags) -> Result<Tags, Failure>,
) -> Result<TagEdit, Failed> {
    let (version, before) = match (ports.store.read_current(secret).await?, expected) {
        (CurrentVersion::Missing, None) => return Ok(TagEdit::NoVersion),
        (CurrentVersion::Disabled, None) => match placeholder(ports.store.list_versions(secret).await?) {
            Some(version) => (version.version, version.tags),
            None => return Ok(TagEdit::Conflict),
        },
        (CurrentVersion::Readable(read), Some(expected)) if read.properties.version == *expected => {
            (read.properties.version, read.properties.tags)
        }
        (CurrentVersion::Missing | CurrentVersion::Disabled | CurrentVersion::Readable(_), _) => {
            return Ok(TagEdit::Conflict);
        }
    };
    let after = change(&before).map_err(Failed::Refused)?;
    after.check_limits().map_err(|limit| Failed::Refused(limit.into()))?;
    if after != before {
        ports.store.replace_tags(secret, &version, &after).await?;
    }
    Ok(TagEdit::Done)
}

/// The newest of the disabled versions that rekeyd wrote before a first credential.
fn placeholder(versions: Vec<Version>) -> Option<Version> {
    let ours = |version: &Version| !version.enabled && version.tags.value(tags::PENDING_ROTATION).is_some();
    versions.into_iter().filter(ours).max_by_key(|version| version.created)
}

/// The tags with the note of a rotation.
pub(super) fn with_pending(before: &Tags, pending: &PendingRotation) -> Tags {
    let mut after = before.clone();
    after.set(tags::PENDING_ROTATION, pending);
    after
}

/// The tags without `name`.
pub(super) fn removed(before: &Tags, name: &str) -> Tags {
    let mut after = before.clone();
    after.remove(name);
    after
}

const MAX_RETRIES: i32 = 3;
const PAUSE: Duration = Duration::seconds(2);
const MAX_PAUSE: Duration = Duration::minutes(1);
