//! The reconcile loop in one process: in an in-memory world that
//! interferes at every point, and on the sandbox over HTTPS.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test panics where its expectation fails"
)]

mod adapters;
mod api_description;
mod corpus;
mod crash;
mod fleet;
mod fleet_life;
mod http_api;
mod http_server;
mod identities;
mod lifecycle;
mod queue_trigger;
mod regressions;
mod samples;
mod scenarios;
mod schedule;
mod test_options;
mod tls;
mod world;
