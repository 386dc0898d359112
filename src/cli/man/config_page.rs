//! The man page rekeyd.toml(5), from the reference of the configuration.

use super::roff::{ManPage, bold, escaped};
use crate::config::{KEYS, ReferenceEntry, ReferenceTable, reference};

pub(super) fn page() -> String {
    let mut page = ManPage::new("rekeyd.toml", 5);
    page.section("NAME");
    page.line("rekeyd.toml \\- configuration of rekeyd");
    page.section("DESCRIPTION");
    let tables = reference();
    for table in &tables {
        describe(&mut page, table);
    }
    page.section("ENVIRONMENT");
    page.entry(&bold("REKEYD_CONFIG"), "The configuration file, if --config is not given.");
    page.entry(&format!("{}\\fITABLE\\fR__\\fIKEY\\fR", bold("REKEYD_")), VARIABLES);
    page.section("FILES");
    page.entry(
        "\\fI/etc/rekeyd/rekeyd.toml\\fR",
        "The configuration file of the systemd unit and of the container image.",
    );
    page.section("EXAMPLES");
    page.example(&SMALLEST.lines().collect::<Vec<_>>());
    page.section("SEE ALSO");
    page.line(&format!(
        "{}(1),\n{}(1),\n{}(1)",
        bold("rekeyd"),
        bold("rekeyd-check-config"),
        bold("rekeyd-run")
    ));
    page.finish()
}

fn describe(page: &mut ManPage, table: &ReferenceTable) {
    if !table.header.is_empty() {
        page.subsection(&table.header);
    }
    page.text(&table.text);
    for entry in &table.entries {
        page.entry(&tag(entry), if entry.text.is_empty() { "As above." } else { &entry.text });
    }
}

/// Returns the keys of an entry, each with its default or an example.
fn tag(entry: &ReferenceEntry) -> String {
    let keys = entry.keys.iter().map(|(path, value)| {
        let name = path.rsplit(['.', ']']).next().unwrap_or(path);
        let has_default = KEYS.iter().any(|key| key.path == *path && key.default.is_some());
        let relation = if has_default { "" } else { " (example)" };
        format!("{} = {}{relation}", bold(name), escaped(value))
    });
    keys.collect::<Vec<_>>().join("\n.TQ\n")
}

const VARIABLES: &str = "Overrides a key outside of tables in double brackets: REKEYD_POLICY__OVERLAP=3d sets overlap of [policy].";

const SMALLEST: &str = "\
[azure]
tenant_id = \"00000000-0000-0000-0000-000000000000\"

[[vaults]]
name = \"example-vault\"

[[secrets]]
vault = \"example-vault\"
name = \"example-secret\"
application_object_id = \"00000000-0000-0000-0000-000000000000\"";
