//! rekeyd keeps the client secrets of Microsoft Entra applications fresh, without an outage.
//!
//! The layers, from the bottom up: each may use only those listed before it.
//! [`domain`], [`ports`], [`clock`], [`config`], [`metrics`], [`telemetry`], [`shutdown`], [`reconcile`],
//! [`commands`], [`diagnostics`], [`azure`], [`triggers`], [`http`], `sandbox`, [`app`], [`manual`], [`cli`].

pub mod app;
pub mod azure;
pub mod cli;
pub mod clock;
pub mod commands;
pub mod config;
pub mod diagnostics;
pub mod domain;
pub mod http;
pub mod manual;
pub mod metrics;
pub mod ports;
pub mod reconcile;
#[cfg(feature = "sandbox")]
pub mod sandbox;
pub mod shutdown;
pub mod telemetry;
pub mod triggers;
