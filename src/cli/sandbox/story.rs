//! The story of a sandbox run: what is due is rotated, consumers live through the overlap, and the old credentials are
//! retired.

use time::{Duration, OffsetDateTime};

use super::narrator::Narrator;
use crate::app::App;
use crate::domain::{StatusReason, WaitReason};
use crate::ports::Clock;
use crate::sandbox::Sandbox;

/// A run of the daemon on a sandbox, and what prints it.
pub(super) struct Story<'a> {
    pub(super) sandbox: &'a Sandbox,
    pub(super) app: &'a App,
    pub(super) narrator: &'a mut Narrator,
    /// The sandbox's time at the start.
    pub(super) start: OffsetDateTime,
}

impl Story<'_> {
    /// Lives through `days` or, without a number, through one rotation.
    pub(super) async fn run(&mut self, days: Option<u16>) {
        match days {
            Some(days) => self.days(days.into()).await,
            None => self.rotation().await,
        }
    }

    /// Lives through `days`, the last of them without faults.
    async fn days(&mut self, days: i64) {
        let end = self.start + Duration::days(days);
        self.narrator.run_until(self.sandbox, end - CALM).await;
        self.sandbox.stop_faults();
        self.narrator.run_until(self.sandbox, end).await;
    }

    /// Rotates everything that is due, then lives on until its old credentials are retired.
    async fn rotation(&mut self) {
        self.rotate().await;
        self.retire().await;
    }

    async fn rotate(&mut self) {
        self.run_minutes_until(Self::is_rotated).await;
        while !self.is_rotated() && self.is_young() {
            self.narrator.print("\nNot published yet: moving the sandbox's clock forward by 6 hours ...\n");
            self.advance(STEP).await;
        }
        self.print_consumers();
    }

    /// Runs until `is_done`, but only for the minutes that this takes if nothing fails.
    async fn run_minutes_until(&mut self, is_done: impl Fn(&Self) -> bool) {
        for _ in 0..MINUTES_WITHOUT_FAILURE {
            if is_done(self) {
                return;
            }
            self.advance(Duration::MINUTE).await;
        }
    }

    async fn retire(&mut self) {
        self.narrator.print(format_args!(
            "\nThe old credentials stay valid for {OVERLAP_DAYS} days, because consumers cache them.\n\
             Moving the sandbox's clock forward by {OVERLAP_DAYS} days, one at a time ...\n"
        ));
        self.run_days(OVERLAP_DAYS).await;
        self.run_minutes_until(Self::is_retired).await;
        while !self.is_retired() && self.is_young() {
            self.narrator.print("\nNot retired yet: moving the sandbox's clock forward by 1 day ...\n");
            self.run_days(1).await;
        }
        self.narrator
            .print("\nThe old credentials are retired. Moving the sandbox's clock forward by 1 day ...\n");
        self.run_days(1).await;
    }

    async fn run_days(&mut self, days: i64) {
        for _ in 0..days {
            self.advance(Duration::DAY).await;
            self.print_consumers();
        }
    }

    async fn advance(&mut self, duration: Duration) {
        let limit = self.sandbox.clock().now() + duration;
        self.narrator.run_until(self.sandbox, limit).await;
    }

    fn print_consumers(&mut self) {
        self.narrator.print_consumers(self.sandbox.clock().now());
    }

    /// Returns true if everything that was due is published.
    fn is_rotated(&self) -> bool {
        let waits_well = |reason| matches!(reason, WaitReason::NotDue | WaitReason::Overlap);
        self.sandbox.summary().published >= 1
            && self.reasons().all(|reason| matches!(reason, StatusReason::Waiting(why) if waits_well(why)))
    }

    /// Returns true if nothing is left to retire.
    fn is_retired(&self) -> bool {
        self.sandbox.summary().retired >= 1
            && self.reasons().all(|reason| reason == StatusReason::Waiting(WaitReason::NotDue))
    }

    fn reasons(&self) -> impl Iterator<Item = StatusReason> {
        self.app.board().list().into_iter().map(|status| status.reason)
    }

    /// Returns false if it has taken so long that something is wrong.
    fn is_young(&self) -> bool {
        self.sandbox.clock().now() < self.start + MAX_RUN_LENGTH
    }
}

/// The overlap that the sandbox configures for its daemon, in days.
const OVERLAP_DAYS: i64 = 7;

/// The minutes in which a rotation, or a retirement, is done if nothing fails.
const MINUTES_WITHOUT_FAILURE: usize = 15;

/// The last days of a run, in which nothing fails any more.
const CALM: Duration = Duration::days(2);

/// A jump of the clock while faults delay what is due.
const STEP: Duration = Duration::hours(6);

/// The limit of a run: until then everything that is due is rotated and retired, or something is wrong.
const MAX_RUN_LENGTH: Duration = Duration::days(60);
