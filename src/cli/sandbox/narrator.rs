//! The narrator of a sandbox run: prints what happens, one line an event, coloured on a terminal.

use std::collections::BTreeMap;
use std::sync::Arc;

use anstyle::{AnsiColor, Style};
use time::OffsetDateTime;
use tokio::sync::mpsc::UnboundedReceiver;

use crate::cli::{Output, print_error, print_line};
use crate::sandbox::{ConsumerSignIns, Model, Sandbox, TimelineEvent, TimelineEventKind};

/// Prints the timeline of a sandbox and the sign-ins of its consumers.
pub(super) struct Narrator {
    model: Arc<Model>,
    timeline: UnboundedReceiver<TimelineEvent>,
    output: Output,
    /// Sign-ins with credentials that are not published yet, by credential.
    sign_ins: BTreeMap<String, usize>,
    counted: ConsumerSignIns,
}

impl Narrator {
    /// Subscribes to the timeline. With JSON output, text goes to standard error.
    pub(super) fn new(sandbox: &Sandbox, output: Output) -> Self {
        let (sign_ins, counted) = (BTreeMap::new(), ConsumerSignIns::default());
        let (model, timeline) = (Arc::clone(sandbox.model()), sandbox.timeline());
        Self { model, timeline, output, sign_ins, counted }
    }

    /// Prints text between the events.
    pub(super) fn print(&self, text: impl std::fmt::Display) {
        match self.output {
            Output::Text => print_line(text),
            // Standard output is for the one object at the end.
            Output::Json => print_error(text),
        }
    }

    /// Moves the sandbox's clock to `limit`, and prints what happens until then.
    pub(super) async fn run_until(&mut self, sandbox: &Sandbox, limit: OffsetDateTime) {
        let clock = sandbox.clock();
        self.during(clock.run_until(limit)).await;
    }

    /// Prints what happens until `work` is done.
    pub(super) async fn during<T>(&mut self, work: impl Future<Output = T>) -> T {
        let mut work = std::pin::pin!(work);
        let done = loop {
            tokio::select! {
                biased;
                Some(event) = self.timeline.recv() => self.print_event(&event),
                done = &mut work => break done,
            }
        };
        while let Ok(event) = self.timeline.try_recv() {
            self.print_event(&event);
        }
        done
    }

    /// Prints the number of the consumers' sign-ins since the last time.
    pub(super) fn print_consumers(&mut self, at: OffsetDateTime) {
        let (now, before) = (self.model.consumer_sign_ins(), self.counted);
        self.counted = now;
        let style = if now.failures > before.failures { FAILED } else { Style::new() };
        let text = format!(
            "{} sign-ins ({} with the old text), {} failed",
            now.attempts - before.attempts,
            now.with_superseded_text - before.with_superseded_text,
            now.failures - before.failures,
        );
        self.print(line(at, ("consumers", style), &text));
    }

    fn print_event(&mut self, event: &TimelineEvent) {
        // The daemon signs in several times before it publishes: one line stands for all.
        if event.kind == TimelineEventKind::SignedIn {
            *self.sign_ins.entry(event.detail.clone()).or_default() += 1;
        } else if event.kind == TimelineEventKind::ClockMoved {
            self.print_consumers(event.at);
        } else if event.kind != TimelineEventKind::FaultInjected || self.output != Output::Json {
            self.print_verified(event);
            self.print(event_line(event));
        }
    }

    /// Prints the sign-ins that came before the publication of a credential, if the event is one.
    fn print_verified(&mut self, event: &TimelineEvent) {
        if event.kind != TimelineEventKind::Published {
            return;
        }
        if let Some(count) = self.sign_ins.remove(&event.detail) {
            let text = format!("{}  it signed in {count} times", event.secret);
            self.print(line(event.at, ("verified", AnsiColor::Green.on_default()), &text));
        }
    }
}

fn event_line(event: &TimelineEvent) -> String {
    let TimelineEvent { at, kind, secret, detail } = event;
    let text = match kind {
        TimelineEventKind::Issued
        | TimelineEventKind::SignedIn
        | TimelineEventKind::Published
        | TimelineEventKind::Revoked => format!("{secret}  {}", credential(event)),
        TimelineEventKind::VersionAdded | TimelineEventKind::VersionDisabled => {
            format!("{secret}  {detail:.16}")
        }
        TimelineEventKind::EventDelivered
        | TimelineEventKind::EventDeadLettered
        | TimelineEventKind::EventDropped
        | TimelineEventKind::FaultInjected
        | TimelineEventKind::ConsumerFailed => format!("{secret}  {detail}"),
        TimelineEventKind::ClockMoving => format!("moving the sandbox's clock forward by {detail} ..."),
        TimelineEventKind::ClockMoved => format!("moved by {detail}"),
    };
    line(*at, label(*kind), &text)
}

/// Returns the first part of the credential's id, which is enough to recognise it.
fn credential(event: &TimelineEvent) -> String {
    let id: String = event.detail.chars().take(8).collect();
    format!("credential {id}")
}

fn line(at: OffsetDateTime, (word, style): (&str, Style), text: &str) -> String {
    let (date, hour, minute) = (at.date(), at.hour(), at.minute());
    format!("{date} {hour:02}:{minute:02}  {style}{word:<9}{style:#}  {text}")
}

fn label(kind: TimelineEventKind) -> (&'static str, Style) {
    match kind {
        TimelineEventKind::Issued => ("issued", AnsiColor::Cyan.on_default()),
        TimelineEventKind::SignedIn => ("signed in", Style::new()),
        TimelineEventKind::Published => ("published", AnsiColor::Green.on_default()),
        TimelineEventKind::VersionAdded => ("version", Style::new()),
        TimelineEventKind::Revoked => ("revoked", AnsiColor::Magenta.on_default()),
        TimelineEventKind::VersionDisabled => ("disabled", AnsiColor::Magenta.on_default()),
        TimelineEventKind::EventDelivered => ("event", Style::new().dimmed()),
        TimelineEventKind::EventDeadLettered => ("dead", AnsiColor::Yellow.on_default()),
        TimelineEventKind::EventDropped => ("dropped", AnsiColor::Yellow.on_default()),
        TimelineEventKind::FaultInjected => ("fault", AnsiColor::Yellow.on_default().dimmed()),
        TimelineEventKind::ConsumerFailed => ("FAILED", FAILED),
        TimelineEventKind::ClockMoving | TimelineEventKind::ClockMoved => ("clock", Style::new().bold()),
    }
}

const FAILED: Style = AnsiColor::Red.on_default().bold();
