//! The queue trigger on a queue in memory: when a message is deleted, renewed, moved to poison, or left to come again.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use rekeyd::clock::SystemClock;
use rekeyd::config::QueueConfig;
use rekeyd::domain::{
    AppObjectId, ApplicationRef, ManagedSecret, Origin, PolicyValues, RotationPolicy, SecretId, VerifyPolicy,
};
use rekeyd::metrics::Metrics;
use rekeyd::ports::{Clock, EventQueue, PortError, QueueMessage};
use rekeyd::reconcile::{Catalogue, WorkQueue};
use rekeyd::triggers::ingest::EventSink;
use rekeyd::triggers::storage_queue::QueueTrigger;
use serde_json::json;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// The calls made for the messages, by their ids.
#[derive(Debug, Default)]
struct Done {
    deleted: Vec<String>,
    renewed: usize,
    move_to_poison: Vec<String>,
}

#[derive(Debug, Default)]
struct Queue {
    messages: Mutex<Vec<QueueMessage>>,
    done: Mutex<Done>,
    poison_is_closed: bool,
}

#[async_trait]
impl EventQueue for Queue {
    async fn receive(&self, _: Duration) -> Result<Vec<QueueMessage>, PortError> {
        Ok(std::mem::take(&mut *self.messages.lock().unwrap()))
    }

    async fn hide(&self, _: &mut QueueMessage, _: Duration) -> Result<(), PortError> {
        self.done.lock().unwrap().renewed += 1;
        Ok(())
    }

    async fn delete(&self, message: &QueueMessage) -> Result<(), PortError> {
        self.done.lock().unwrap().deleted.push(message.id.clone());
        Ok(())
    }

    async fn move_to_poison(&self, message: &QueueMessage) -> Result<(), PortError> {
        if self.poison_is_closed {
            return Err(PortError::NotSent { operation: "move to poison", source: "closed".into() });
        }
        self.done.lock().unwrap().move_to_poison.push(message.id.clone());
        Ok(())
    }
}

/// A running trigger, and the work queue that it fills.
struct Ground {
    queue: Arc<Queue>,
    work: Arc<WorkQueue>,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Ground {
    fn new(queue: Queue, messages: Vec<QueueMessage>) -> Self {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let metrics = Arc::new(Metrics::new().unwrap());
        let work = Arc::new(WorkQueue::new(clock, Arc::clone(&metrics)));
        *queue.messages.lock().unwrap() = messages;
        let queue = Arc::new(queue);
        let event_sink = EventSink {
            queue: Arc::clone(&work),
            catalogue: Arc::new(Catalogue::new([managed()])),
            vaults: ["kv-1".parse().unwrap()].into(),
            metrics,
        };
        let config = QueueConfig {
            url: "https://localhost/account/events".parse().unwrap(),
            visibility_timeout: Duration::from_millis(40),
            max_attempts: 3,
            poll_interval: Duration::from_millis(5),
        };
        let trigger = QueueTrigger { messages: queue.clone(), event_sink: Arc::new(event_sink), config };
        let stop = CancellationToken::new();
        #[expect(clippy::disallowed_methods, reason = "it ends with the test's runtime")]
        let task = tokio::spawn(trigger.run(stop.clone()));
        Self { queue, work, stop, task }
    }

    /// Waits until `is_so`, a few seconds at most.
    async fn until(&self, is_so: impl Fn(&Done) -> bool) {
        let looking = async {
            while !is_so(&self.queue.done.lock().unwrap()) {
                tokio::task::yield_now().await;
            }
        };
        let waited = tokio::time::timeout(Duration::from_secs(10), looking).await;
        assert!(waited.is_ok(), "{:?}", self.queue.done.lock().unwrap());
    }

    fn deleted(&self) -> Vec<String> {
        self.queue.done.lock().unwrap().deleted.clone()
    }
}

fn secret() -> SecretId {
    "kv-1/app-foo".parse().unwrap()
}

fn managed() -> ManagedSecret {
    ManagedSecret {
        id: secret(),
        application: ApplicationRef::ObjectId(AppObjectId(Uuid::from_u128(1))),
        policy: RotationPolicy::try_new(PolicyValues::default()).unwrap(),
        verify: VerifyPolicy::for_scope("https://graph.microsoft.com/.default"),
        replicas: Vec::new(),
        origin: Origin::Configured,
    }
}

fn message(id: &str, text: &str, attempts: u64) -> QueueMessage {
    QueueMessage { id: id.to_owned(), receipt: "1".to_owned(), text: text.to_owned(), attempts }
}

fn event(vault: &str, name: &str) -> String {
    json!({"eventType": "Microsoft.KeyVault.SecretNearExpiry", "data": {"VaultName": vault, "ObjectName": name}})
        .to_string()
}

/// A message is deleted only once a pass over its secret that began after the message arrived has ended.
#[tokio::test]
async fn message_is_deleted_after_a_later_look() {
    let ground = Ground::new(Queue::default(), Vec::new());
    // A pass that is under way when the message arrives does not count.
    ground.work.enqueue(&secret());
    let earlier = ground.work.next().await;
    *ground.queue.messages.lock().unwrap() = vec![message("1", &event("kv-1", "app-foo"), 1)];
    // The work takes longer than the message is hidden: its lease is renewed.
    ground.until(|done| done.renewed >= 2).await;
    ground.work.finish(&earlier.secret, None, None, |_| ());
    ground.until(|done| done.renewed >= 4).await;
    assert_eq!(ground.deleted(), Vec::<String>::new(), "the pass began before the message came");
    let later = ground.work.next().await;
    ground.work.finish(&later.secret, None, None, |_| ());
    ground.until(|done| done.deleted == ["1"]).await;
}

/// A pass cut short by a stop deletes no message.
#[tokio::test]
async fn interrupted_look_deletes_no_message() {
    let ground = Ground::new(Queue::default(), vec![message("1", &event("kv-1", "app-foo"), 1)]);
    let item = ground.work.next().await;
    ground.stop.cancel();
    ground.work.finish(&item.secret, None, None, |_| ());
    ground.task.await.unwrap();
    assert_eq!(ground.queue.done.lock().unwrap().deleted, Vec::<String>::new());
}

/// A message about an unmanaged vault or secret, or of another event type, is deleted at once.
#[tokio::test]
async fn unrelated_messages_are_deleted_at_once() {
    let messages = vec![
        message("1", &event("kv-9", "app-foo"), 1),
        message("2", &event("kv-1", "other"), 1),
        message("3", &json!({"eventType": "Microsoft.KeyVault.KeyExpired"}).to_string(), 1),
    ];
    let ground = Ground::new(Queue::default(), messages);
    ground.until(|done| done.deleted.len() == 3).await;
}

/// An unreadable message is delivered again and moves to the poison queue after its last try.
#[tokio::test]
async fn unreadable_message_moves_to_poison_after_retries() {
    let messages = vec![message("1", "nonsense", 3), message("2", "nonsense", 4)];
    let ground = Ground::new(Queue::default(), messages);
    ground.until(|done| done.deleted == ["2"]).await;
    assert_eq!(ground.queue.done.lock().unwrap().move_to_poison, ["2"]);
}

/// A message that cannot be moved to the poison queue is not deleted.
#[tokio::test]
async fn unmovable_poison_message_is_kept() {
    let queue = Queue { poison_is_closed: true, ..Queue::default() };
    let marker = message("2", &event("kv-9", "x"), 1);
    let ground = Ground::new(queue, vec![message("1", "nonsense", 4), marker]);
    ground.until(|done| done.deleted == ["2"]).await;
    assert_eq!(ground.deleted(), ["2"]);
}
