//! Faults on demand: at random for the daemon's requests, or scripted for tests.

use std::sync::{Mutex, MutexGuard, PoisonError};

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

use super::consumers::USER_AGENT as CONSUMER;
use super::https::Request;
use super::model::Service;

/// The share of the daemon's requests that fail at random.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FaultLevel {
    /// None.
    #[default]
    None,
    /// One request in a hundred.
    Light,
    /// One request in twenty.
    Heavy,
}

/// The fault that a request gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FaultKind {
    /// 429, with or without `Retry-After`; no effect.
    Throttled,
    /// 503; no effect.
    Unavailable,
    /// The connection is closed before anything happens.
    Timeout,
    /// The request takes effect, then the connection is closed.
    LostReply,
}

/// A fault for the next matching requests from any sender except the simulated consumers.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScriptedFault {
    /// The service of matching requests; any if absent.
    pub service: Option<Service>,
    /// The method of matching requests; any if absent.
    pub method: Option<String>,
    /// A part of the path of matching requests; any if absent.
    pub path_contains: Option<String>,
    /// The kind of fault.
    pub kind: FaultKind,
    /// The number of requests that get it.
    #[serde(default = "once")]
    pub count: u32,
}

fn once() -> u32 {
    1
}

/// The faults still to come.
#[derive(Debug)]
pub(crate) struct Faults(Mutex<State>);

#[derive(Debug)]
struct State {
    level: FaultLevel,
    script: Vec<ScriptedFault>,
    rng: fastrand::Rng,
}

impl Faults {
    pub(crate) fn new(level: FaultLevel, seed: u64) -> Self {
        Self(Mutex::new(State { level, script: Vec::new(), rng: fastrand::Rng::with_seed(seed) }))
    }

    pub(crate) fn set_level(&self, level: FaultLevel) {
        self.lock().level = level;
    }

    pub(crate) fn script(&self, faults: Vec<ScriptedFault>) {
        self.lock().script.extend(faults);
    }

    /// Stops all faults, random and scripted.
    pub(crate) fn stop(&self) {
        let mut state = self.lock();
        state.level = FaultLevel::None;
        state.script.clear();
    }

    /// Returns the fault for this request, if there is one.
    pub(crate) fn draw(&self, service: Service, request: &Request) -> Option<FaultKind> {
        if request.user_agent().starts_with(CONSUMER) {
            return None;
        }
        let mut state = self.lock();
        state.scripted(service, request).or_else(|| state.by_chance(request))
    }

    /// Returns the seconds that a 429 asks a client to wait; `None` about half of the time.
    pub(crate) fn retry_after(&self) -> Option<u8> {
        let mut state = self.lock();
        state.rng.bool().then(|| state.rng.u8(1..=5))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn scripted(&mut self, service: Service, request: &Request) -> Option<FaultKind> {
        let path = format!("/{}", request.segments.join("/"));
        let fits = |fault: &&mut ScriptedFault| {
            fault.count > 0
                && fault.service.is_none_or(|wanted| wanted == service)
                && fault.method.as_ref().is_none_or(|wanted| request.method.as_str() == wanted)
                && fault.path_contains.as_ref().is_none_or(|wanted| path.contains(wanted))
        };
        let fault = self.script.iter_mut().find(fits)?;
        fault.count -= 1;
        Some(fault.kind)
    }

    fn by_chance(&mut self, request: &Request) -> Option<FaultKind> {
        let percent = match self.level {
            FaultLevel::None => return None,
            FaultLevel::Light => 1,
            FaultLevel::Heavy => 5,
        };
        let is_hit = request.user_agent().starts_with("rekeyd") && self.rng.u8(0..100) < percent;
        if is_hit { self.rng.choice(KINDS) } else { None }
    }
}

const KINDS: [FaultKind; 4] =
    [FaultKind::Throttled, FaultKind::Unavailable, FaultKind::Timeout, FaultKind::LostReply];
