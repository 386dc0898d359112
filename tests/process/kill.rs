//! `kill -9` at any moment: consumers never notice, and nothing is left behind.

use std::collections::BTreeSet;
use std::time::Duration;

use time::OffsetDateTime;

use crate::support::{Azure, Daemon, PATIENCE, State, eventually, pause, variable, within};

/// A daemon in a process of its own rotates every secret that is due and revokes old credentials.
#[tokio::test]
async fn separate_process_rotates_due_secrets() {
    let azure = Azure::start(&["--propagation", "0s..1s", "--seed", "3"]).await;
    let due = azure.state().await.due_at_first();
    assert!(!due.is_empty());
    let daemon = azure.daemon(&[]).await;
    rotated(&azure, &due).await;
    azure.settle(&daemon).await;
    azure.advance("8d").await;
    azure.settle(&daemon).await;
    let state = azure.state().await;
    assert_eq!(state.consumers.failures, 0, "{}", azure.printed());
    assert_eq!(state.unpublished().count(), 0);
    assert!(daemon.metric("rekeyd_actions_total{action=\"revoke\",outcome=\"success\"}").await >= 1.0);
}

/// A daemon that is killed again and again locks out no consumer and leaves no orphaned credential behind.
#[tokio::test]
async fn repeated_kills_lock_out_no_consumer() {
    let rounds = variable("REKEYD_ROUNDS").map_or(6, |rounds| rounds.parse().unwrap());
    let seed = variable("REKEYD_SEED").map_or(11, |seed| seed.parse().unwrap());
    println!("rounds {rounds}, seed {seed}");
    let azure =
        Azure::start(&["--propagation", "0s..1s", "--secrets", "6", "--seed", &seed.to_string()]).await;
    let began = azure.state().await;
    let daemon = azure.daemon(&[]).await;
    rotated(&azure, &began.due_at_first()).await;

    let mut ordeal =
        Ordeal { azure, daemon, random: fastrand::Rng::with_seed(seed), kills: Kills::default() };
    for round in 0..rounds {
        ordeal.round(round).await;
    }
    let Ordeal { azure, daemon, kills, .. } = ordeal;
    azure.advance("25h").await;
    swept_since(&daemon, azure.state().await.now).await;
    azure.settle(&daemon).await;

    let state = azure.state().await;
    let versions: usize = state.secrets().values().map(|versions| versions.len()).sum();
    println!(
        "{kills:?}; {} virtual days, {} rotations, consumers: {} sign-ins, {} failures",
        (state.now - began.now).whole_days(),
        versions - 6,
        state.consumers.sign_ins,
        state.consumers.failures
    );
    assert_eq!(state.consumers.failures, 0, "{}", azure.printed());
    assert_eq!(state.orphans().len(), 0, "{:#?}", state.orphans());
    assert!(kills.between_issue_and_publication >= rounds / 4, "{kills:?} show too little");
}

struct Ordeal {
    azure: Azure,
    daemon: Daemon,
    random: fastrand::Rng,
    kills: Kills,
}

#[derive(Debug, Default)]
struct Kills {
    between_issue_and_publication: u32,
    at_random: u32,
    /// Credentials that a killed daemon left unpublished.
    orphaned: usize,
}

impl Ordeal {
    /// Lets time pass, requests a rotation, kills the daemon and starts it again, and lets more time pass.
    async fn round(&mut self, round: u32) {
        self.live(2).await;
        let state = self.azure.state().await;
        let wanted = self.random.choice(state.secrets().into_keys()).unwrap();
        self.daemon.rotate(&wanted).await;
        if round.is_multiple_of(2) {
            let fresh = self.wait_for_fresh(&state).await;
            println!("round {round}: {wanted}, killed once a credential was unpublished: {fresh}");
            *(if fresh {
                &mut self.kills.between_issue_and_publication
            } else {
                &mut self.kills.at_random
            }) += 1;
        } else {
            let moment = Duration::from_millis(self.random.u64(0..4_000));
            println!("round {round}: {wanted}, killed after {moment:?}");
            pause(moment).await;
            self.kills.at_random += 1;
        }
        self.restart().await;
        self.live(3).await;
        // Not in every round: some kills have to meet the remains of earlier ones.
        if self.random.u8(0..3) > 0 {
            self.azure.settle(&self.daemon).await;
        }
    }

    async fn restart(&mut self) {
        self.daemon.process.kill();
        self.kills.orphaned += self.azure.state().await.unpublished().count();
        self.daemon = self.azure.daemon(&[]).await;
    }

    /// Advances the clock, and gives the daemon some of the real time it needs.
    async fn live(&mut self, steps: u32) {
        for _ in 0..steps {
            let minutes = self.random.i64(30..36 * 60);
            self.azure.advance_by(time::Duration::minutes(minutes)).await;
            pause(Duration::from_millis(self.random.u64(200..1_500))).await;
        }
    }

    /// Returns true if a credential appeared that `before` didn't have and no version names.
    async fn wait_for_fresh(&self, before: &State) -> bool {
        let known: BTreeSet<_> = before.ours().map(|credential| credential.key_id.clone()).collect();
        let fresh = within(Duration::from_secs(5), async || {
            let state = self.azure.state().await;
            state.unpublished().any(|credential| !known.contains(&credential.key_id)).then_some(())
        });
        fresh.await.is_some()
    }
}

async fn rotated(azure: &Azure, secrets: &[String]) {
    eventually("due secrets are rotated", PATIENCE, async || {
        let state = azure.state().await;
        secrets.iter().all(|secret| state.versions_of(secret) == 2).then_some(())
    })
    .await;
}

/// Waits until a sweep that began within the day before `since`,
/// by which the clock was moved, has reconciled every secret.
async fn swept_since(daemon: &Daemon, since: OffsetDateTime) {
    let day_before = since - time::Duration::DAY;
    let earliest = f64::from(i32::try_from(day_before.unix_timestamp()).unwrap());
    eventually("the daemon sweeps", PATIENCE, async || {
        let begun = daemon.metric("rekeyd_last_sweep_timestamp_seconds").await >= earliest;
        let looked = |look: Option<OffsetDateTime>| look.is_some_and(|look| look >= day_before);
        (begun && daemon.secrets().await.iter().all(|secret| looked(secret.last_reconciled))).then_some(())
    })
    .await;
}
