//! The file as a tree of values, each with its location, overlaid with the environment.

use std::collections::BTreeMap;

use toml::de::{DeTable, DeValue};

use super::keys::{KEYS, PREFIX};
use super::problems::{Location, Problems};
use super::reader::{cut, is_one_edit_apart};
use super::renamed;

/// A value and its location.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) location: Location,
    raw: Raw,
}

#[derive(Debug)]
enum Raw {
    Text(String),
    /// A value from the environment: a text that stands for a value of any kind.
    Given(String),
    Number(String),
    Boolean(bool),
    Table(BTreeMap<String, Entry>),
    Array(Vec<Entry>),
    /// A kind that no key has: a date or a fraction.
    Other(String),
}

/// The kind of value that a key has.
#[derive(Debug, Clone, Copy)]
pub(super) enum ValueKind {
    Text,
    Number,
    Boolean,
}

impl Entry {
    /// Returns the value as a text to parse, or an error if it is of another kind.
    pub(super) fn into_text(self, kind: ValueKind) -> Result<String, String> {
        match (kind, self.raw) {
            (_, Raw::Given(text))
            | (ValueKind::Text, Raw::Text(text))
            | (ValueKind::Number, Raw::Number(text)) => Ok(text),
            (ValueKind::Boolean, Raw::Boolean(value)) => Ok(value.to_string()),
            (ValueKind::Text, _) => Err("not a string".to_owned()),
            (ValueKind::Number, _) => Err("not a whole number".to_owned()),
            (ValueKind::Boolean, _) => Err("neither true nor false".to_owned()),
        }
    }

    pub(super) fn into_table(self) -> Result<BTreeMap<String, Self>, Self> {
        if let Raw::Table(entries) = self.raw { Ok(entries) } else { Err(self) }
    }

    /// Returns the elements of a list of texts or numbers; an environment variable separates them with commas.
    pub(super) fn into_elements(self) -> Result<Vec<Self>, Self> {
        match self.raw {
            Raw::Array(entries) => Ok(entries),
            Raw::Given(text) => Ok(Self::separated(&text, &self.location)),
            Raw::Text(_) | Raw::Number(_) | Raw::Boolean(_) | Raw::Table(_) | Raw::Other(_) => Err(self),
        }
    }

    /// Returns a value that an environment variable gives, or a default.
    fn given(text: &str, location: &Location) -> Self {
        Self { location: location.clone(), raw: Raw::Given(text.to_owned()) }
    }

    /// Returns a table that is not in the file.
    fn empty_table() -> Self {
        Self { location: Location::File, raw: Raw::Table(BTreeMap::new()) }
    }

    /// Returns the elements of a text that separates them with commas; none if it is blank.
    pub(super) fn separated(text: &str, location: &Location) -> Vec<Self> {
        if text.trim().is_empty() {
            return Vec::new();
        }
        text.split(',').map(|element| Self::given(element.trim(), location)).collect()
    }

    pub(super) fn into_array(self) -> Result<Vec<Self>, Self> {
        if let Raw::Array(entries) = self.raw { Ok(entries) } else { Err(self) }
    }
}

/// Formats the value as an error message quotes it.
pub(super) fn shown(entry: &Entry) -> String {
    match &entry.raw {
        Raw::Text(text) | Raw::Given(text) => format!("{:?}", cut(&without_password(text))),
        Raw::Number(text) | Raw::Other(text) => cut(text),
        Raw::Boolean(value) => value.to_string(),
        Raw::Table(_) => "a table".to_owned(),
        Raw::Array(_) => "an array".to_owned(),
    }
}

/// Hides the password of a URL. Such a URL is refused, but its password must not get into the log.
fn without_password(text: &str) -> String {
    match url::Url::parse(text) {
        Ok(mut url) if url.password().is_some() => match url.set_password(Some("***")) {
            Ok(()) => url.to_string(),
            Err(()) => "a URL with a password".to_owned(),
        },
        Ok(_) | Err(_) => text.to_owned(),
    }
}

/// Parses the file. Returns `None` if it is not TOML, which is one problem.
pub(super) fn parse(text: &str, problems: &Problems) -> Option<BTreeMap<String, Entry>> {
    let lines = Lines::of(text);
    match DeTable::parse(text) {
        Ok(table) => Some(entries_of(table.into_inner(), &lines)),
        Err(error) => {
            let location = error.span().map_or(Location::File, |span| lines.location(span.start));
            let message = error.message().lines().collect::<Vec<_>>().join(", ");
            problems.add(&location, format!("invalid TOML: {message}"));
            None
        }
    }
}

/// Lays the variables that begin with `REKEYD_` over `root`.
pub(super) fn overlay(
    root: &mut BTreeMap<String, Entry>,
    environment: &[(String, String)],
    problems: &Problems,
) {
    for (name, value) in environment.iter().filter(|(name, _)| is_ours(name)) {
        match KEYS.iter().find(|key| key.variable().as_ref() == Some(name)) {
            Some(key) => put(root, &key.path, name, value),
            None => problems.add(&Location::Variable(name.clone()), unknown_variable(name)),
        }
    }
}

fn is_ours(name: &str) -> bool {
    name.starts_with(PREFIX) && name != OF_THE_CLI && !is_of_kubernetes(name)
}

/// Returns true if Kubernetes sets this variable. It gives every pod the addresses of the services in its namespace.
/// Those of a service named `rekeyd` begin like ours, but are not meant as configuration.
fn is_of_kubernetes(name: &str) -> bool {
    let rest = name.strip_prefix(PREFIX).unwrap_or_default();
    matches!(rest, "SERVICE_HOST" | "SERVICE_PORT" | "PORT")
        || rest.starts_with("SERVICE_PORT_")
        || rest.starts_with("PORT_")
}

fn put(root: &mut BTreeMap<String, Entry>, path: &str, name: &str, value: &str) {
    let given = Entry::given(value, &Location::Variable(name.to_owned()));
    let Some((table, key)) = path.split_once('.') else {
        root.insert(path.to_owned(), given);
        return;
    };
    // If the value is not a table, the problem is reported when it is read.
    if let Raw::Table(entries) = &mut root.entry(table.to_owned()).or_insert_with(Entry::empty_table).raw {
        entries.insert(key.to_owned(), given);
    }
}

fn unknown_variable(name: &str) -> String {
    if name.starts_with("REKEYD_VAULTS_") || name.starts_with("REKEYD_SECRETS_") {
        return "vaults and secrets can't be set by environment variables".to_owned();
    }
    if let Some(renamed) = renamed::variable(name) {
        return renamed.to_string();
    }
    let mut known = KEYS.iter().filter_map(super::keys::ConfigKey::variable);
    let hint = known.find(|known| is_one_edit_apart(name, known));
    let hint = hint.map(|known| format!("; did you mean {known}?")).unwrap_or_default();
    format!("it does not name a known key{hint}")
}

fn entries_of(table: DeTable<'_>, lines: &Lines) -> BTreeMap<String, Entry> {
    table
        .into_iter()
        .map(|(key, value)| (key.get_ref().to_string(), entry_of(key.span().start, value, lines)))
        .collect()
}

fn entry_of(offset: usize, value: toml::Spanned<DeValue<'_>>, lines: &Lines) -> Entry {
    Entry { location: lines.location(offset), raw: raw_of(value.into_inner(), lines) }
}

fn raw_of(value: DeValue<'_>, lines: &Lines) -> Raw {
    match value {
        DeValue::String(text) => Raw::Text(text.into_owned()),
        DeValue::Integer(number) => {
            let digits = number.as_str();
            let value = i64::from_str_radix(digits, number.radix());
            Raw::Number(value.map_or_else(|_| digits.to_owned(), |value| value.to_string()))
        }
        DeValue::Boolean(value) => Raw::Boolean(value),
        DeValue::Table(table) => Raw::Table(entries_of(table, lines)),
        DeValue::Array(array) => {
            Raw::Array(array.into_iter().map(|value| entry_of(value.span().start, value, lines)).collect())
        }
        DeValue::Float(number) => Raw::Other(number.as_str().to_owned()),
        DeValue::Datetime(moment) => Raw::Other(moment.to_string()),
    }
}

/// The line ends of a text, from which locations are calculated.
struct Lines {
    ends: Vec<usize>,
}

impl Lines {
    fn of(text: &str) -> Self {
        Self { ends: text.match_indices('\n').map(|(at, _)| at).collect() }
    }

    fn location(&self, offset: usize) -> Location {
        Location::Line(self.ends.partition_point(|&end| end < offset) + 1)
    }
}

/// The variable that names the configuration file to the command line, so it is not a key of the file.
const OF_THE_CLI: &str = "REKEYD_CONFIG";
