//! The sections of the manual that are made from their sources. `REKEYD_BLESS=1 cargo test --test docs` writes them.

use std::fs;
use std::iter::repeat_n;

use rekeyd::config::{KEYS, ReferenceEntry, ReferenceTable, reference};
use rekeyd::domain::{BlockReason, WaitReason};
use rekeyd::http::ProblemType;
use rekeyd::metrics::{Declaration, Metrics};

use crate::{read, root};

const WIDTH: usize = 120;

/// Checks the section `name` of a page, between its two markers; writes it if that is asked for.
fn check(page: &str, name: &str, section: &str) {
    let path = format!("src/manual/{page}.md");
    let text = read(&path);
    let (start, end) = (format!("<!-- begin {name}: "), format!("<!-- end {name} -->"));
    let (before, rest) = text.split_once(&start).expect("the page has the section's marker");
    let (source, rest) = rest.split_once(" -->\n").expect("the marker names the source");
    let (found, after) = rest.split_once(&end).expect("the section ends");
    let section = format!("\n{}\n\n", section.trim());
    if std::env::var_os("REKEYD_BLESS").is_some() {
        let text = format!("{before}{start}{source} -->\n{section}{end}{after}");
        fs::write(root().join(&path), text).expect("the page can be written");
    } else {
        assert!(
            found == section,
            "{path} is not up to date: run `REKEYD_BLESS=1 cargo test --test docs`, and commit it"
        );
    }
}

/// Breaks text into lines. The first begins with `first`, the others are indented as far.
fn wrapped(first: &str, text: &str) -> String {
    let indent: String = repeat_n(' ', first.len().min(2)).collect();
    let mut lines = vec![first.to_owned()];
    for word in words(text) {
        let line = lines.last_mut().expect("there is a line");
        let is_start = line.trim().is_empty() || line.ends_with(' ');
        if !is_start && line.chars().count() + 1 + word.chars().count() > WIDTH {
            lines.push(format!("{indent}{word}"));
        } else {
            line.push_str(if is_start { "" } else { " " });
            line.push_str(&word);
        }
    }
    lines.join("\n")
}

/// Splits text into words; code is one word.
fn words(text: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    for part in text.split_whitespace() {
        match words.last_mut().filter(|word| word.matches('`').count() % 2 == 1) {
            Some(code) => *code = format!("{code} {part}"),
            None => words.push(part.to_owned()),
        }
    }
    words
}

/// Marks the names of tables, such as `[policy]`, and arrays of texts as code.
fn with_code(text: &str) -> String {
    let mut done = String::new();
    for (index, part) in text.split('`').enumerate() {
        if index > 0 {
            done.push('`');
        }
        done.push_str(&if index % 2 == 0 { tables_as_code(part) } else { part.to_owned() });
    }
    done
}

fn tables_as_code(text: &str) -> String {
    let Some((before, rest)) = text.split_once('[') else { return text.to_owned() };
    let (name, rest) = rest.split_at(length_in_brackets(rest));
    if name.is_empty() {
        format!("{before}[{}", tables_as_code(rest))
    } else {
        format!("{before}`[{name}`{}", tables_as_code(rest))
    }
}

/// Returns the length of a table's name or an array of texts up to its last bracket; 0 for anything else.
fn length_in_brackets(rest: &str) -> usize {
    if rest.starts_with('"') {
        return rest.find("\"]").map_or(0, |at| at + 2);
    }
    let length = rest.find(|part: char| !is_part_of_table(part)).unwrap_or(rest.len());
    rest.get(..length).and_then(|name| name.rfind(']')).map_or(0, |at| at + 1)
}

fn is_part_of_table(part: char) -> bool {
    part.is_ascii_lowercase() || "._[]".contains(part)
}

/// The names of tables and arrays of texts become code: in Markdown, other brackets can be links.
#[test]
fn names_of_tables_become_code() {
    for (text, expected) in [
        ("as [policy] and [[api.tokens]].", "as `[policy]` and `[[api.tokens]]`."),
        ("as `[policy]` [no name]", "as `[policy]` [no name]"),
        ("[queue]: ?key=…", "`[queue]`: ?key=…"),
        ("as [\"/key\"], or", "as `[\"/key\"]`, or"),
    ] {
        assert_eq!(with_code(text), expected);
    }
}

/// The page `configuration` has every key of the reference with its text.
#[test]
fn configuration_page_matches_the_reference() {
    let tables: Vec<_> = reference().iter().map(table).collect();
    check("configuration", "keys", &tables.join("\n\n"));
}

fn table(table: &ReferenceTable) -> String {
    let is_root = table.header.is_empty();
    let heading =
        if is_root { "### Outside of tables".to_owned() } else { format!("### `{}`", table.header) };
    // The reference begins with a text on the file itself, as the page does.
    let text = if is_root { "" } else { &table.text };
    let entries: Vec<_> = table.entries.iter().map(entry).collect();
    let parts = [heading, wrapped("", &with_code(text)), entries.join("\n")];
    parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("\n\n")
}

fn entry(entry: &ReferenceEntry) -> String {
    let keys: Vec<_> = entry.keys.iter().map(key).collect();
    let is_listed = |line: &&str| line.starts_with("  ");
    let text: Vec<_> = entry.text.lines().filter(|line| !is_listed(line)).collect();
    let text = if text.is_empty() {
        keys.join("; ")
    } else {
        format!("{}: {}", keys.join("; "), with_code(&text.join(" ")))
    };
    let listed = entry.text.lines().filter(is_listed).map(item);
    std::iter::once(wrapped("* ", &text)).chain(listed).collect::<Vec<_>>().join("\n")
}

/// Returns an item of a list inside an entry: a value, and its meaning in a column of its own.
fn item(line: &str) -> String {
    let (value, meaning) = line.trim().split_once("  ").unwrap_or((line.trim(), ""));
    format!("  * `{value}`: {}", meaning.trim())
}

fn key((path, value): &(String, String)) -> String {
    let has_default = KEYS.iter().any(|key| key.path == *path && key.default.is_some());
    let relation = if has_default { "default" } else { "for example" };
    format!("`{path}` ({relation} `{value}`)")
}

/// The page `metrics` has every metric with its type, labels and help text.
#[test]
fn metrics_page_matches_the_declarations() {
    let rows: Vec<_> = Metrics::DECLARATIONS.iter().map(metric).collect();
    let head = "| metric | type | labels | meaning |\n|---|---|---|---|";
    check("metrics", "metrics", &format!("{head}\n{}", rows.join("\n")));
}

fn metric(metric: &Declaration) -> String {
    let labels: Vec<_> = metric.labels.iter().map(|label| format!("`{label}`")).collect();
    let kind = metric.kind.trim_start_matches("Int").trim_end_matches("Vec").to_lowercase();
    let help = metric.help.trim();
    format!("| `{}` | {kind} | {} | {help} |", metric.name, labels.join(", "))
}

/// The page `api` has every reason of a blocked or waiting secret.
#[test]
fn api_page_matches_the_reasons() {
    let blocked = BlockReason::ALL.iter().map(|reason| {
        let person = if reason.needs_person() { " (needs a person)" } else { "" };
        wrapped("* ", &format!("`{}`{person}: {}", reason.label(), with_code(reason.text())))
    });
    let waiting = WaitReason::ALL
        .iter()
        .map(|reason| wrapped("* ", &format!("`{}`: {}", reason.label(), with_code(reason.text()))));
    let [blocked, waiting] = [blocked.collect::<Vec<_>>(), waiting.collect()].map(|lines| lines.join("\n"));
    check("api", "reasons", &format!("`blocked`:\n\n{blocked}\n\n`waiting`:\n\n{waiting}"));
}

/// The page `api` has every type of problem with its status, meaning and fix.
#[test]
fn api_page_matches_the_problem_types() {
    let rows: Vec<_> = ProblemType::ALL.iter().copied().map(problem).collect();
    let head = "| type | status | meaning | what to do |\n|---|---|---|---|";
    check("api", "problems", &format!("{head}\n{}", rows.join("\n")));
}

fn problem(kind: ProblemType) -> String {
    format!("| `{}` | {} | {} | {} |", kind.label(), kind.status().as_u16(), kind.meaning(), kind.fix())
}

/// The page `alerts` has every alert with its description and runbook.
#[test]
fn alerts_page_matches_the_rules() {
    let rules = read("deploy/prometheus/rules.yml");
    let alerts: Vec<_> = rules.split("- alert: ").skip(1).map(alert).collect();
    assert!(alerts.len() > 20, "{alerts:?}");
    check("alerts", "alerts", &alerts.join("\n\n"));
}

fn alert(rule: &str) -> String {
    let name = rule.lines().next().unwrap_or_default();
    let severity = field(rule, "severity");
    let after =
        rule.lines().find_map(|line| line.trim().strip_prefix("for: ")).map(|time| format!(", after {time}"));
    let description = wrapped("", &with_code(&field(rule, "description")));
    let runbook = wrapped("", &with_code(&format!("To do: {}", field(rule, "runbook"))));
    format!("### {name}\n\n*{severity}*{}. {description}\n\n{runbook}", after.unwrap_or_default())
}

/// Returns a field of a rule, with names in the place of Prometheus' variables.
fn field(rule: &str, name: &str) -> String {
    let prefix = format!("{name}: ");
    let value =
        rule.lines().find_map(|line| line.trim().strip_prefix(&prefix)).expect("a rule has the field");
    let value = value.trim_matches('"').replace("\\\"", "\"");
    let mut text = String::new();
    for (index, part) in value.split("{{").enumerate() {
        let (variable, rest) =
            if index == 0 { ("", part) } else { part.split_once("}}").unwrap_or(("", part)) };
        text.push_str(
            &variable.trim().strip_prefix("$labels.").map_or_else(|| value_name(variable), str::to_uppercase),
        );
        text.push_str(rest);
    }
    text
}

fn value_name(variable: &str) -> String {
    let is_value = variable.trim().starts_with("$value");
    if is_value { "N".to_owned() } else { String::new() }
}
