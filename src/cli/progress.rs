//! Progress of a sandbox run: one line an event, coloured on a terminal.

use anstyle::{AnsiColor, Style};

use crate::sandbox::{TimelineEvent, TimelineEventKind};

/// One line about what happened.
pub(super) fn line(event: &TimelineEvent) -> String {
    let (word, style) = told(event.kind);
    let at = event.at;
    let when = format!("{} {:02}:{:02}:{:02}", at.date(), at.hour(), at.minute(), at.second());
    let (secret, detail) = (&event.secret, &event.detail);
    format!("{when}  {style}{word:<10}{style:#}  {secret:<18}  {detail}")
}

fn told(kind: TimelineEventKind) -> (&'static str, Style) {
    let in_colour = |colour: AnsiColor| colour.on_default();
    match kind {
        TimelineEventKind::Issued => ("issued", in_colour(AnsiColor::Cyan)),
        TimelineEventKind::Published => ("published", in_colour(AnsiColor::Green)),
        TimelineEventKind::VersionAdded => ("version", Style::new()),
        TimelineEventKind::Revoked => ("revoked", in_colour(AnsiColor::Magenta)),
        TimelineEventKind::VersionDisabled => ("disabled", in_colour(AnsiColor::Magenta)),
        TimelineEventKind::EventDelivered => ("event", Style::new().dimmed()),
        TimelineEventKind::EventDeadLettered => ("dead", in_colour(AnsiColor::Yellow)),
        TimelineEventKind::EventDropped => ("dropped", in_colour(AnsiColor::Yellow)),
        TimelineEventKind::FaultInjected => ("fault", in_colour(AnsiColor::Yellow).dimmed()),
        TimelineEventKind::ConsumerFailed => ("FAILED", in_colour(AnsiColor::Red).bold()),
    }
}
