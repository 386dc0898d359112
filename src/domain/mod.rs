//! The rotation itself, as pure functions of the observation: no clock, no network, no log, no random number.
//!
//! A pass observes Key Vault and Entra, [`decide()`] gives one answer, one action is executed, and the next pass
//! observes again. No phase is stored, so there is nothing to lose: Key Vault's tags and Entra's list are the state.
//!
//! The order of one rotation is **issue → verify → publish → overlap → retire** (revoke, then disable).
//!
//! | stopped after | Entra | Key Vault | the next pass sees | and does |
//! |---|---|---|---|---|
//! | observing | – | – | the same | the same |
//! | intent | – | tag | `PendingRotation`, no credential K | waits for the deadline, then issues if still due |
//! | issue | + K | tag | K: our marker, in no version | waits, then issues again if still due; revokes K after
//! `orphan_grace` |
//! | verify | + K | tag | the same as after issue | the same |
//! | publish to the primary | + K | + version of K | a replica behind | copies the version there |
//! | publish | + K | + versions of K | K current, the old one superseded | waits for the overlap |
//! | revoke | – old | old version enabled | an older version whose credential is gone | disables that version |
//! | disable | – old | old version disabled | only current | clears the index tag, waits until due |
//! | quarantine | – | tag | `Quarantined` on the current version | publishes the older text, or a successor |
//!
//! `tests/it/crash.rs` stops a daemon at each of these points, and at every other.

mod attempt;
mod binding;
mod command;
mod completion;
mod credentials;
mod decide;
mod decision;
mod inventory;
mod labels;
mod managed;
mod marker;
mod names;
mod observed;
mod pending;
mod pending_commands;
#[cfg(test)]
mod pending_commands_tests;
mod policy;
mod policy_values;
mod quarantine;
mod reasons;
mod replica;
mod rollout;
mod status;
mod superseded_index;
pub mod tags;
mod verify;

pub use binding::{
    ApplicationFacts, ApplicationRules, Origin, consent_tag, consents, denied_reason, provider_address,
};
pub use command::{Command, CommandKind, CommandOutcome};
pub use decide::{CommandRejection, LOSS_CONFIRMED_AFTER, WORST_LAG, command_rejection, decide};
pub use decision::{Action, ActionKind, Decision, PlanStatus};
pub use inventory::{Class, CredentialSeen, Holdings, LastUse, NEAR_EXPIRY, SecretSeen};
pub(crate) use labels::serialize_as_label;
pub use managed::{DiscoveryRules, ManagedSecret};
pub use marker::Marker;
pub use names::{
    AppObjectId, ApplicationRef, ClientId, InvalidName, KeyId, RotationId, SecretId, SecretName, VaultName,
    VersionId,
};
pub use observed::{
    CredentialFacts, Current, CurrentSignIn, Observed, SignInProblem, UsageFacts, VersionFacts,
};
pub use pending_commands::{CommandProgress, PendingCommand, PendingCommands, ReplacedCommand};
pub use policy::{RotationPolicy, TagBounds, TagProblem};
pub use policy_values::{
    Adopt, ForeignExpired, PolicyDuration, PolicyProblem, PolicyValues, UsageGate, human,
};
pub use reasons::{BlockReason, IssueReason, RepublishReason, RevokeReason, WaitReason};
pub use replica::{ReplicaFacts, ReplicaState};
pub use rollout::{ActiveLimit, Freeze, RolloutLimits};
pub use status::{ActionOutcome, SecretState, StatusReason};
pub use verify::{
    ClaimProblem, Probe, ProbeAnswer, ProbeKind, Requirement, TextPattern, TokenClaims, VerifyPolicy,
};
