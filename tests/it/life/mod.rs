//! The whole life of a credential on the sandbox: each line of what is promised is a test here.

mod guard;
mod managed;
mod rollout;
mod rollout_calendar;
mod room;
mod short_lived;
mod taken_over;
