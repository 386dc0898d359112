//! The manual. Its pages are the modules below; `rekeyd help TOPIC` prints them.
//!
//! There is no code here but the table of topics. `tests/docs` checks that the pages name every route, metric, key,
//! subcommand, exit code and alert, and `tests/process/manual.rs` runs their snippets.

/// A page of the manual.
#[derive(Debug, Clone, Copy)]
pub struct Topic {
    /// The name, as in `rekeyd help NAME`.
    pub name: &'static str,
    /// The subject in a few words.
    pub summary: &'static str,
    /// The text, in Markdown.
    pub text: &'static str,
}

macro_rules! topics {
    ($($name:literal $module:ident: $summary:literal,)+) => {
        $(#[doc = include_str!(concat!($name, ".md"))] pub mod $module {})+

        /// Every page, in the order in which to read them.
        pub const TOPICS: &[Topic] = &[
            $(Topic { name: $name, summary: $summary, text: include_str!(concat!($name, ".md")) },)+
        ];
    };
}

topics! {
    "configuration" configuration: "every key of the configuration file",
    "cli" cli: "every command, its options and exit codes",
    "api" api: "the HTTP API, the webhook, and the reasons of a state",
    "permissions" permissions: "the permissions that rekeyd needs",
    "consumers" consumers: "how to read a rotated secret, and how long the overlap must be",
    "metrics" metrics: "every metric with its labels",
    "alerts" alerts: "every alert and what to do",
    "crash-safety" crash_safety: "what happens when the daemon is killed",
    "development" development: "how the code is organised, tested and run locally",
}

/// Returns the page with this name.
#[must_use]
pub fn topic(name: &str) -> Option<&'static Topic> {
    TOPICS.iter().find(|topic| topic.name == name)
}
