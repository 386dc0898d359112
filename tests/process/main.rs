//! The program as its users run it: real processes, real signals, HTTPS on loopback.
//!
//! `REKEYD_BIN` names the binary to run in place of the one that cargo has built; if it is set, the long runs are run
//! in full. `REKEYD_ROUNDS` sets how often the daemon is killed, `REKEYD_SEED` when, and `REKEYD_EVENTS` the number of
//! events for each secret of the flood (50: ten thousand messages). Tests that need Azurite, Node, Prometheus or
//! `promtool` are ignored, and `.ci/install` installs what they need.

#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests may stop here")]
#![expect(clippy::print_stdout, reason = "what a run has shown is of interest even if it passes")]

mod alerts;
mod clock_skew;
mod command_line;
mod commands;
mod confidentiality;
mod event_paths;
mod flood;
mod functions;
mod http_server;
mod kill;
mod manual;
mod read_only_commands;
mod sandbox_run;
mod support;
mod termination;
mod tokens;
