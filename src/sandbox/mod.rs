//! The sandbox: a simulated Azure behind real HTTPS on loopback, with a clock of its own.
//!
//! **Modelled.** What a client can see of the services that the daemon and its consumers use:
//! * Key Vault: every operation on secrets, with soft delete, backup, roles, network rules, limits and quotas.
//! * Graph: applications, service principals, owners, federated credentials, passwords, app management policies,
//!   `$batch`, the beta report on sign-ins, permissions, quotas, conflicts, propagation delay and flicker.
//! * Entra: discovery and signing keys of both versions, both token endpoints for client credentials (secret, HTTP
//!   Basic, federated assertion), AADSTS errors, managed identities as virtual machines and App Service have them.
//! * Event Grid: subscriptions to the three secret events in both schemas, by webhook or Storage Queue, with
//!   handshakes, batches, retries, dead letters, Entra-secured delivery, duplicates and disorder.
//! * One FHIR and one DICOM service that need audience and role. And under `--production-names`, all of it by `Host`.
//!
//! Also outages, lost requests and lost replies, at random or scripted, and consumers that must never be refused.
//!
//! **Not modelled** (501 with a message): keys and certificates, and every other path of a vault; users, groups, app
//! role assignments, `$expand`, `$orderby`, `$search` and other kinds of objects in Graph; passwords of service
//! principals; grants other than client credentials; Event Grid namespaces, Service Bus, Event Hubs; writing FHIR or
//! DICOM; the management plane, of which `/_sandbox/...` has the parts that tests need. Simplified: a role takes effect
//! at once, a purge is done at once, retries have no jitter, and a managed identity's token isn't cached for a day.
//!
//! Each request, each consumer and Event Grid hold the clock while they work: it never jumps in the middle.
//!
#![doc = include_str!("CONTRACTS.md")]

mod addresses;
mod certificates;
pub mod clock;
mod consumers;
mod direct;
mod directory;
mod endpoints;
mod error;
mod event_grid;
mod faults;
mod hosts;
mod https;
pub mod model;
mod options;
mod real_time;
pub mod remote_clock;
mod resources;
mod service;
mod signing_keys;
mod start;
mod storage;
mod task_group;
mod tokens;

pub use self::clock::SandboxClock;
pub use self::direct::DirectPorts;
pub use self::endpoints::{Endpoints, HealthEndpoint, IdentityEndpoint, SecretEndpoint, VaultEndpoint};
pub use self::error::SandboxError;
pub use self::faults::{FaultKind, FaultLevel, ScriptedFault};
pub use self::model::{ConsumerSignIns, Model, Requests, Service, Summary, TimelineEvent, TimelineEventKind};
pub use self::options::Options;
pub use self::remote_clock::RemoteClock;
pub use self::start::Sandbox;

#[cfg(test)]
mod tests;
