//! `rekeyd inventory`: lists all credentials and secrets that rekeyd can read, by class.

use std::collections::{BTreeMap, BTreeSet};
use std::process::ExitCode;
use std::str::FromStr;

use clap::{Args, ValueEnum};
use serde_json::json;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::read_only::run_read_only;
use super::table::{paragraph, table};
use super::{ConfigFile, print_error, print_line};
use crate::diagnostics::inventory::{Inventory, Item};
use crate::domain::Class;

/// The arguments of `rekeyd inventory`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  rekeyd inventory --config rekeyd.toml\n  \
    rekeyd inventory --config rekeyd.toml --class near_expiry --class expired\n  \
    rekeyd inventory --config rekeyd.toml --class unmanaged+near_expiry      what expires unnoticed\n  \
    rekeyd inventory --config rekeyd.toml --output csv > inventory.csv\n  \
    rekeyd inventory --config rekeyd.toml --no-usage --output json\n\n\
    Lists every client secret of every application that rekeyd may read, and every\n\
    secret of [[vaults]]. The values of secrets are not read. Certificates of\n\
    applications and vaults are not listed.\n\n\
    Classes: managed, orphaned, foreign, unmanaged, near_expiry, expired,\n\
    never_used, could_be_secretless. A secret that rekeyd refuses to rotate (by its\n\
    allow and deny lists, or for a missing consent) is not managed.\n\n\
    Exit codes: 0 everything was read; 1 something could not be read (see standard\n\
    error); 64 invalid arguments or an invalid configuration")]
pub(super) struct InventoryCommand {
    #[command(flatten)]
    config: ConfigFile,
    /// List only items of this class, or of all classes joined by +. Repeat the option to list items of any.
    #[arg(long, value_name = "CLASS[+CLASS]")]
    class: Vec<Classes>,
    /// Leave out the last sign-ins. Their report allows only five requests in ten seconds, one for each application.
    #[arg(long)]
    no_usage: bool,
    /// Output format.
    #[arg(long, value_enum, default_value = "table")]
    output: InventoryOutput,
}

/// Formats of an inventory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum InventoryOutput {
    /// A table.
    Table,
    /// One JSON object.
    Json,
    /// CSV for spreadsheets: text that could be read as a formula is quoted.
    Csv,
}

impl InventoryCommand {
    pub(super) fn execute(self) -> ExitCode {
        run_read_only(&self.config, async |services| {
            let now = services.clock.now();
            let mut taken = Inventory::take(&services.config, &services.ports, now, !self.no_usage).await;
            taken.items.retain(|item| self.selects(item));
            taken.gaps.iter().chain(&taken.notes).for_each(print_error);
            print_line(self.shown(&taken));
            if taken.gaps.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        })
    }

    /// Returns true if the item is of a selected class, or none is selected.
    fn selects(&self, item: &Item) -> bool {
        self.class.is_empty() || self.class.iter().any(|Classes(all)| all.is_subset(&item.classes))
    }

    fn shown(&self, taken: &Inventory) -> String {
        match self.output {
            InventoryOutput::Table => {
                let rows = table(HEAD, taken.items.iter().map(cells));
                format!("{rows}\n\n{}", paragraph(&summary(&taken.items)))
            }
            InventoryOutput::Json => json!({
                "items": taken.items,
                "counts": counts(&taken.items),
                "gaps": taken.gaps,
                "notes": taken.notes,
            })
            .to_string(),
            InventoryOutput::Csv => csv(&taken.items),
        }
    }
}

/// Classes that an item must have all at once.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Classes(BTreeSet<Class>);

impl FromStr for Classes {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let all: Option<_> = text.split('+').map(class).collect();
        all.map(Self).ok_or_else(|| {
            let labels = Class::ALL.map(Class::label).join(", ");
            format!("expected one of {labels}, or several with + between them")
        })
    }
}

fn class(label: &str) -> Option<Class> {
    Class::ALL.into_iter().find(|class| class.label() == label)
}

const HEAD: [&str; 10] = [
    "KIND",
    "NAME",
    "APPLICATION",
    "CLIENT_ID",
    "CLASSES",
    "OWNER",
    "ENDS",
    DAYS_LEFT,
    "LAST_SIGN_IN",
    "NOTE",
];

const DAYS_LEFT: &str = "DAYS_LEFT";

fn cells(item: &Item) -> [String; HEAD.len()] {
    row(item, " ", |moment| moment.date().to_string())
}

fn row(item: &Item, separator: &str, moment: impl Fn(OffsetDateTime) -> String) -> [String; HEAD.len()] {
    let classes: Vec<_> = item.classes.iter().map(|class| class.label()).collect();
    [
        item.kind.label().to_owned(),
        item.name.clone(),
        item.application.clone().unwrap_or_default(),
        item.client_id.map(|id| id.to_string()).unwrap_or_default(),
        classes.join(separator),
        item.owner.clone().unwrap_or_default(),
        item.ends.map(&moment).unwrap_or_default(),
        item.days_left.map(|days| days.to_string()).unwrap_or_default(),
        item.last_sign_in.map(&moment).unwrap_or_default(),
        item.note.clone(),
    ]
}

fn counts(items: &[Item]) -> BTreeMap<&'static str, usize> {
    let mut counts: BTreeMap<_, _> = Class::ALL.into_iter().map(|class| (class.label(), 0)).collect();
    for label in items.iter().flat_map(|item| &item.classes).map(|class| class.label()) {
        *counts.entry(label).or_default() += 1;
    }
    counts
}

fn summary(items: &[Item]) -> String {
    let counts = counts(items);
    let counted = Class::ALL.into_iter().map(|class| {
        let label = class.label();
        format!("{label}: {}", counts.get(label).copied().unwrap_or_default())
    });
    counted.collect::<Vec<_>>().join(", ")
}

/// Formats items as CSV with a header in lower case and no newline at the end.
fn csv(items: &[Item]) -> String {
    let mut writer = csv::Writer::from_writer(Vec::new());
    let rows = items.iter().map(record);
    let head: Vec<_> = HEAD.iter().map(|name| name.to_ascii_lowercase()).collect();
    // Writing to memory can't fail.
    let _ = std::iter::once(head).chain(rows).try_for_each(|row| writer.write_record(row));
    let bytes = writer.into_inner().unwrap_or_default();
    String::from_utf8_lossy(&bytes).trim_end().to_owned()
}

/// Returns the cells of an item for a spreadsheet. Numbers stay unquoted, because they can't be formulas.
fn record(item: &Item) -> Vec<String> {
    let cells = row(item, ";", |moment| moment.format(&Rfc3339).unwrap_or_default());
    HEAD.into_iter()
        .zip(cells)
        .map(|(name, cell)| if name == DAYS_LEFT { cell } else { inert(cell) })
        .collect()
}

/// Quotes a text that a spreadsheet would run as a formula, because anyone may name a credential.
fn inert(cell: String) -> String {
    if cell.starts_with(['=', '+', '-', '@', '\t', '\r']) { format!("'{cell}") } else { cell }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostics::inventory::ItemKind;
    use time::macros::datetime;

    fn item(note: &str, owner: &str) -> Item {
        Item {
            kind: ItemKind::Credential,
            name: "0".to_owned(),
            application: Some("=cmd|' /C calc'!A0".to_owned()),
            client_id: None,
            classes: [Class::Foreign, Class::Expired].into(),
            owner: Some(owner.to_owned()),
            ends: Some(datetime!(2026-11-20 0:00 UTC)),
            days_left: Some(-2),
            last_sign_in: None,
            note: note.to_owned(),
        }
    }

    /// No text cell of the CSV output begins like a formula, and numbers stay numbers.
    #[test]
    fn spreadsheet_cells_never_start_a_formula() {
        let text = csv(&[item("-2", "+1"), item("@SUM(A1)", "a, \"b\"")]);
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(
            lines,
            [
                "kind,name,application,client_id,classes,owner,ends,days_left,last_sign_in,note",
                "credential,0,'=cmd|' /C calc'!A0,,foreign;expired,'+1,2026-11-20T00:00:00Z,-2,,'-2",
                "credential,0,'=cmd|' /C calc'!A0,,foreign;expired,\"a, \"\"b\"\"\",2026-11-20T00:00:00Z,-2,,'@SUM(A1)",
            ]
        );
    }

    /// A plus sign joins classes that must all hold; anything else is refused with the list of classes.
    #[test]
    fn plus_joins_classes_that_must_all_hold() {
        let classes = |text: &str| text.parse::<Classes>().map(|Classes(all)| all);
        assert_eq!(classes("expired"), Ok([Class::Expired].into()));
        let both = [Class::Unmanaged, Class::NearExpiry].into();
        assert_eq!(classes("unmanaged+near_expiry"), Ok(both));
        for wrong in ["", "unmanaged+", "Expired", "unmanaged,expired"] {
            assert!(classes(wrong).is_err_and(|error| error.contains("could_be_secretless")), "{wrong}");
        }
    }

    /// The inventory summary counts every class, including classes without any item.
    #[test]
    fn summary_counts_empty_classes_too() {
        assert_eq!(
            summary(&[item("", "")]),
            "managed: 0, orphaned: 0, foreign: 1, unmanaged: 0, near_expiry: 0, expired: 1, never_used: 0, could_be_secretless: 0"
        );
    }
}
