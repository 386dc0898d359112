//! A sandbox's time as another process sees it: requested over HTTPS every 100 ms, and when an answer is ahead of it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use reqwest::{Certificate, Client};
use serde::Deserialize;
use time::OffsetDateTime;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use url::Url;

use super::error::SandboxError;
use crate::ports::{Clock, Hold};

/// The interval between two readings, in real time.
const POLL_INTERVAL: Duration = Duration::from_millis(100);

const TIMEOUT: Duration = Duration::from_secs(5);

/// The clock of a sandbox in another process. It can't be held: the sandbox runs in real time, and jumps on request.
#[derive(Debug)]
pub struct RemoteClock {
    last: Mutex<Reading>,
    source: ClockSource,
}

/// The time that the sandbox's clock showed, and the real time of that reading.
#[derive(Debug, Clone, Copy)]
struct Reading {
    shown: OffsetDateTime,
    at: Instant,
}

#[derive(Deserialize)]
struct ClockResponse {
    #[serde(with = "time::serde::rfc3339")]
    now: OffsetDateTime,
}

/// The sandbox's clock, and the client that reads it.
#[derive(Debug)]
struct ClockSource {
    http: Client,
    url: Url,
}

impl RemoteClock {
    /// Reads the clock once, then starts a task that keeps reading it until stopped.
    ///
    /// # Errors
    /// If the CA is unusable or the clock doesn't answer.
    pub async fn connect(
        clock_url: Url,
        ca_pem: Option<&[u8]>,
        tasks: &TaskTracker,
        stop: CancellationToken,
    ) -> Result<Arc<Self>, SandboxError> {
        let mut client = Client::builder().no_proxy().timeout(TIMEOUT);
        if let Some(ca) = ca_pem {
            let ca = Certificate::from_pem(ca).map_err(SandboxError::RemoteClock)?;
            client = client.tls_certs_only([ca]);
        }
        let http = client.build().map_err(SandboxError::RemoteClock)?;
        let source = ClockSource { http, url: clock_url };
        let first = source.read().await.map_err(SandboxError::RemoteClock)?;
        let clock = Arc::new(Self { last: Mutex::new(first), source });
        tasks.spawn(Arc::clone(&clock).poll(stop));
        Ok(clock)
    }

    fn lock(&self) -> MutexGuard<'_, Reading> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a reading unless it would turn time back.
    fn set(&self, reading: Reading) {
        let mut last = self.lock();
        if reading.now() > last.now() {
            *last = reading;
        }
    }

    /// Reads the clock until stopped.
    async fn poll(self: Arc<Self>, stop: CancellationToken) {
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = interval() => self.refresh().await,
            }
        }
    }
}

impl Reading {
    fn now(self) -> OffsetDateTime {
        self.shown.saturating_add(self.at.elapsed().try_into().unwrap_or(time::Duration::MAX))
    }
}

impl ClockSource {
    async fn read(&self) -> Result<Reading, reqwest::Error> {
        let response = self.http.get(self.url.clone()).send().await?.error_for_status()?;
        let clock: ClockResponse = response.json().await?;
        Ok(Reading { shown: clock.now, at: Instant::now() })
    }
}

#[async_trait]
impl Clock for RemoteClock {
    fn now(&self) -> OffsetDateTime {
        self.lock().now()
    }

    async fn sleep_until(&self, deadline: OffsetDateTime) {
        while self.now() < deadline {
            interval().await;
        }
    }

    fn hold(&self) -> Hold {
        Hold::none()
    }

    /// Takes a new reading. Without a response, time runs on from the last one.
    async fn refresh(&self) {
        match self.source.read().await {
            Ok(reading) => self.set(reading),
            Err(error) => {
                tracing::debug!(error = %error.without_url(), "sandbox clock not reachable");
            }
        }
    }
}

async fn interval() {
    tokio::time::sleep_until(tokio::time::Instant::now() + POLL_INTERVAL).await;
}
