//! The reference of the configuration, `config/rekeyd.toml`, read by its form: tables, keys, and the comments above them.
//!
//! The man page rekeyd.toml(5) and the manual's page `configuration` are made from it.

/// A table of the reference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReferenceTable {
    /// The header, such as `[policy]` or `[[secrets]]`; empty for the keys before the first table.
    pub header: String,
    /// The comment above the header. Paragraphs are separated by an empty line.
    pub text: String,
    /// The entries, in the order of the file.
    pub entries: Vec<ReferenceEntry>,
}

/// Keys that one comment explains.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReferenceEntry {
    /// Each key's path, such as `policy.validity` or `secrets[].name`, and its value in the reference.
    pub keys: Vec<(String, String)>,
    /// The comment; empty if the table's comment explains the keys.
    pub text: String,
}

/// Returns the tables of `config/rekeyd.toml`.
#[must_use]
pub fn reference() -> Vec<ReferenceTable> {
    read(include_str!("../../config/rekeyd.toml"))
}

fn read(text: &str) -> Vec<ReferenceTable> {
    let mut reader = Reader::default();
    text.lines().for_each(|line| reader.line(line));
    reader.paragraph();
    reader.tables
}

/// The tables read so far.
struct Reader {
    tables: Vec<ReferenceTable>,
    comment: Vec<String>,
    /// True if a key without a comment belongs to the entry above it.
    continues: bool,
}

impl Default for Reader {
    fn default() -> Self {
        let root = ReferenceTable { header: String::new(), text: String::new(), entries: Vec::new() };
        Self { tables: vec![root], comment: Vec::new(), continues: false }
    }
}

impl Reader {
    fn line(&mut self, line: &str) {
        let comment = line.strip_prefix('#');
        let content = comment.map_or(line, |comment| comment.strip_prefix(' ').unwrap_or(comment));
        if table_path(content).is_some() {
            self.table(content);
        } else if let Some((name, value)) = key_and_value(content) {
            self.key(name, value);
        } else if comment.is_some() {
            self.comment.push(content.to_owned());
        } else {
            self.paragraph();
        }
    }

    fn table(&mut self, header: &str) {
        let text = std::mem::take(&mut self.comment).join("\n");
        self.tables.push(ReferenceTable { header: header.to_owned(), text, entries: Vec::new() });
        self.continues = false;
    }

    fn key(&mut self, name: &str, value: &str) {
        let Some(table) = self.tables.last_mut() else { return };
        let path = table_path(&table.header).map_or_else(|| name.to_owned(), |path| format!("{path}.{name}"));
        let key = (path, value.to_owned());
        match table.entries.last_mut() {
            Some(entry) if self.continues && self.comment.is_empty() => entry.keys.push(key),
            Some(_) | None => {
                let text = std::mem::take(&mut self.comment).join("\n");
                table.entries.push(ReferenceEntry { keys: vec![key], text });
            }
        }
        self.continues = true;
    }

    /// Ends a paragraph: a comment that no key follows explains the table.
    fn paragraph(&mut self) {
        self.continues = false;
        if let (Some(table), false) = (self.tables.last_mut(), self.comment.is_empty()) {
            let comment = std::mem::take(&mut self.comment).join("\n");
            let parts = [std::mem::take(&mut table.text), comment];
            table.text = parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("\n\n");
        }
    }
}

/// Returns the path that a table's header gives its keys: `policy` for `[policy]`, `secrets[]` for `[[secrets]]`.
fn table_path(header: &str) -> Option<String> {
    let inner = header.strip_prefix('[')?.strip_suffix(']')?;
    let array = inner.strip_prefix('[').and_then(|inner| inner.strip_suffix(']'));
    let name = array.unwrap_or(inner);
    let is_path =
        !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_lowercase() || b"._".contains(&byte));
    let below_secrets = name.strip_prefix("secrets.").map(|below| format!("secrets[].{below}"));
    is_path.then(|| match array {
        Some(_) => format!("{name}[]"),
        None => below_secrets.unwrap_or_else(|| name.to_owned()),
    })
}

fn key_and_value(line: &str) -> Option<(&str, &str)> {
    let (name, value) = line.split_once(" = ")?;
    let is_name = name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_');
    is_name.then_some((name, value))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::KEYS;

    /// The reference has exactly the keys of the table `KEYS`.
    #[test]
    fn reference_has_exactly_the_keys() {
        let mut paths: Vec<_> =
            reference().into_iter().flat_map(|table| table.entries).flat_map(keys).collect();
        let mut known: Vec<_> = KEYS.iter().map(|key| key.path.to_string()).collect();
        paths.sort();
        known.sort();
        assert_eq!(paths, known);
    }

    fn keys(entry: ReferenceEntry) -> Vec<String> {
        entry.keys.into_iter().map(|(path, _)| path).collect()
    }

    /// The reference shows the default of each key that has one.
    #[test]
    fn reference_shows_the_defaults() {
        let shown: Vec<_> =
            reference().into_iter().flat_map(|table| table.entries).flat_map(|entry| entry.keys).collect();
        for key in KEYS.iter() {
            let Some(default) = &key.default else { continue };
            let found = shown.iter().find(|(path, _)| *path == key.path);
            assert_eq!(
                found.map(|(_, value)| value.trim_matches('"')),
                Some(default.trim_matches('"')),
                "{}",
                key.path
            );
        }
    }

    /// Comments explain the keys below them up to an empty line, or the table.
    #[test]
    fn comments_belong_to_keys_and_tables() {
        let tables =
            read("# All.\n\n# Rules.\n[a]\n# Two.\n# b = 1\nc = 2\n\nd = 3\n\n# More.\n# [[a.e]]\n# f = 4\n");
        let texts: Vec<_> = tables.iter().map(|table| (table.header.as_str(), table.text.as_str())).collect();
        assert_eq!(texts, [("", "All."), ("[a]", "Rules."), ("[[a.e]]", "More.")]);
        let entries: Vec<_> = tables
            .into_iter()
            .flat_map(|table| table.entries)
            .map(|entry| (keys(entry.clone()), entry.text))
            .collect();
        let expected = [(vec!["a.b", "a.c"], "Two."), (vec!["a.d"], ""), (vec!["a.e[].f"], "")];
        let expected = expected
            .map(|(keys, text)| (keys.into_iter().map(str::to_owned).collect::<Vec<_>>(), text.to_owned()));
        assert_eq!(entries, expected);
    }
}
