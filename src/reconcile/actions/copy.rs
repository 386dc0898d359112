//! The copy of the primary's current version into a replica.

use time::OffsetDateTime;

use super::context::Context;
use crate::domain::tags::{self, TagLimit, Tags};
use crate::domain::{BlockReason, SecretId};
use crate::ports::{CurrentVersion, NewVersion, Version};
use crate::reconcile::blocked::Blocked;

/// Writes what the primary holds now into the replica `to`, which keeps its own other tags.
pub(super) async fn copy(context: &Context<'_>, to: &SecretId, now: OffsetDateTime) -> Result<(), Blocked> {
    let primary = context.unchanged_current(now).await?.ok_or_else(Blocked::conflict)?;
    let store = &context.ports.store;
    let (before, content_type) = match store.read_current(to).await.map_err(Blocked::of_read)? {
        CurrentVersion::Readable(read) => (read.properties.tags, read.properties.content_type),
        CurrentVersion::Missing => (Tags::default(), None),
        CurrentVersion::Disabled => return Err(Blocked::because(BlockReason::CurrentDisabled)),
    };
    let new = NewVersion {
        value: primary.value,
        enabled: true,
        expires: primary.properties.expires,
        tags: copied_tags(&before, &primary.properties)?,
        content_type: content_type.or(primary.properties.content_type),
    };
    context.check_fresh(now)?;
    store.put(to, new).await?;
    Ok(())
}

fn copied_tags(before: &Tags, primary: &Version) -> Result<Tags, TagLimit> {
    let mut after = before.carried_over();
    for name in [tags::CREDENTIAL_ID, tags::ROTATION_ID, tags::PROVIDER_ADDRESS] {
        if let Some(value) = primary.tags.value(name) {
            after.set(name, value);
        }
    }
    after.check_limits()?;
    Ok(after)
}
