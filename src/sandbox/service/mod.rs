//! The simulated services, each a function from a request to an answer, and the sandbox's own controls.

pub(crate) mod control;
pub(crate) mod entra;
pub(crate) mod graph;
pub(crate) mod health;
pub(crate) mod key_vault;
pub(crate) mod trouble;
