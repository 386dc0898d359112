//! Text in the language of man pages. It escapes; it decides on no content.

/// A man page that is being written.
pub(super) struct ManPage(String);

impl ManPage {
    /// Begins a page of a section of the manual.
    pub(super) fn new(name: &str, section: u8) -> Self {
        let version = concat!("rekeyd ", env!("CARGO_PKG_VERSION"));
        Self(format!(
            ".TH {} {section} \"\" \"{version}\" \"rekeyd manual\"\n",
            escaped(&name.to_uppercase())
        ))
    }

    pub(super) fn section(&mut self, title: &str) {
        self.line(&format!(".SH {}", quoted(title)));
    }

    pub(super) fn subsection(&mut self, title: &str) {
        self.line(&format!(".SS {}", quoted(&escaped(title))));
    }

    /// Adds a line as it is: a request, or text that is escaped already.
    pub(super) fn line(&mut self, line: &str) {
        self.0.push_str(line);
        self.0.push('\n');
    }

    /// Adds text that is filled. An empty line begins a paragraph; an indented line is kept as a line of its own.
    pub(super) fn text(&mut self, text: &str) {
        for line in text.lines() {
            match line.strip_prefix("  ") {
                _ if line.trim().is_empty() => self.line(".PP"),
                Some(kept) => self.line(&format!(".br\n{}", protected(kept.trim_start()))),
                None => self.line(&protected(line)),
            }
        }
    }

    /// Adds an entry: a tag that is escaped already, and its text.
    pub(super) fn entry(&mut self, tag: &str, text: &str) {
        self.line(&format!(".TP\n{tag}"));
        self.text(text);
    }

    /// Adds lines that are kept as they are.
    pub(super) fn example(&mut self, lines: &[&str]) {
        self.line(".nf");
        for line in lines {
            self.line(&protected(line));
        }
        self.line(".fi");
    }

    pub(super) fn raw(&mut self, bytes: &[u8]) {
        self.0.push_str(&String::from_utf8_lossy(bytes));
    }

    pub(super) fn finish(self) -> String {
        self.0
    }
}

pub(super) fn bold(text: &str) -> String {
    format!("\\fB{}\\fR", escaped(text))
}

/// Escapes what has a meaning in roff, inside of a line.
pub(super) fn escaped(text: &str) -> String {
    text.replace('\\', "\\e")
        .replace('-', "\\-")
        .replace('\'', "\\(aq")
        .replace('`', "\\(ga")
        .replace('…', "...")
}

/// Escapes a whole line, which might otherwise begin with a request.
fn protected(line: &str) -> String {
    let line = escaped(line);
    if line.starts_with(['.', '\'']) { format!("\\&{line}") } else { line }
}

fn quoted(text: &str) -> String {
    if text.contains(' ') { format!("\"{text}\"") } else { text.to_owned() }
}
