//! The order of pending commands, as examples and as properties of any sequence of requests and passes.
#![expect(clippy::unwrap_used, reason = "a test may fail")]

use proptest::prelude::*;
use time::macros::datetime;
use time::{Duration, OffsetDateTime};

use super::{Command, CommandKind, CommandProgress, PendingCommands, ReplacedCommand};

const NOW: OffsetDateTime = datetime!(2026-01-01 0:00 UTC);

const COMPROMISED: CommandKind = CommandKind::Compromised { all_credentials: false };
const ALL_COMPROMISED: CommandKind = CommandKind::Compromised { all_credentials: true };

fn command(kind: CommandKind, second: i64) -> Command {
    Command { kind, at: NOW + Duration::seconds(second) }
}

/// Returns the set after commands of these kinds were requested, one each second.
fn requested(kinds: &[CommandKind]) -> PendingCommands {
    let mut pending = PendingCommands::default();
    for (kind, second) in kinds.iter().zip(0..) {
        pending.add(command(*kind, second));
    }
    pending
}

/// Returns the kinds in the order in which passes take them, if each pass completes its command.
fn order(mut pending: PendingCommands) -> Vec<CommandKind> {
    let next = || {
        let taken = pending.begin()?;
        pending.end(None);
        Some(taken.command.kind)
    };
    std::iter::from_fn(next).collect()
}

/// Commands run in the order in which they were requested, and `compromised` goes first.
#[test]
fn commands_run_in_order_requested() {
    use CommandKind::{Pause, Resume, Retire, Rollback, Rotate};
    for (kinds, expected) in [
        (&[Resume, Rotate][..], &[Resume, Rotate][..]),
        (&[Rotate, Resume], &[Rotate, Resume]),
        (&[Rotate, Pause, Retire], &[Rotate, Pause, Retire]),
        (&[Retire, Rotate, COMPROMISED], &[COMPROMISED, Retire, Rotate]),
        (&[Pause, Rotate, Resume, Pause], &[Rotate, Resume, Pause]),
        (&[Rollback, Rotate], &[Rollback, Rotate]),
        (&[Rotate, Rollback], &[Rollback]),
        (&[Rollback, Rotate, Rollback], &[Rollback]),
    ] {
        assert_eq!(order(requested(kinds)), expected, "{kinds:?}");
    }
}

/// Two commands of one kind are one, as of the later one; of two compromises the wider extent stays.
#[test]
fn same_kind_twice_is_one_command() {
    for (kinds, expected) in [
        ([CommandKind::Rotate, CommandKind::Rotate], command(CommandKind::Rotate, 1)),
        ([ALL_COMPROMISED, COMPROMISED], command(ALL_COMPROMISED, 1)),
        ([COMPROMISED, ALL_COMPROMISED], command(ALL_COMPROMISED, 1)),
    ] {
        let pending = requested(&kinds);
        assert_eq!((pending.list().len(), pending.next()), (1, Some(expected)), "{kinds:?}");
    }
    let mut late = requested(&[CommandKind::Retire, CommandKind::Rotate]);
    late.add(command(CommandKind::Rotate, -9));
    assert_eq!(
        late.list().last().unwrap().command,
        command(CommandKind::Rotate, 1),
        "an older one changes nothing"
    );
}

/// A rollback replaces a rotation that waits or is given back, but neither one in work nor one that is half done.
#[test]
fn rollback_replaces_only_a_waiting_rotation() {
    let (rotate, rollback) = (command(CommandKind::Rotate, 0), command(CommandKind::Rollback, 1));
    let replaced = Some(ReplacedCommand { command: rotate, by: rollback });
    assert_eq!(requested(&[CommandKind::Rotate]).add(rollback), replaced);
    for (left, expected) in [
        (None, None),
        (Some(CommandProgress::Untried), replaced),
        (Some(CommandProgress::Waiting), replaced),
        (Some(CommandProgress::HeldUp), replaced),
        (Some(CommandProgress::HalfDone), None),
    ] {
        let mut pending = requested(&[CommandKind::Rotate]);
        pending.begin();
        assert_eq!(pending.add(rollback), None, "the rotation is in work");
        assert_eq!(pending.end(left), expected, "{left:?}");
    }
}

/// A pause or a resume goes before a command that is held up or yields, and the command before all others.
#[test]
fn pause_overtakes_held_up_command() {
    use CommandKind::{Pause, Resume, Retire, Rotate};
    for (left, kind, expected) in [
        (CommandProgress::HeldUp, Pause, Pause),
        (CommandProgress::HeldUp, Resume, Resume),
        (CommandProgress::Yielding, Resume, Resume),
        (CommandProgress::HeldUp, Retire, Rotate),
        (CommandProgress::Waiting, Pause, Rotate),
        (CommandProgress::Untried, Pause, Rotate),
        (CommandProgress::HalfDone, Pause, Rotate),
        (CommandProgress::HalfDone, COMPROMISED, COMPROMISED),
    ] {
        let mut pending = requested(&[Rotate]);
        pending.begin();
        pending.end(Some(left));
        pending.add(command(kind, 1));
        assert_eq!(pending.next().unwrap().kind, expected, "{left:?} {kind:?}");
    }
}

/// A pause that is held up is not overtaken by a resume that was requested after it.
#[test]
fn resume_never_overtakes_a_pause() {
    let mut pending = requested(&[CommandKind::Pause, CommandKind::Resume]);
    pending.begin();
    pending.end(Some(CommandProgress::HeldUp));
    assert_eq!(pending.next().unwrap().kind, CommandKind::Pause);
}

/// A command stays half done through passes that do not get to it.
#[test]
fn half_done_outlasts_passes_without_it() {
    let mut pending = requested(&[CommandKind::Rollback]);
    for left in [CommandProgress::HalfDone, CommandProgress::Untried] {
        pending.begin();
        pending.end(Some(left));
    }
    pending.add(command(CommandKind::Rollback, 1));
    pending.add(command(CommandKind::Pause, 2));
    assert_eq!(pending.next(), Some(command(CommandKind::Rollback, 1)));
}

/// Something that happens to the commands of a secret.
#[derive(Debug, Clone, Copy)]
enum Event {
    Request(CommandKind),
    Begin,
    End(Option<CommandProgress>),
}

fn any_event() -> impl Strategy<Value = Event> {
    let kinds = [
        CommandKind::Rotate,
        CommandKind::Rollback,
        COMPROMISED,
        ALL_COMPROMISED,
        CommandKind::Retire,
        CommandKind::Pause,
        CommandKind::Resume,
    ];
    let progress = [
        CommandProgress::Untried,
        CommandProgress::Yielding,
        CommandProgress::Waiting,
        CommandProgress::HeldUp,
        CommandProgress::HalfDone,
    ];
    prop_oneof![
        3 => proptest::sample::select(kinds.to_vec()).prop_map(Event::Request),
        2 => Just(Event::Begin),
        2 => proptest::option::of(proptest::sample::select(progress.to_vec())).prop_map(Event::End),
    ]
}

/// The set, and a record of what was requested and how it ended.
#[derive(Debug, Default)]
struct Record {
    pending: PendingCommands,
    in_work: Option<Command>,
    requested: Vec<Command>,
    ended: Vec<Command>,
}

impl Record {
    fn happen(&mut self, event: Event) {
        let replaced = match event {
            Event::Request(kind) => {
                let asked = command(kind, self.requested.len().try_into().unwrap());
                self.requested.push(asked);
                self.pending.add(asked)
            }
            Event::Begin if self.in_work.is_none() => {
                self.in_work = self.pending.begin().map(|taken| taken.command);
                None
            }
            Event::End(left) if self.in_work.is_some() => {
                let worked_on = self.in_work.take().unwrap();
                self.ended.extend(Some(worked_on).filter(|_| left.is_none()));
                self.pending.end(left)
            }
            Event::Begin | Event::End(_) => None,
        };
        self.ended.extend(replaced.map(|replaced| replaced.command));
    }

    /// Returns the commands that are pending, the one in work included.
    fn left(&self) -> Vec<Command> {
        self.pending.list().iter().map(|pending| pending.command).collect()
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    /// Every command that was requested is pending or ends once, alone or as part of a later one of its kind.
    #[test]
    fn each_command_is_pending_or_ends(events in proptest::collection::vec(any_event(), 0..40)) {
        let mut record = Record::default();
        for event in events {
            record.happen(event);
            let left = record.left();
            for asked in &record.requested {
                let ends = record.ended.iter().filter(|ended| ended.at == asked.at).count();
                let pending = left.iter().filter(|pending| pending.at == asked.at).count();
                let later = record.ended.iter().chain(&left).any(|other| {
                    asked.is_merged_into(*other) && other.at > asked.at
                });
                prop_assert!(ends + pending == 1 || (ends + pending == 0 && later), "{asked:?} {record:?}");
            }
        }
    }

    /// At most one command of each kind waits, and they keep the order in which they were requested.
    #[test]
    fn waiting_commands_are_in_order(events in proptest::collection::vec(any_event(), 0..40)) {
        let mut record = Record::default();
        for event in events {
            record.happen(event);
            let waiting = record.pending.clone().drain();
            prop_assert!(waiting.is_sorted_by_key(|command| command.at), "{record:?}");
            for (index, one) in waiting.iter().enumerate() {
                prop_assert!(!waiting.iter().skip(index + 1).any(|other| one.is_of_kind(*other)), "{record:?}");
            }
        }
    }

    /// The next command is the first one, unless it is a compromise, half done, a pause or a resume.
    #[test]
    fn only_exceptions_overtake(events in proptest::collection::vec(any_event(), 0..40)) {
        let mut record = Record::default();
        for event in events {
            record.happen(event);
            let waiting = record.pending.clone().drain();
            let (Some(first), Some(next)) = (waiting.first(), record.pending.next()) else { continue };
            let half_done: Vec<_> = record.pending.list().into_iter()
                .filter(|pending| pending.progress == CommandProgress::HalfDone)
                .map(|pending| pending.command).filter(|command| waiting.contains(command)).collect();
            let is_of_pause = |command: Command| matches!(command.kind, CommandKind::Pause | CommandKind::Resume);
            let is_first_of_pause = waiting.iter().find(|command| is_of_pause(**command)) == Some(&next);
            let is_allowed = next == *first
                || matches!(next.kind, CommandKind::Compromised { .. })
                || half_done.contains(&next)
                || (half_done.is_empty() && is_of_pause(next) && is_first_of_pause);
            prop_assert!(is_allowed, "{next:?} {record:?}");
        }
    }
}
