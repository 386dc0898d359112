#![expect(clippy::unwrap_used, reason = "a test may fail")]

use std::sync::Arc;

use async_trait::async_trait;
use futures::FutureExt as _;
use time::macros::datetime;
use time::{Duration, OffsetDateTime};

use super::queue::WorkQueue;
use crate::domain::{Command, CommandKind, CommandProgress, PendingCommand, ReplacedCommand, SecretId};
use crate::metrics::Metrics;
use crate::ports::{Clock, Hold};

const NOW: OffsetDateTime = datetime!(2026-01-01 0:00 UTC);

/// A clock that stands still.
#[derive(Debug)]
struct Still;

#[async_trait]
impl Clock for Still {
    fn now(&self) -> OffsetDateTime {
        NOW
    }

    async fn sleep_until(&self, deadline: OffsetDateTime) {
        if deadline > NOW {
            std::future::pending::<()>().await;
        }
    }

    fn hold(&self) -> Hold {
        Hold::none()
    }
}

fn queue() -> (WorkQueue, SecretId) {
    let queue = WorkQueue::new(Arc::new(Still), Arc::new(Metrics::new().unwrap()));
    (queue, "kv-1/app-foo".parse().unwrap())
}

fn command(kind: CommandKind, minute: i64) -> Command {
    Command { kind, at: NOW - Duration::HOUR + Duration::minutes(minute) }
}

const fn ignore(_: ReplacedCommand) {}

/// Returns the kinds of the pending commands, in the order in which they run.
fn kinds(queue: &WorkQueue, secret: &SecretId) -> Vec<CommandKind> {
    queue.pending_commands(secret).iter().map(|pending| pending.command.kind).collect()
}

/// A pass takes the next command in turn, and the next pass follows at once if another command waits.
#[test]
fn commands_follow_one_another_at_once() {
    let (queue, secret) = queue();
    let (resume, rotate) = (command(CommandKind::Resume, 1), command(CommandKind::Rotate, 2));
    queue.enqueue_command(&secret, resume, ignore);
    queue.enqueue_command(&secret, rotate, ignore);
    for expected in [resume, rotate] {
        assert_eq!(queue.next().now_or_never().unwrap().command, Some(expected));
        queue.finish(&secret, Some(NOW + Duration::HOUR), None, ignore);
    }
    assert!(queue.next().now_or_never().is_none(), "nothing is due before the hour is over");
}

/// A command that arrives while a pass works on another one is kept beside it, and gets the next pass.
#[test]
fn command_during_a_pass_is_kept() {
    let (queue, secret) = queue();
    let (rotate, pause) = (command(CommandKind::Rotate, 1), command(CommandKind::Pause, 2));
    queue.enqueue_command(&secret, rotate, ignore);
    queue.next().now_or_never().unwrap();
    queue.enqueue_command(&secret, pause, ignore);
    assert_eq!(kinds(&queue, &secret), [CommandKind::Rotate, CommandKind::Pause]);
    queue.finish(&secret, Some(NOW + Duration::HOUR), Some(CommandProgress::HeldUp), ignore);
    assert_eq!(kinds(&queue, &secret), [CommandKind::Pause, CommandKind::Rotate], "the pause is heard");
    assert_eq!(queue.next().now_or_never().unwrap().command, Some(pause));
}

/// A rotation that a rollback replaces is reported once, with the rollback.
#[test]
fn replaced_rotation_is_reported_once() {
    let (queue, secret) = queue();
    let (rotate, rollback) = (command(CommandKind::Rotate, 1), command(CommandKind::Rollback, 2));
    let mut reported = Vec::new();
    queue.enqueue_command(&secret, rotate, |replaced| reported.push(replaced));
    queue.enqueue_command(&secret, rollback, |replaced| reported.push(replaced));
    assert_eq!(reported, [ReplacedCommand { command: rotate, by: rollback }]);
    assert_eq!(kinds(&queue, &secret), [CommandKind::Rollback]);
}

/// A queue is settled once no pass is running and none is due within the horizon.
#[test]
fn queue_settles_when_nothing_is_near() {
    let (queue, secret) = queue();
    let settled = || queue.settled(Duration::seconds(30)).now_or_never().is_some();
    assert!(settled(), "it is empty");
    queue.enqueue(&secret);
    assert!(!settled(), "a pass is due");
    let item = queue.next().now_or_never().unwrap();
    assert!(!settled(), "a pass is in work");
    queue.finish(&item.secret, Some(NOW + Duration::seconds(30)), None, ignore);
    assert!(!settled(), "the next one is due at the horizon");
}

/// A task that waits for the queue to settle wakes when the last pass ends.
#[test]
fn settled_waiter_wakes_after_last_pass() {
    let (queue, secret) = queue();
    queue.enqueue(&secret);
    let mut waiting = std::pin::pin!(queue.settled(Duration::seconds(30)));
    assert!((&mut waiting).now_or_never().is_none());
    let item = queue.next().now_or_never().unwrap();
    queue.finish(&item.secret, Some(NOW + Duration::seconds(31)), None, ignore);
    assert!(waiting.now_or_never().is_some());
}

/// A command stays pending until a pass ends without giving it back.
#[test]
fn command_is_pending_until_pass_completes_it() {
    let (queue, secret) = queue();
    let rotate = command(CommandKind::Rotate, 1);
    let pending = |progress| vec![PendingCommand { command: rotate, progress }];
    assert_eq!(queue.pending_commands(&secret), []);
    queue.enqueue_command(&secret, rotate, ignore);
    assert_eq!(queue.pending_commands(&secret), pending(CommandProgress::Untried));
    queue.next().now_or_never().unwrap();
    assert_eq!(queue.pending_commands(&secret), pending(CommandProgress::Untried));
    queue.finish(&secret, Some(NOW), Some(CommandProgress::Waiting), ignore);
    assert_eq!(queue.pending_commands(&secret), pending(CommandProgress::Waiting));
    queue.enqueue(&secret);
    assert_eq!(
        queue.pending_commands(&secret),
        pending(CommandProgress::Waiting),
        "an event asks for nothing else"
    );
    queue.next().now_or_never().unwrap();
    queue.finish(&secret, Some(NOW), None, ignore);
    assert_eq!(queue.pending_commands(&secret), []);
}
