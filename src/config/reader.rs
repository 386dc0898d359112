//! A cursor over a table: keys are taken out one by one, and the remaining ones are unknown keys.

use std::collections::BTreeMap;

use super::problems::{Location, Problems};
use super::tree::{Entry, ValueKind, shown};
use super::{keys, renamed};

/// A value that was read, and its location.
#[derive(Debug, Clone)]
pub(super) struct Found<T> {
    pub(super) value: T,
    pub(super) location: Location,
    /// The value as an error message quotes it.
    pub(super) shown: String,
}

impl<T> Found<T> {
    /// Puts the value that was found, if any, into `slot`.
    pub(super) fn put(found: Option<Self>, slot: &mut T) {
        if let Some(found) = found {
            *slot = found.value;
        }
    }
}

/// A table being read.
#[derive(Debug)]
pub(super) struct Section<'p> {
    path: String,
    /// The same as `path`, with `[]` for each index: the form used in [`keys::KEYS`].
    pattern: String,
    location: Location,
    entries: BTreeMap<String, Entry>,
    asked: Vec<&'static str>,
    problems: &'p Problems,
}

impl<'p> Section<'p> {
    pub(super) fn root(entries: BTreeMap<String, Entry>, problems: &'p Problems) -> Self {
        Self {
            path: String::new(),
            pattern: String::new(),
            location: Location::File,
            entries,
            asked: Vec::new(),
            problems,
        }
    }

    pub(super) fn has(&self, key: &str) -> bool {
        self.entries.contains_key(key)
    }

    /// Returns the location of the table.
    pub(super) const fn location(&self) -> &Location {
        &self.location
    }

    /// Returns the location of `key`, or of the table if the key is missing.
    pub(super) fn location_of(&self, key: &str) -> &Location {
        self.entries.get(key).map_or(&self.location, |entry| &entry.location)
    }

    pub(super) fn path_of(&self, key: &str) -> String {
        joined(&self.path, key)
    }

    /// Reports a problem of the table itself.
    pub(super) fn report(&self, message: impl Into<String>) {
        self.problems.add(&self.location, message);
    }

    /// Reads a text, or its default.
    pub(super) fn text<T>(&mut self, key: &'static str, parse: impl Parse<T>) -> Option<Found<T>> {
        self.scalar(key, ValueKind::Text, parse)
    }

    /// Reads a required text.
    pub(super) fn required<T>(&mut self, key: &'static str, parse: impl Parse<T>) -> Option<Found<T>> {
        if !self.has(key) {
            self.report(format!("{} is missing", self.path_of(key)));
        }
        self.text(key, parse)
    }

    /// Reads a number, or its default.
    pub(super) fn number<T>(&mut self, key: &'static str, parse: impl Parse<T>) -> Option<Found<T>> {
        self.scalar(key, ValueKind::Number, parse)
    }

    /// Reads `true` or `false`, or its default.
    pub(super) fn boolean(&mut self, key: &'static str) -> Option<Found<bool>> {
        self.scalar(key, ValueKind::Boolean, |text: &str| {
            text.parse().map_err(|_| "neither true nor false".to_owned())
        })
    }

    /// Reads the texts of an array, or of its default. Returns `None` only without a default, or with a problem.
    pub(super) fn texts<T>(&mut self, key: &'static str, parse: impl ParseEach<T>) -> Option<Vec<Found<T>>> {
        self.list(key, ValueKind::Text, parse)
    }

    /// Reads texts as [`Self::texts`] does, without their locations.
    pub(super) fn values_of<T, C: FromIterator<T>>(
        &mut self,
        key: &'static str,
        parse: impl ParseEach<T>,
    ) -> Option<C> {
        let found = self.texts(key, parse)?;
        Some(found.into_iter().map(|found| found.value).collect())
    }

    /// Reads the numbers of an array, or of its default. Returns `None` only without a default, or with a problem.
    pub(super) fn numbers<T>(
        &mut self,
        key: &'static str,
        parse: impl ParseEach<T>,
    ) -> Option<Vec<Found<T>>> {
        self.list(key, ValueKind::Number, parse)
    }

    /// Reads the table `key`, empty if it is missing.
    pub(super) fn table(&mut self, key: &'static str) -> Self {
        let (path, pattern) = (self.path_of(key), joined(&self.pattern, key));
        let (location, entries) = match self.take(key) {
            None => (Location::File, BTreeMap::new()),
            Some(entry) => {
                let location = entry.location.clone();
                (location, self.entries_of(&path, entry, "a table"))
            }
        };
        Self { path, pattern, location, entries, asked: Vec::new(), problems: self.problems }
    }

    /// Reads the tables of the array `key`, none if it is missing.
    pub(super) fn tables(&mut self, key: &'static str) -> Vec<Self> {
        let (path, pattern) = (self.path_of(key), format!("{}[]", joined(&self.pattern, key)));
        let Some(entry) = self.take(key) else { return Vec::new() };
        let location = entry.location.clone();
        match entry.into_array() {
            Ok(tables) => {
                let numbered = (1..).zip(tables);
                numbered
                    .map(|(index, entry)| self.element(format!("{path}[{index}]"), pattern.clone(), entry))
                    .collect()
            }
            Err(entry) => {
                let message =
                    format!("{path} is {}, which is not an array of tables: [[{path}]]", shown(&entry));
                self.problems.add(&location, message);
                Vec::new()
            }
        }
    }

    /// Ends the reading and reports the keys that were not read as unknown.
    pub(super) fn finish(self) {
        for (key, entry) in &self.entries {
            self.problems.add(&entry.location, self.unknown(key));
        }
    }

    fn unknown(&self, key: &str) -> String {
        let path = self.path_of(key);
        if let Some(renamed) = renamed::key(&joined(&self.pattern, key)) {
            return format!("`{path}` has been renamed to `{}`", self.path_of(renamed.name()));
        }
        let meant = self.asked.iter().find(|known| is_one_edit_apart(key, known));
        let hint = meant.map(|known| format!("; did you mean {known:?}?")).unwrap_or_default();
        format!("{} is not a known key{hint}", cut(&path))
    }

    fn element(&self, path: String, pattern: String, entry: Entry) -> Self {
        let location = entry.location.clone();
        let entries = self.entries_of(&path, entry, "a table");
        Self { path, pattern, location, entries, asked: Vec::new(), problems: self.problems }
    }

    fn entries_of(&self, path: &str, entry: Entry, expected: &str) -> BTreeMap<String, Entry> {
        entry.into_table().unwrap_or_else(|entry| {
            let message = format!("{path} is {}, which is not {expected}", shown(&entry));
            self.problems.add(&entry.location, message);
            BTreeMap::new()
        })
    }

    fn scalar<T>(&mut self, key: &'static str, kind: ValueKind, parse: impl Parse<T>) -> Option<Found<T>> {
        let path = self.path_of(key);
        if let Some(entry) = self.take(key) {
            return self.parsed(&path, entry, kind, parse);
        }
        let default = keys::default_of(&joined(&self.pattern, key))?;
        self.found(parse(default), &path, self.location.clone(), format!("{default:?} (the default)"))
    }

    fn list<T>(
        &mut self,
        key: &'static str,
        kind: ValueKind,
        parse: impl ParseEach<T>,
    ) -> Option<Vec<Found<T>>> {
        let path = self.path_of(key);
        let elements = match self.take(key).map(Entry::into_elements) {
            Some(Ok(elements)) => elements,
            Some(Err(entry)) => {
                let message = format!("{path} is {}, which is not an array: [ ]", shown(&entry));
                self.problems.add(&entry.location, message);
                return None;
            }
            None => {
                let default = keys::default_of(&joined(&self.pattern, key))?;
                // A default has at most one element in quotes.
                Entry::separated(default.trim_matches(['[', ']', '"']), &self.location)
            }
        };
        // All elements are read, so that every bad one is reported.
        let all: Vec<_> = (1..)
            .zip(elements)
            .map(|(index, entry)| self.parsed(&format!("{path}[{index}]"), entry, kind, &parse))
            .collect();
        all.into_iter().collect()
    }

    fn parsed<T>(&self, path: &str, entry: Entry, kind: ValueKind, parse: impl Parse<T>) -> Option<Found<T>> {
        let (shown, location) = (shown(&entry), entry.location.clone());
        self.found(entry.into_text(kind).and_then(|text| parse(&text)), path, location, shown)
    }

    fn found<T>(
        &self,
        value: Result<T, String>,
        path: &str,
        location: Location,
        shown: String,
    ) -> Option<Found<T>> {
        match value {
            Ok(value) => Some(Found { value, location, shown }),
            Err(complaint) => {
                self.problems.add(&location, format!("{path} is {shown}, which is {complaint}"));
                None
            }
        }
    }

    fn take(&mut self, key: &'static str) -> Option<Entry> {
        self.asked.push(key);
        self.entries.remove(key)
    }
}

/// A parser of a text; the error completes the sentence "… is "x", which is …".
pub(super) trait Parse<T>: FnOnce(&str) -> Result<T, String> {}

impl<T, F: FnOnce(&str) -> Result<T, String>> Parse<T> for F {}

/// A parser like [`Parse`], for each element of an array.
pub(super) trait ParseEach<T>: Fn(&str) -> Result<T, String> {}

impl<T, F: Fn(&str) -> Result<T, String>> ParseEach<T> for F {}

/// Shortens a very long text for quotation in messages.
pub(super) fn cut(text: &str) -> String {
    let short: String = text.chars().take(MAX_QUOTED).collect();
    if short.len() < text.len() { format!("{short}…") } else { short }
}

pub(super) fn is_one_edit_apart(one: &str, other: &str) -> bool {
    let same_start = one.chars().zip(other.chars()).take_while(|(a, b)| a == b).count();
    let (left, right) = (one.chars().count() - same_start, other.chars().count() - same_start);
    let pairs_from_end = one.chars().rev().zip(other.chars().rev()).take(left.min(right));
    let same_end = pairs_from_end.take_while(|(a, b)| a == b).count();
    left - same_end <= 1 && right - same_end <= 1
}

fn joined(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}

const MAX_QUOTED: usize = 80;
