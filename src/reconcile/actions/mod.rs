//! The actions: what a decision does, each a function of a [`Context`]. An action re-reads what it must not harm
//! immediately before its effect; it decides nothing.

mod context;
mod copy;
mod publish;
mod republish;
mod revoke;
mod rotate;
mod update_tags;

use time::OffsetDateTime;

pub(super) use context::Context;

use super::blocked::Blocked;
use crate::domain::{Action, RotationId};

/// Executes `action`. `rotation` names it if it makes a credential; `now` is the time of the observation.
///
/// # Errors
/// The reason why it was not done, and whether that is certain.
pub(super) async fn execute(
    context: &Context<'_>,
    action: &Action,
    rotation: RotationId,
    now: OffsetDateTime,
) -> Result<(), Blocked> {
    context.check_clock()?;
    match action {
        Action::Issue { attempt, .. } => rotate::rotate(context, rotation, now, *attempt).await,
        Action::Republish { from, reason } => republish::republish(context, from, *reason, now).await,
        Action::Revoke { key_id, .. } => revoke::revoke(context, *key_id, now).await,
        Action::Disable { version, replica } => {
            revoke::disable(context, version, replica.as_ref(), now).await
        }
        Action::Copy { to } => copy::copy(context, to, now).await,
        Action::ClearIndex => update_tags::clear_index(context).await,
        Action::Adopt { key_id } => update_tags::adopt(context, *key_id).await,
        Action::Pause => update_tags::pause(context).await,
        Action::Resume => update_tags::resume(context).await,
        Action::Quarantine { reason } => update_tags::quarantine(context, *reason, now).await,
    }
}
