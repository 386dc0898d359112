//! Events from a Storage Queue: received, handled, and only then deleted.
//!
//! A message is deleted once a pass over its secret has ended that began after the message was received: that pass
//! observed the change that the event reports, and any later start can observe its consequences in Key Vault and Entra.
//! Until then the message is hidden, and the time-out is renewed; if the process dies, the message comes again. An
//! unusable message is moved to the poison queue after some tries.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::future::join_all;
use tokio_util::sync::CancellationToken;
use tracing::{debug, error, info, warn};

use super::event_grid::read_message;
use super::ingest::{EventSink, EventSource, Ingested};
use crate::config::QueueConfig;
use crate::domain::SecretId;
use crate::ports::{EventQueue, PortError, QueueMessage, RefusalKind, chain};
use crate::reconcile::Ticket;

/// The trigger that empties a queue. Uses the service's time, which is real time even if the daemon uses a sandbox's.
#[derive(Debug)]
pub struct QueueTrigger {
    /// The queue.
    pub messages: Arc<dyn EventQueue>,
    /// The sink for events.
    pub event_sink: Arc<EventSink>,
    /// The intervals, the time-out and the number of tries.
    pub config: QueueConfig,
}

/// A message that is hidden until the passes that it requests have ended.
#[derive(Debug)]
struct HeldMessage {
    message: QueueMessage,
    waits_for: Vec<(SecretId, Ticket)>,
    hidden_since: Instant,
}

impl QueueTrigger {
    /// Empties the queue until `stop` is cancelled. Messages that are held then come again after their time-out.
    pub async fn run(self, stop: CancellationToken) {
        let mut held = Vec::new();
        let mut was_reachable = true;
        loop {
            let received = self.receive(&mut held).await;
            match &received {
                Ok(_) if !was_reachable => info!("event queue reachable again"),
                Err(error) if was_reachable => {
                    warn!(
                        error = chain(error),
                        "event queue unreachable: until it is reachable its events trigger no passes"
                    );
                }
                Ok(_) | Err(_) => {}
            }
            was_reachable = received.is_ok();
            self.settle(&mut held, &stop).await;
            self.renew(&mut held).await;
            self.event_sink
                .metrics
                .storage_queue_messages_in_flight
                .set(i64::try_from(held.len()).unwrap_or(i64::MAX));
            if stop.is_cancelled() {
                return;
            }
            if !received.is_ok_and(|count| count > 0) {
                self.rest(&held, &stop).await;
            }
        }
    }

    /// Waits until there may be something to do: a pass has ended, or the queue may have filled.
    async fn rest(&self, held: &[HeldMessage], stop: &CancellationToken) {
        let half = self.config.visibility_timeout / 2;
        let pause =
            if held.is_empty() { self.config.poll_interval } else { self.config.poll_interval.min(half) };
        let ended = async {
            self.event_sink.queue.until_changed().await;
            // Many passes end at a time.
            pause_for(MIN_PAUSE).await;
        };
        tokio::select! {
            () = stop.cancelled() => {}
            () = ended, if !held.is_empty() => {}
            () = pause_for(pause) => {}
        }
    }

    /// Receives messages and returns their number. Requests none while many are held.
    async fn receive(&self, held: &mut Vec<HeldMessage>) -> Result<usize, PortError> {
        if held.len() >= MAX_HELD {
            return Ok(0);
        }
        let hidden_since = Instant::now();
        let messages = self.messages.receive(self.config.visibility_timeout).await?;
        let count = messages.len();
        for message in messages {
            held.extend(self.take(message, hidden_since).await);
        }
        Ok(count)
    }

    /// Handles a message. Returns `None` if it was moved to the poison queue, or is left to come again.
    async fn take(&self, message: QueueMessage, hidden_since: Instant) -> Option<HeldMessage> {
        if message.attempts > self.config.max_attempts {
            self.move_to_poison(&message).await;
            return None;
        }
        let mut waits_for = Vec::new();
        for event in read_message(&message.text) {
            match self.event_sink.ingest(&event, EventSource::Queue) {
                Ingested::Enqueued(secret, ticket) => waits_for.push((secret, ticket)),
                Ingested::Nothing(_) => {}
                // Another version of the daemon may understand it.
                Ingested::Malformed(_) => return None,
            }
        }
        Some(HeldMessage { message, waits_for, hidden_since })
    }

    async fn move_to_poison(&self, message: &QueueMessage) {
        error!(
            message_id = message.id,
            attempts = message.attempts - 1,
            "unusable event message: moving it to the poison queue"
        );
        match self.messages.move_to_poison(message).await {
            Ok(()) => {
                self.event_sink.metrics.storage_queue_poison_messages_total.inc();
                self.delete(message).await;
            }
            Err(error) => {
                warn!(
                    error = chain(&error),
                    "failed to write to the poison queue: the message is received again"
                );
            }
        }
    }

    /// Deletes messages that are done. Deletes none during a shutdown, which cuts passes short: no message is known to
    /// be done then.
    async fn settle(&self, held: &mut Vec<HeldMessage>, stop: &CancellationToken) {
        let is_done = |held: &mut HeldMessage| {
            let is_met =
                |(secret, ticket): &(SecretId, Ticket)| self.event_sink.queue.is_met(secret, *ticket);
            held.waits_for.iter().all(is_met)
        };
        let done: Vec<_> = held.extract_if(.., is_done).collect();
        if stop.is_cancelled() {
            return;
        }
        for some in done.chunks(AT_A_TIME) {
            let deletions: Vec<_> = some.iter().map(|done| self.delete(&done.message)).collect();
            join_all(deletions).await;
        }
    }

    async fn delete(&self, message: &QueueMessage) {
        if let Err(error) = self.messages.delete(message).await {
            debug!(
                error = chain(&error),
                "failed to delete message: it is received again if it still exists"
            );
        }
    }

    /// Keeps messages in progress hidden from others, so that only a crash counts as a try.
    async fn renew(&self, held: &mut Vec<HeldMessage>) {
        let is_old =
            |held: &mut HeldMessage| held.hidden_since.elapsed() >= self.config.visibility_timeout / 2;
        let mut old: Vec<_> = held.extract_if(.., is_old).collect();
        let before = old.len();
        let mut trouble = None;
        while !old.is_empty() {
            let some = old.drain(..AT_A_TIME.min(old.len()));
            let renewals: Vec<_> = some.map(|held| self.renewed(held)).collect();
            for (still_held, error) in join_all(renewals).await {
                held.extend(still_held);
                trouble = error.or(trouble);
            }
        }
        if before > 0 {
            debug!(messages = before, "extended visibility timeout of messages in progress");
        }
        if let Some(error) = trouble {
            warn!(
                error = chain(&error),
                "failed to extend visibility timeout: messages in progress are received again, and each time counts as \
                 an attempt; if access was denied, assign the role Storage Queue Data Contributor on the queue"
            );
        }
    }

    /// Renews the time-out of a message. Returns no message if another process has it now, and an error if it may come
    /// again early.
    async fn renewed(&self, mut held: HeldMessage) -> (Option<HeldMessage>, Option<PortError>) {
        let now = Instant::now();
        match self.messages.hide(&mut held.message, self.config.visibility_timeout).await {
            Ok(()) => (Some(HeldMessage { hidden_since: now, ..held }), None),
            Err(error) if error.refusal() == Some(RefusalKind::MessageLost) => {
                debug!(
                    message_id = held.message.id,
                    "message received by another process before its pass ended"
                );
                (None, None)
            }
            Err(error) => (Some(held), Some(error)),
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "the queue's service lives in real time")]
async fn pause_for(length: Duration) {
    tokio::time::sleep(length).await;
}

/// Maximum number of held messages: each costs a little memory, and a renewal now and then.
const MAX_HELD: usize = 1_000;

/// Maximum number of concurrent requests.
const AT_A_TIME: usize = 16;

const MIN_PAUSE: Duration = Duration::from_millis(50);
