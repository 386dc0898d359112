//! The smallest simulated Azure that most tests over HTTPS begin with.

use std::net::SocketAddr;

use rekeyd::sandbox::{FaultLevel, Options};
use time::Duration;

use super::world::START;

/// Returns options for two secrets in two vaults; nothing fails
/// by itself, and every change is visible everywhere at once.
pub(crate) fn test_options(daemon_address: SocketAddr) -> Options {
    Options {
        secrets: 2,
        vaults: 2,
        propagation: Duration::ZERO..=Duration::ZERO,
        faults: FaultLevel::None,
        long_cache: None,
        seed: 1,
        start: START,
        daemon_address,
        production_names: None,
    }
}
