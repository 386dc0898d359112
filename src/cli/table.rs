//! Tables for people. What comes from elsewhere can't steer the terminal: control characters are taken out.

use clap::ValueEnum;
use comfy_table::Table;
use comfy_table::presets::NOTHING;

/// How a list is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Listing {
    /// For people.
    Table,
    /// One JSON object.
    Json,
}

/// A table with a head and rows, without lines, as wide as what is in it. No newline at its end.
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

/// A cell may have several lines, and nothing else that is no text.
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
