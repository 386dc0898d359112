//! Progress of a sandbox run: one line an event, coloured on a terminal.

use anstyle::{AnsiColor, Style};

use crate::sandbox::{Happening, HappeningKind};

/// One line about what happened.
pub(super) fn line(happening: &Happening) -> String {
    let (word, style) = told(happening.kind);
    let at = happening.at;
    let when = format!("{} {:02}:{:02}:{:02}", at.date(), at.hour(), at.minute(), at.second());
    let (secret, detail) = (&happening.secret, &happening.detail);
    format!("{when}  {style}{word:<10}{style:#}  {secret:<18}  {detail}")
}

fn told(kind: HappeningKind) -> (&'static str, Style) {
    let in_colour = |colour: AnsiColor| colour.on_default();
    match kind {
        HappeningKind::Issued => ("issued", in_colour(AnsiColor::Cyan)),
        HappeningKind::Published => ("published", in_colour(AnsiColor::Green)),
        HappeningKind::VersionAdded => ("version", Style::new()),
        HappeningKind::Revoked => ("revoked", in_colour(AnsiColor::Magenta)),
        HappeningKind::VersionDisabled => ("disabled", in_colour(AnsiColor::Magenta)),
        HappeningKind::EventDelivered => ("event", Style::new().dimmed()),
        HappeningKind::EventDeadLettered => ("dead", in_colour(AnsiColor::Yellow)),
        HappeningKind::EventDropped => ("dropped", in_colour(AnsiColor::Yellow)),
        HappeningKind::FaultInjected => ("fault", in_colour(AnsiColor::Yellow).dimmed()),
        HappeningKind::ConsumerFailed => ("FAILED", in_colour(AnsiColor::Red).bold()),
    }
}
