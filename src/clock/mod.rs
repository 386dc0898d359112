//! The only place that asks the system for the time, and the watch on how far that time is from Azure's.

mod skew;
mod system;

pub use skew::{ClockSkew, MAX_SKEW};
pub use system::SystemClock;
