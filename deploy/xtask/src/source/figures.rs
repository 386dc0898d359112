//! Figures about the shape of code. Lines are read as rustfmt writes them: a body ends at the brace that stands below its
//! function's first word.

use std::fmt;

use super::{Source, indent};

/// Closures that are bound to a name, and lengths of functions.
#[derive(Debug)]
pub(crate) struct Figures {
    pub(crate) lines: usize,
    /// File, line and text of each.
    pub(crate) closures: Vec<String>,
    /// In lines from `fn` to the closing brace, the shortest first; declarations without a body are left out.
    pub(crate) functions: Vec<Function>,
}

/// A function and its length in lines.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Function {
    pub(crate) lines: usize,
    /// Its file, line and first line of text.
    pub(crate) place: String,
}

impl Figures {
    /// Counts in the product code of `sources`.
    pub(crate) fn of<'a>(sources: impl IntoIterator<Item = &'a Source>) -> Self {
        let mut figures = Self { lines: 0, closures: Vec::new(), functions: Vec::new() };
        for source in sources {
            figures.add(&source.path, &source.product_lines());
        }
        figures.functions.sort();
        figures
    }

    fn add(&mut self, path: &str, lines: &[(usize, &str)]) {
        self.lines += lines.len();
        for (index, (number, line)) in lines.iter().enumerate() {
            let place = format!("{path}:{number}: {}", line.trim());
            if binds_closure(line) {
                self.closures.push(place);
            } else if let Some(lines) = is_function(line).then(|| length(lines.get(index..)?)).flatten() {
                self.functions.push(Function { lines, place });
            }
        }
    }

    /// Returns the number of closures bound to a name in 1,000 lines.
    #[expect(clippy::cast_precision_loss, reason = "these are thousands")]
    pub(crate) fn closures_per_1000_lines(&self) -> f64 {
        self.closures.len() as f64 * 1_000.0 / self.lines.max(1) as f64
    }

    /// Returns the length that `percent` of the functions do not exceed.
    pub(crate) fn length_of(&self, percent: usize) -> usize {
        let index = (self.functions.len() * percent).div_ceil(100).saturating_sub(1);
        self.functions.get(index).map_or(0, |function| function.lines)
    }

    /// Returns the functions that are longer than `lines`, the longest last.
    pub(crate) fn longer_than(&self, lines: usize) -> &[Function] {
        let start = self.functions.partition_point(|function| function.lines <= lines);
        self.functions.get(start..).unwrap_or_default()
    }

    /// Returns the share of functions longer than `lines`, in percent.
    #[expect(clippy::cast_precision_loss, reason = "these are thousands")]
    pub(crate) fn percent_longer_than(&self, lines: usize) -> f64 {
        self.longer_than(lines).len() as f64 * 100.0 / self.functions.len().max(1) as f64
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(formatter, "lines                      {}", self.lines)?;
        writeln!(formatter, "closures bound to a name   {}", self.closures.len())?;
        writeln!(formatter, "  per 1,000 lines          {:.1}", self.closures_per_1000_lines())?;
        writeln!(formatter, "functions                  {}", self.functions.len())?;
        writeln!(formatter, "  lines, median            {}", self.length_of(50))?;
        writeln!(formatter, "  lines, 90 %              {}", self.length_of(90))?;
        writeln!(formatter, "  over 60 lines            {:.2} %", self.percent_longer_than(60))?;
        writeln!(formatter, "  lines, longest           {}", self.length_of(100))?;
        let places = self.longer_than(60).iter().map(|function| &function.place).chain(&self.closures);
        places.into_iter().try_for_each(|place| writeln!(formatter, "{place}"))
    }
}

/// Matches `^\s*let (mut )?\w+(: [^=]+)? = (async )?(move )?\|`.
fn binds_closure(line: &str) -> bool {
    let Some(rest) = line.trim_start().strip_prefix("let ") else { return false };
    let Some((pattern, value)) = rest.split_once(" = ") else { return false };
    let name = strip(pattern, "mut ").split(": ").next().unwrap_or_default();
    let is_name = !name.is_empty() && name.chars().all(|part| part.is_alphanumeric() || part == '_');
    is_name && strip(strip(value, "async "), "move ").starts_with('|')
}

/// Returns true if a function begins in this line.
fn is_function(line: &str) -> bool {
    let mut words = line.split_whitespace().skip_while(|word| is_qualifier(word));
    words.next() == Some("fn")
}

fn is_qualifier(word: &str) -> bool {
    // `pub(in crate::sandbox)` is two words.
    ["const", "async", "unsafe", "pub"].contains(&word) || word.starts_with("pub(") || word.ends_with(')')
}

/// Counts the lines of the function that begins in the first of `lines`, or nothing if it has no body.
fn length(lines: &[(usize, &str)]) -> Option<usize> {
    let (_, first) = lines.first()?;
    let indent = indent(first);
    let has_ended = |line: &str| self::indent(line) == indent && line.trim_end().ends_with(['}', ';']);
    let last = lines.iter().position(|(_, line)| has_ended(line))?;
    lines.get(last).is_some_and(|(_, line)| line.ends_with('}')).then_some(last + 1)
}

fn strip<'a>(text: &'a str, prefix: &str) -> &'a str {
    text.strip_prefix(prefix).unwrap_or(text)
}
