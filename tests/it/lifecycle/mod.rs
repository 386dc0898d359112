//! The whole life of a credential on the sandbox: each promise has a test here.

mod commands_ends;
mod commands_order;
mod commands_over_https;
mod commands_rejected;
mod compromised;
mod guard;
mod interrupted;
mod managed;
mod proof;
mod replicas;
mod retirement;
mod rollback;
mod rollout;
mod rollout_calendar;
mod room;
mod seen;
mod short_lived;
mod taken_over;
