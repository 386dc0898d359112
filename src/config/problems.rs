//! Problems of a configuration: each with its location, collected until all are known.

use std::cell::RefCell;
use std::fmt;

/// All problems of a configuration, not only the first.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{} in the configuration:{}", counted(.0.len()), listed(.0))]
pub struct InvalidConfig(Vec<ConfigProblem>);

impl InvalidConfig {
    /// Returns the problems, in the order of the file, then those of the environment.
    #[must_use]
    pub fn problems(&self) -> &[ConfigProblem] {
        &self.0
    }

    pub(super) fn unreadable(file_name: &str, cause: &std::io::Error) -> Self {
        Self(vec![ConfigProblem {
            location: file_name.to_owned(),
            message: format!("can't be read: {cause}"),
        }])
    }
}

/// One problem and its location. Never contains the content of a secret file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigProblem {
    /// `rekeyd.toml:12`, `rekeyd.toml` or `environment variable NAME`.
    pub location: String,
    /// The description of the problem; it names the key and quotes its value.
    pub message: String,
}

impl fmt::Display for ConfigProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.location, self.message)
    }
}

/// The source of a value. The order is the order in which problems are reported.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Location {
    /// The file as a whole: for missing tables and keys.
    File,
    /// A line of the file, counted from 1.
    Line(usize),
    /// An environment variable.
    Variable(String),
}

/// The problems found so far. Shared by all readers, so that none of them has to stop at its first problem.
#[derive(Debug, Default)]
pub(super) struct Problems(RefCell<Vec<(Location, String)>>);

impl Problems {
    pub(super) fn add(&self, location: &Location, message: impl Into<String>) {
        self.0.borrow_mut().push((location.clone(), message.into()));
    }

    pub(super) fn len(&self) -> usize {
        self.0.borrow().len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.borrow().is_empty()
    }

    pub(super) fn into_invalid(self, file_name: &str) -> InvalidConfig {
        let mut found = self.0.into_inner();
        found.sort_by(|(one, _), (other, _)| one.cmp(other));
        let problems = found
            .into_iter()
            .map(|(location, message)| ConfigProblem { location: location.named(file_name), message });
        InvalidConfig(problems.collect())
    }
}

impl Location {
    /// Formats the location in a file of this name.
    fn named(&self, file_name: &str) -> String {
        match self {
            Self::File => file_name.to_owned(),
            Self::Line(line) => format!("{file_name}:{line}"),
            Self::Variable(name) => format!("environment variable {name}"),
        }
    }
}

fn counted(problems: usize) -> String {
    if problems == 1 { "1 problem".to_owned() } else { format!("{problems} problems") }
}

fn listed(problems: &[ConfigProblem]) -> String {
    problems.iter().flat_map(|problem| ["\n  ".to_owned(), problem.to_string()]).collect()
}
