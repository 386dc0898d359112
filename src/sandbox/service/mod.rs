//! The simulated services, each a function from a request to a response, and the sandbox's own controls.

mod azure;
mod control;
mod entra;
mod fault_injection;
pub(in crate::sandbox) mod graph;
mod health;
mod injected_failures;
pub(in crate::sandbox) mod key_vault;
mod pipeline;

pub(in crate::sandbox) use azure::Azure;
pub(in crate::sandbox) use injected_failures::InjectedFailures;
pub(in crate::sandbox) use pipeline::Pipeline;
