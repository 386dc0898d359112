//! The audit trail: who asked for what, what was done to which secret, and what was refused. Never a secret's text.
//!
//! Its lines are events of the target [`TARGET`], which [`super::init`] shows whatever the log's filter is.

use tracing::info;

use crate::domain::{CommandKind, SecretId};

/// The target of all lines of the trail.
pub const TARGET: &str = "audit";

/// The origin of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Asker<'a> {
    /// The way that it came: `api`, `functions` or `cli`.
    pub by: &'a str,
    /// The caller, as far as the identity is proven.
    pub caller: Option<&'a str>,
    /// The `Idempotency-Key` that came with it.
    pub key: Option<&'a str>,
}

impl<'a> From<&'a str> for Asker<'a> {
    fn from(by: &'a str) -> Self {
        Self { by, caller: None, key: None }
    }
}

/// Records that a command was asked for and accepted.
pub fn command<'a>(secret: &SecretId, kind: CommandKind, asker: impl Into<Asker<'a>>) {
    let (asker, command) = (asker.into(), kind.label());
    info!(target: TARGET, event = "command", %secret, command, all_credentials = all_credentials(kind), by = asker.by,
        caller = asker.caller, idempotency_key = asker.key, "accepted command");
}

/// Records that a command was refused, or accepted and not done, for the reason `why`.
pub fn command_rejected<'a>(secret: &SecretId, kind: CommandKind, asker: impl Into<Asker<'a>>, why: &str) {
    let (asker, command) = (asker.into(), kind.label());
    info!(target: TARGET, event = "command_rejected", %secret, command, all_credentials = all_credentials(kind),
        by = asker.by, caller = asker.caller, idempotency_key = asker.key, reason = why, "rejected command");
}

/// Records that a command was accepted and is done.
pub fn command_completed(secret: &SecretId, kind: CommandKind) {
    let command = kind.label();
    info!(target: TARGET, event = "command_completed", %secret, command, all_credentials = all_credentials(kind),
        "completed command");
}

/// Records that a command was accepted and the command `by` took its place.
pub fn command_replaced(secret: &SecretId, kind: CommandKind, by: &str) {
    let command = kind.label();
    info!(target: TARGET, event = "command_replaced", %secret, command, all_credentials = all_credentials(kind),
        replaced_by = by, "replaced command");
}

/// Records that an action was executed. `label` and `outcome` are those of the metric `rekeyd_actions_total`; `detail`
/// names its object, by ids, or the error.
pub fn action(secret: &SecretId, label: &str, outcome: &str, detail: &str) {
    info!(target: TARGET, event = "action", %secret, action = label, outcome, detail,
        "ended action");
}

/// Records that a secret gets no credential of the application that it is bound to. `reason` is the block reason's
/// label.
pub fn blocked(secret: &SecretId, reason: &str, message: &str) {
    info!(target: TARGET, event = "blocked", %secret, reason, detail = message, "secret blocked");
}

/// Records that each of the `refused` texts that a compromised secret had was tried, and that Entra refused it.
pub fn proven(secret: &SecretId, refused: usize) {
    info!(target: TARGET, event = "compromised_proven", %secret, refused,
        "verified revocation of compromised credentials");
}

/// Returns the field `all_credentials` for a command that has one; `None` for all others.
fn all_credentials(kind: CommandKind) -> Option<bool> {
    match kind {
        CommandKind::Compromised { all_credentials } => Some(all_credentials),
        CommandKind::Rotate
        | CommandKind::Rollback
        | CommandKind::Retire
        | CommandKind::Pause
        | CommandKind::Resume => None,
    }
}
