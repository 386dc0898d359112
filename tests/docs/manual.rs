//! The manual has every route, subcommand and exit code, and every page stands where it is looked for.

use std::collections::BTreeSet;

use clap::CommandFactory as _;
use rekeyd::cli::Cli;
use rekeyd::config::{Config, KEYS};
use rekeyd::domain::{ActionKind, CommandKind};
use rekeyd::http::ROUTES;
use rekeyd::http::access::AuthRejection;
use rekeyd::manual::{TOPICS, topic};
use rekeyd::metrics::Metrics;

use crate::{names, read, sources};

/// The limit of README.md, as `wc -w` counts.
const MAX_README_WORDS: usize = 700;

fn page(name: &str) -> &'static str {
    topic(name).expect("the manual has the page").text
}

#[test]
fn the_readme_is_one_page() {
    let words = read("README.md").split_whitespace().count();
    assert!(words <= MAX_README_WORDS, "README.md has {words} words, at most {MAX_README_WORDS} are allowed");
}

#[test]
fn manual_names_every_route() {
    let routes = ROUTES.iter().map(|(method, path)| format!("| `{method} {path}` |"));
    let missing: Vec<_> = routes.filter(|route| !page("api").contains(route)).collect();
    assert!(missing.is_empty(), "src/manual/api.md lacks {missing:?}");
}

#[test]
fn manual_names_every_metric_and_label() {
    let rows: Vec<_> = page("metrics").lines().filter(|line| line.starts_with('|')).collect();
    for metric in Metrics::DECLARATIONS {
        let row = rows.iter().find(|row| row.contains(&format!("| `{}` |", metric.name)));
        let row = row.expect(metric.name);
        assert!(metric.labels.iter().all(|label| row.contains(&format!("`{label}`"))), "{row}");
    }
    assert_eq!(Metrics::NAMES.len(), Metrics::DECLARATIONS.len());
}

/// The page `metrics` names the values of labels that come from enums.
#[test]
fn manual_names_the_values_of_labels() {
    let actions = ActionKind::ALL.iter().map(|action| action.label());
    let refusals = AuthRejection::ALL.iter().map(|refusal| refusal.label());
    let values = actions.chain(CommandKind::LABELS).chain(refusals);
    let missing: Vec<_> = values.filter(|value| !page("metrics").contains(&format!("`{value}`"))).collect();
    assert!(missing.is_empty(), "src/manual/metrics.md lacks {missing:?}");
}

#[test]
fn manual_names_every_key() {
    let missing: Vec<_> = KEYS.iter().map(|key| format!("`{}`", key.path)).collect();
    let missing: Vec<_> = missing.iter().filter(|key| !page("configuration").contains(*key)).collect();
    assert!(missing.is_empty(), "src/manual/configuration.md lacks {missing:?}");
}

#[test]
fn manual_names_every_subcommand() {
    let command = Cli::command();
    let names = command.get_subcommands().map(|subcommand| format!("| `rekeyd {}` |", subcommand.get_name()));
    let missing: Vec<_> = names.filter(|name| !page("cli").contains(name)).collect();
    assert!(missing.is_empty(), "src/manual/cli.md lacks {missing:?}");
}

/// The page `cli` has the exit codes that `rekeyd --help` has.
#[test]
fn manual_names_every_exit_code() {
    let help = Cli::command().render_help().to_string();
    let (_, listed) = help.split_once("Exit codes:\n").expect("the help lists exit codes");
    let codes = listed
        .lines()
        .filter(|line| line.starts_with("  "))
        .filter_map(|line| line.split_whitespace().next());
    let codes: BTreeSet<_> = codes.filter(|word| word.parse::<u8>().is_ok()).collect();
    assert_eq!(codes, BTreeSet::from(["0", "1", "2", "64"]));
    let missing: Vec<_> =
        codes.iter().filter(|code| !page("cli").contains(&format!("| `{code}` |"))).collect();
    assert!(missing.is_empty(), "src/manual/cli.md lacks {missing:?}");
}

#[test]
fn manual_names_every_alert() {
    let rules = read("deploy/prometheus/rules.yml");
    let alerts: Vec<_> = rules.lines().filter_map(|line| line.trim().strip_prefix("- alert: ")).collect();
    let missing: Vec<_> = alerts.iter().filter(|alert| !names(page("alerts"), alert)).collect();
    assert!(alerts.len() > 20 && missing.is_empty(), "src/manual/alerts.md lacks {missing:?} of {alerts:?}");
}

/// README.md and the documentation of the library lead to each page.
#[test]
fn every_page_is_listed() {
    let readme = read("README.md");
    for topic in TOPICS {
        let path = format!("src/manual/{}.md", topic.name);
        assert_eq!(read(&path), topic.text);
        assert!(readme.contains(&format!("]({path})")), "README.md doesn't link to {path}");
    }
    let pages = sources_of_manual();
    assert_eq!(pages, TOPICS.iter().map(|topic| topic.name.to_owned()).collect());
}

fn sources_of_manual() -> BTreeSet<String> {
    let entries = std::fs::read_dir(crate::root().join("src/manual")).expect("the manual's folder");
    let paths = entries.map(|entry| entry.expect("an entry").path());
    let pages = paths.filter(|path| path.extension().is_some_and(|kind| kind == "md"));
    pages.filter_map(|path| Some(path.file_stem()?.to_str()?.to_owned())).collect()
}

/// Every `toml` snippet of README.md and the manual is a valid configuration.
#[test]
fn toml_snippets_are_valid_configurations() {
    let readme = read("README.md");
    let pages = TOPICS.iter().map(|topic| (topic.name, topic.text)).chain([("README.md", readme.as_str())]);
    let mut count = 0;
    for (name, text) in pages {
        for snippet in snippets(text, "toml") {
            let read = Config::parse(snippet, name, &[]);
            assert!(read.is_ok(), "{name}: {}\n{snippet}", read.expect_err("it is wrong"));
            count += 1;
        }
    }
    assert!(count >= 3, "only {count} snippets were found");
}

/// Returns the blocks of code of a language.
fn snippets<'a>(text: &'a str, language: &str) -> Vec<&'a str> {
    let fence = format!("\n```{language}\n");
    text.split(&fence).skip(1).filter_map(|rest| rest.split("```").next()).collect()
}

/// Every block of code names its language; a shell snippet that no test runs gives the reason.
#[test]
fn every_snippet_names_its_language() {
    let mut wrong = Vec::new();
    let readme = read("README.md");
    for text in TOPICS.iter().map(|topic| topic.text).chain([readme.as_str()]) {
        let fences = text.lines().filter_map(|line| line.strip_prefix("```"));
        let opening = fences.step_by(2);
        wrong.extend(opening.filter(|kind| !is_known(kind)).map(ToOwned::to_owned));
    }
    assert!(wrong.is_empty(), "{wrong:?}");
}

fn is_known(kind: &str) -> bool {
    let reason = kind.strip_prefix("sh ignore (").and_then(|rest| rest.strip_suffix(')'));
    ["sh", "toml", "text"].contains(&kind) || reason.is_some_and(|reason| reason.len() > 5)
}

/// The text of a remedy or a comment leads to a page of the manual that exists.
#[test]
fn references_lead_to_existing_topics() {
    let mut wrong = Vec::new();
    let command = Cli::command();
    for source in sources("src") {
        for rest in source.text.split("rekeyd help ").skip(1) {
            let name = rest
                .split(|part: char| !(part.is_ascii_lowercase() || part == '-'))
                .next()
                .unwrap_or_default();
            if !name.is_empty() && topic(name).is_none() && command.find_subcommand(name).is_none() {
                wrong.push(format!("{}: {name}", source.path));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:?}");
}
