//! Tables on a terminal. Control characters are replaced, so that names from Azure can't control the terminal.

use clap::ValueEnum;
use comfy_table::Table;
use comfy_table::presets::NOTHING;

/// Formats of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Listing {
    /// A table.
    Table,
    /// One JSON object.
    Json,
}

/// Returns a table with a header, without borders and without a newline at the end.
pub(super) fn table<const WIDTH: usize>(
    head: [&str; WIDTH],
    rows: impl IntoIterator<Item = [String; WIDTH]>,
) -> String {
    let mut table = Table::new();
    table.load_style(NOTHING).set_header(head);
    for row in rows {
        table.add_row(row.map(|cell| harmless(&cell)));
    }
    table.trim_fmt()
}

/// Replaces control characters except line breaks.
fn harmless(cell: &str) -> String {
    cell.chars().map(|c| if c.is_control() && c != '\n' { '\u{fffd}' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Table columns line up, also across line breaks, and control characters in a cell cannot steer the terminal.
    #[test]
    fn table_aligns_and_strips_control_characters() {
        let rows = [["a", "one\ntwo"], ["\u{1b}[31mlong", "x\r"]].map(|row| row.map(str::to_owned));
        let lines: Vec<_> = table(["N", "WHAT"], rows).lines().map(str::to_owned).collect();
        assert_eq!(
            lines,
            [" N          WHAT", " a          one", "            two", " \u{fffd}[31mlong  x\u{fffd}"]
        );
    }
}
