//! rekeyd keeps the client secrets of Microsoft Entra applications fresh, without an outage.

pub mod domain;
pub mod ports;
#[cfg(feature = "sandbox")]
pub mod sandbox;
