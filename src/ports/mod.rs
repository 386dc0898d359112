//! The ports: what the rotation needs from the outside world, as small traits.
//!
//! Nothing here knows Azure, HTTP or a configuration file.

mod clock;

pub use clock::{Clock, Hold, NEVER, sleep, unheld};
