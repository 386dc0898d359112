//! Tables for the terminal. Control characters in cells are replaced, so that foreign text can't steer the terminal.

use std::io::IsTerminal as _;

use clap::ValueEnum;
use comfy_table::presets::NOTHING;
use comfy_table::{ContentArrangement, Table};

/// The output format of a command that prints a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Listing {
    /// A table.
    Table,
    /// One JSON object.
    Json,
}

/// Returns a table with a header and rows, without borders and without a newline at its end. It fits the terminal that
/// standard output is; otherwise it is as wide as its content.
pub(super) fn table<const WIDTH: usize>(
    head: [&str; WIDTH],
    rows: impl IntoIterator<Item = [String; WIDTH]>,
) -> String {
    let head = head.map(str::to_owned).to_vec();
    let rows = rows.into_iter().map(|row| row.map(|cell| harmless(&cell)).to_vec()).collect();
    let content = Content { head, rows };
    match terminal_width() {
        Some(width) => content.fitted(width),
        None => content.plain(),
    }
}

/// Breaks a long line between words if standard output is a terminal that it doesn't fit.
pub(super) fn paragraph(line: &str) -> String {
    terminal_width().map_or_else(|| line.to_owned(), |width| broken(line, width).join("\n"))
}

/// Returns the number of columns of the terminal; `None` if standard output is not a terminal.
fn terminal_width() -> Option<usize> {
    let stdout = std::io::stdout();
    let size = rustix::termios::tcgetwinsize(&stdout).ok().filter(|_| stdout.is_terminal())?;
    (size.ws_col > 0).then_some(size.ws_col.into())
}

/// The header and the rows of a table. The last column is free text.
struct Content {
    head: Vec<String>,
    rows: Vec<Vec<String>>,
}

impl Content {
    fn table(&self) -> Table {
        let mut table = Table::new();
        table.load_style(NOTHING).set_header(&self.head).add_rows(&self.rows);
        table
    }

    fn plain(&self) -> String {
        self.table().trim_fmt()
    }

    /// Returns the table in lines of at most `width` columns: with the free text below each row, or wrapped.
    fn fitted(&self, width: usize) -> String {
        let plain = self.plain();
        if fits(&plain, width) {
            return plain;
        }
        let filled = self.without_empty_columns();
        filled.with_text_below(width).unwrap_or_else(|| filled.wrapped(width))
    }

    fn without_empty_columns(&self) -> Self {
        let filled: Vec<_> = (0..self.head.len()).map(|column| self.is_filled(column)).collect();
        self.select(&filled)
    }

    fn is_filled(&self, column: usize) -> bool {
        self.rows.iter().any(|row| row.get(column).is_some_and(|cell| !cell.is_empty()))
    }

    /// Returns the table with the free text and the widest columns below each row; `None` if that doesn't fit either.
    fn with_text_below(&self, width: usize) -> Option<String> {
        let kept = self.kept_columns(width)?;
        let short = self.select(&kept).plain();
        if short.lines().count() != self.rows.len() + 1 {
            return None;
        }
        let texts = self.rows.iter().map(|row| self.below(row, &kept, width));
        let texts = std::iter::once(String::new()).chain(texts);
        let lines: Vec<_> = short.lines().zip(texts).map(|(line, text)| format!("{line}{text}")).collect();
        Some(lines.join("\n"))
    }

    /// Returns a flag for each column that stays in its row: all but the last and as few as possible of the widest.
    fn kept_columns(&self, width: usize) -> Option<Vec<bool>> {
        let mut kept = vec![true; self.head.len()];
        *kept.last_mut()? = false;
        while !fits(&self.select(&kept).plain(), width) {
            let optional = (NAMING_COLUMNS..kept.len()).filter(|column| kept.get(*column) == Some(&true));
            let widest = optional.max_by_key(|column| self.width_of(*column))?;
            *kept.get_mut(widest)? = false;
        }
        Some(kept)
    }

    fn width_of(&self, column: usize) -> usize {
        let cells = self.rows.iter().chain([&self.head]).filter_map(|row| row.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or_default()
    }

    fn select(&self, wanted: &[bool]) -> Self {
        let rows = self.rows.iter().map(|row| only(row, wanted)).collect();
        Self { head: only(&self.head, wanted), rows }
    }

    /// Returns what stands below a row: the cells of the columns that are not kept, by name, then the free text.
    fn below(&self, row: &[String], kept: &[bool], width: usize) -> String {
        let Some((text, cells)) = row.split_last() else { return String::new() };
        let named =
            self.head.iter().zip(cells).zip(kept).filter(|((_, cell), kept)| !**kept && !cell.is_empty());
        let named: Vec<_> =
            named.map(|((name, cell), _)| format!("{}: {cell}", name.to_lowercase())).collect();
        let named = named.join(", ");
        let lines = [named.as_str()].into_iter().chain(text.lines()).filter(|line| !line.is_empty());
        let broken = lines.flat_map(|line| broken(line.trim(), width.saturating_sub(INDENT.len())));
        let indented: Vec<_> = broken.map(|line| format!("\n{INDENT}{line}")).collect();
        indented.concat()
    }

    fn wrapped(&self, width: usize) -> String {
        let mut table = self.table();
        let width = u16::try_from(width).unwrap_or(u16::MAX);
        table.set_content_arrangement(ContentArrangement::Dynamic).set_width(width);
        table.trim_fmt()
    }
}

fn fits(text: &str, width: usize) -> bool {
    text.lines().all(|line| line.chars().count() <= width)
}

fn only(cells: &[String], wanted: &[bool]) -> Vec<String> {
    cells.iter().zip(wanted).filter(|(_, wanted)| **wanted).map(|(cell, _)| cell.clone()).collect()
}

/// Breaks a line between words so that each part fits.
fn broken(line: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in line.split(' ') {
        match lines.last_mut() {
            Some(last) if last.chars().count() + 1 + word.chars().count() <= width => {
                last.push(' ');
                last.push_str(word);
            }
            Some(_) | None => lines.push(word.to_owned()),
        }
    }
    lines
}

/// The number of columns that name what a row is about: they stay in it.
const NAMING_COLUMNS: usize = 2;

const INDENT: &str = "     ";

/// Replaces control characters other than line breaks.
fn harmless(cell: &str) -> String {
    cell.chars().map(|c| if c.is_control() && c != '\n' { '\u{fffd}' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn content<const WIDTH: usize>(head: [&str; WIDTH], rows: &[[&str; WIDTH]]) -> Content {
        let own = |cells: &[&str; WIDTH]| cells.map(str::to_owned).to_vec();
        Content { head: own(&head), rows: rows.iter().map(own).collect() }
    }

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

    /// On a narrow terminal, empty columns are left out and the free text stands below its row.
    #[test]
    fn narrow_table_has_text_below() {
        let rows = [["a", "", "one two three\n  warning: four"], ["b", "", "five"]];
        let content = content(["N", "OWNER", "WHY"], &rows);
        let narrow = " N\n a\n     one two\n     three\n     warning:\n     four\n b\n     five";
        assert_eq!(content.fitted(16), narrow);
        let wide = content.fitted(80);
        assert!(wide.starts_with(" N  OWNER  WHY\n a         one two three\n"), "{wide}");
    }

    /// The widest columns go below their row, by name, until the others fit.
    #[test]
    fn widest_columns_stand_below_by_name() {
        let rows = [["secret", "kv/a", "a long name", "73", "by hand"]];
        let content = content(["KIND", "NAME", "APPLICATION", "DAYS", "NOTE"], &rows);
        let narrow =
            " KIND    NAME  DAYS\n secret  kv/a  73\n     application: a long\n     name\n     by hand";
        assert_eq!(content.fitted(24), narrow);
    }

    /// Columns that name the rows are wrapped if they don't fit the terminal.
    #[test]
    fn wide_columns_are_wrapped() {
        let long = "x".repeat(50);
        let text = content(["A", "B", "C"], &[[&long, &long, "why"]]).fitted(40);
        assert!(fits(&text, 40) && text.contains("why"), "{text}");
    }
}
