//! Idempotency keys: a repeated key gets the same operation and starts nothing.
//!
//! Kept in memory: after a restart a repeated command is a new one, which the loop completes by what it observes.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};

use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use super::SubmitError;
use crate::domain::{CommandKind, SecretId};

/// The keys of the last day, at most 10,000 of them.
#[derive(Debug, Default)]
pub(super) struct IdempotencyKeys(Mutex<RememberedKeys>);

#[derive(Debug, Default)]
struct RememberedKeys {
    answers: HashMap<String, GrantedRequest>,
    /// The keys of `answers`, the oldest in front.
    order: VecDeque<String>,
}

/// The request that was made under a key, and the operation that it was answered with.
#[derive(Debug)]
struct GrantedRequest {
    request: (SecretId, CommandKind),
    answer: Uuid,
    at: OffsetDateTime,
}

impl IdempotencyKeys {
    /// Returns the answer that this key got before, or that of `grant`, which is remembered.
    pub(super) fn once<E>(
        &self,
        key: &str,
        request: (SecretId, CommandKind),
        now: OffsetDateTime,
        grant: impl FnOnce() -> Result<Uuid, E>,
    ) -> Result<Uuid, SubmitError>
    where
        SubmitError: From<E>,
    {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.forget(now);
        if let Some(before) = known.answers.get(key) {
            let same = before.request == request;
            return if same { Ok(before.answer) } else { Err(SubmitError::KeyReused) };
        }
        let answer = grant()?;
        known.order.push_back(key.to_owned());
        known.answers.insert(key.to_owned(), GrantedRequest { request, answer, at: now });
        Ok(answer)
    }
}

impl RememberedKeys {
    /// Forgets keys that are too old, and the oldest if another would be too many.
    fn forget(&mut self, now: OffsetDateTime) {
        while let Some(oldest) = self.order.front() {
            let is_old = self.answers.get(oldest).is_none_or(|granted| now - granted.at >= KEPT_FOR);
            if !is_old && self.order.len() < MAX_KEYS {
                return;
            }
            self.answers.remove(oldest);
            self.order.pop_front();
        }
    }
}

const KEPT_FOR: Duration = Duration::DAY;

const MAX_KEYS: usize = 10_000;

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may fail")]
mod tests {
    use time::macros::datetime;

    use super::super::NotManaged;
    use super::*;

    const NOW: OffsetDateTime = datetime!(2026-01-01 0:00 UTC);

    fn request() -> (SecretId, CommandKind) {
        ("kv-1/app-foo".parse().unwrap(), CommandKind::Rotate)
    }

    /// Returns true if `key` counts as new and is granted.
    fn is_new(keys: &IdempotencyKeys, key: &str, now: OffsetDateTime) -> bool {
        let mut granted = false;
        let grant = || {
            granted = true;
            Ok::<_, SubmitError>(Uuid::nil())
        };
        keys.once(key, request(), now, grant).unwrap();
        granted
    }

    /// An idempotency key is known for one day after its first use and is new again after that.
    #[test]
    fn idempotency_key_is_kept_one_day() {
        let keys = IdempotencyKeys::default();
        assert!(is_new(&keys, "a", NOW));
        assert!(!is_new(&keys, "a", NOW + KEPT_FOR - Duration::SECOND));
        assert!(is_new(&keys, "a", NOW + KEPT_FOR));
    }

    /// With more idempotency keys than the limit, the oldest one is forgotten and the others stay known.
    #[test]
    fn oldest_excess_idempotency_key_is_dropped() {
        let keys = IdempotencyKeys::default();
        for number in 0..=MAX_KEYS {
            assert!(is_new(&keys, &format!("key-{number}"), NOW));
        }
        assert_eq!(keys.0.lock().unwrap().answers.len(), MAX_KEYS);
        assert!(!is_new(&keys, "key-2", NOW));
        assert!(is_new(&keys, "key-0", NOW));
    }

    #[test]
    fn what_was_refused_is_not_remembered() {
        let keys = IdempotencyKeys::default();
        assert!(keys.once("a", request(), NOW, || Err(NotManaged::Unknown(request().0))).is_err());
        assert!(is_new(&keys, "a", NOW));
    }
}
