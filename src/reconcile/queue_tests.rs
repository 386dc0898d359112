#![expect(clippy::unwrap_used, reason = "a test may fail")]

use std::sync::Arc;

use async_trait::async_trait;
use futures::FutureExt as _;
use time::macros::datetime;
use time::{Duration, OffsetDateTime};

use super::queue::{QueuedCommand, WorkQueue};
use crate::domain::{Command, CommandKind, SecretId};
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

/// Of two commands for a secret the graver one stands, and of two equal ones the later.
#[test]
fn graver_or_later_command_stands() {
    let compromised = command(CommandKind::Compromised { all_credentials: false }, 0);
    let (earlier, later) = (command(CommandKind::Rotate, 1), command(CommandKind::Rotate, 2));
    for (given, stands) in [
        ([compromised, later], compromised),
        ([later, compromised], compromised),
        ([earlier, later], later),
        ([later, earlier], later),
        ([command(CommandKind::Pause, 1), command(CommandKind::Resume, 2)], command(CommandKind::Resume, 2)),
        (
            [command(CommandKind::Compromised { all_credentials: true }, 1), command(compromised.kind, 2)],
            command(CommandKind::Compromised { all_credentials: true }, 2),
        ),
    ] {
        let (queue, secret) = queue();
        for command in given {
            queue.enqueue_command(&secret, command, |_, _| ());
        }
        assert_eq!(queue.next().now_or_never().unwrap().command, Some(stands));
    }
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
    queue.finish(&item.secret, Some(NOW + Duration::seconds(30)), None, |_, _| ());
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
    queue.finish(&item.secret, Some(NOW + Duration::seconds(31)), None, |_, _| ());
    assert!(waiting.now_or_never().is_some());
}

/// A command stays pending until a pass ends without giving it back.
#[test]
fn command_is_pending_until_pass_completes_it() {
    let (queue, secret) = queue();
    let rotate = command(CommandKind::Rotate, 1);
    let pending = |tried| Some(QueuedCommand { command: rotate, tried });
    assert_eq!(queue.pending_command(&secret), None);
    queue.enqueue_command(&secret, rotate, |_, _| ());
    assert_eq!(queue.pending_command(&secret), pending(false));
    queue.next().now_or_never().unwrap();
    assert_eq!(queue.pending_command(&secret), pending(false));
    queue.finish(&secret, Some(NOW), Some(rotate), |_, _| ());
    assert_eq!(queue.pending_command(&secret), pending(true));
    queue.enqueue(&secret);
    assert_eq!(queue.pending_command(&secret), pending(true), "an event asks for nothing else");
    queue.next().now_or_never().unwrap();
    queue.finish(&secret, Some(NOW), None, |_, _| ());
    assert_eq!(queue.pending_command(&secret), None);
}
