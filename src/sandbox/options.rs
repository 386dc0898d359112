//! The options of a sandbox: the size of its world, its faults, its seed and where the daemon listens.

use std::net::SocketAddr;
use std::ops::RangeInclusive;

use time::{Duration, OffsetDateTime};

use super::faults::FaultLevel;

/// The world to simulate.
#[derive(Debug, Clone)]
pub struct Options {
    /// The number of secrets, each with an application of its own.
    pub secrets: usize,
    /// The number of vaults that the secrets are spread over.
    pub vaults: usize,
    /// The time until a new or removed credential is known, or forgotten, everywhere.
    pub propagation: RangeInclusive<Duration>,
    /// The share of the daemon's requests that fail at random.
    pub faults: FaultLevel,
    /// The time for which a second consumer of each secret keeps a text that it has read; `None`: there is only one
    /// consumer of each, which reads every hour.
    pub long_cache: Option<Duration>,
    /// The seed of all randomness.
    pub seed: u64,
    /// The clock's first moment.
    pub start: OffsetDateTime,
    /// The daemon's listen address: Event Grid delivers to it, and `rekeyd.toml` contains it.
    pub daemon_address: SocketAddr,
    /// The one port of 127.0.0.1 that serves everything under the names that Azure has in production; 0 is any free
    /// port. `None`: a free port for each service, on `localhost`.
    pub production_names: Option<u16>,
}
