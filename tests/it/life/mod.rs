//! The whole life of a credential on the sandbox: each line of what is promised is a test here.

mod rollout;
mod rollout_calendar;
mod short_lived;
