//! Room for another password, and the lifetime that the tenant's policies allow.

use std::io::Write;
use std::sync::{Arc, Mutex};

use rekeyd::domain::{CommandKind, ForeignExpired, KeyId, Marker, PolicyValues};
use rekeyd::ports::{CredentialIssuer, SignIn};
use rekeyd::sandbox::model::{
    ApplicationChange, Audience, PasswordRestriction, RestrictionKind, RestrictionState,
};
use time::Duration;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use uuid::Uuid;

use super::seen::{answer_to, credentials, versions};
use crate::scenarios::{block_on, object_id};
use crate::world::{START, World, policy_values};

fn change(world: &Arc<World>, change: ApplicationChange) {
    world.direct.model.change_application(object_id(world).0, change, world.now()).unwrap();
}

/// Admits personal accounts to the application from now on, so that it has room for two passwords.
fn admit_personal_accounts(world: &Arc<World>) {
    let audience = Some(Audience::AnyOrganisationAndPersonal);
    change(world, ApplicationChange { audience, ..ApplicationChange::default() });
}

/// Issues a credential with this name.
fn made(world: &Arc<World>, name: &str, lasts: Duration) -> KeyId {
    let end = world.now() + lasts;
    block_on(world.direct.issue(object_id(world), name, end)).unwrap().key_id
}

/// Returns the number of attempts noted on the current version.
fn attempts(world: &Arc<World>) -> u32 {
    let noted = block_on(world.current()).properties.tags.pending_rotation().unwrap();
    noted.map_or(0, |noted| noted.attempt)
}

/// An application that admits personal accounts is rotated without ever exceeding two passwords.
#[test]
fn personal_account_application_rotates_with_two_passwords() {
    let world = World::new(None);
    admit_personal_accounts(&world);
    for day in 1..=100 {
        world.live_until(START + Duration::days(day) + Duration::hours(12));
        assert!(credentials(&world).len() <= 2, "day {day}");
    }
    assert_eq!((world.issued(), credentials(&world).len()), (2, 1));
}

/// When an application has no room for another password, nothing is minted and the status message names the remedy.
#[test]
fn full_application_blocks_with_a_remedy() {
    let world = World::new(None);
    admit_personal_accounts(&world);
    let theirs = made(&world, "made by a colleague", Duration::days(300));
    world.live(Duration::days(5));
    assert_eq!(world.last_state(), ("blocked", "password_limit_reached"));
    assert!(world.last_message().contains("remove expired or unused ones"), "{}", world.last_message());
    assert_eq!(
        (world.issued(), versions(&world), attempts(&world)),
        (1, 1, 0),
        "only the colleague's credential was issued"
    );
    assert!(credentials(&world).contains(&theirs));
    block_on(world.direct.revoke(object_id(&world), theirs)).unwrap();
    world.live(Duration::days(2));
    assert_eq!((world.issued(), versions(&world)), (2, 2), "it goes on by itself");
}

/// A password limit not known in advance is learned from a single refusal and not tried again until there is room.
#[test]
fn unknown_password_limit_takes_one_refusal() {
    let world = World::new(None);
    change(&world, ApplicationChange { password_limit: Some(3), ..ApplicationChange::default() });
    let theirs = [(); 2].map(|()| made(&world, "made by a colleague", Duration::days(300)));
    world.live(Duration::days(4));
    assert_eq!(world.last_state(), ("blocked", "password_limit_reached"));
    assert_eq!(attempts(&world), 1, "it is not retried repeatedly");
    assert!(theirs.iter().all(|theirs| credentials(&world).contains(theirs)));
    block_on(world.direct.revoke(object_id(&world), theirs[0])).unwrap();
    world.live(Duration::days(2));
    assert_eq!(versions(&world), 2);
    assert!(credentials(&world).contains(&theirs[1]));
}

/// An expired credential of another owner makes room only if `foreign_expired` is `remove`.
#[test]
fn foreign_expired_credential_makes_room_by_policy() {
    for (foreign_expired, is_rotated) in [(ForeignExpired::Report, false), (ForeignExpired::Remove, true)] {
        let world = World::with_policy(PolicyValues { foreign_expired, ..policy_values() });
        admit_personal_accounts(&world);
        let theirs = made(&world, "made by a colleague", Duration::hours(30));
        world.live(Duration::hours(29));
        assert_eq!((versions(&world), world.last_state()), (1, ("blocked", "password_limit_reached")));
        world.live(Duration::days(2));
        assert_eq!(versions(&world) == 2, is_rotated, "{foreign_expired:?}");
        assert_eq!(credentials(&world).contains(&theirs), !is_rotated, "{foreign_expired:?}");
    }
}

/// An orphaned credential is removed to make room only after its grace period.
#[test]
fn orphan_makes_room_after_its_grace() {
    let world = World::new(None);
    admit_personal_accounts(&world);
    let name = Marker::of(&world.secret).display_name(&"0123456789abcdef".parse().unwrap());
    let orphan = made(&world, &name, Duration::days(90));
    world.live(Duration::hours(23));
    assert_eq!((versions(&world), credentials(&world).contains(&orphan)), (1, true));
    assert_eq!(world.last_state(), ("blocked", "password_limit_reached"));
    world.live(Duration::hours(3));
    assert_eq!((versions(&world), credentials(&world).contains(&orphan)), (2, false));
}

/// Only a compromise ends an overlap early to make room; an ordinary rotate command waits.
#[test]
fn only_compromise_cuts_overlap_for_room() {
    let world = World::new(None);
    admit_personal_accounts(&world);
    let first = block_on(world.current()).value;
    world.live(Duration::days(1));
    let second = block_on(world.current()).value;
    world.command(CommandKind::Rotate);
    world.live(Duration::days(2));
    assert_eq!((versions(&world), world.last_state()), (2, ("blocked", "password_limit_reached")));
    assert_eq!(answer_to(&world, &first), SignIn::Accepted, "consumers are still moving over");
    world.command(CommandKind::Compromised { all_credentials: false });
    world.live(Duration::hours(3));
    assert_eq!(versions(&world), 3);
    let third = block_on(world.current()).value;
    let answers = [&first, &second, &third].map(|text| answer_to(&world, text));
    assert_eq!(answers, [SignIn::Wrong, SignIn::Wrong, SignIn::Accepted]);
    assert_eq!(credentials(&world).len(), 1);
}

/// A compromise never makes room by revoking a credential that consumers read, or one of another owner.
#[test]
fn compromise_without_room_revokes_nothing() {
    let world = World::new(None);
    admit_personal_accounts(&world);
    let theirs = made(&world, "made by a colleague", Duration::days(300));
    world.command(CommandKind::Compromised { all_credentials: false });
    world.live(Duration::days(3));
    assert_eq!((versions(&world), credentials(&world).len()), (1, 2));
    assert_eq!(world.last_state(), ("blocked", "password_limit_reached"));
    let bad = block_on(world.current()).value;
    block_on(world.direct.revoke(object_id(&world), theirs)).unwrap();
    world.live(Duration::days(2));
    assert_eq!((versions(&world), answer_to(&world, &bad)), (2, SignIn::Wrong), "the tag kept the command");
}

/// Sets a restriction in the policy that applies by default.
fn restrict(world: &Arc<World>, kind: RestrictionKind, longest: Option<&str>) {
    let restriction = PasswordRestriction {
        restriction_type: kind,
        state: RestrictionState::Enabled,
        max_lifetime: longest.map(|longest| longest.to_owned().try_into().unwrap()),
        restrict_for_apps_created_after_date_time: None,
        exclude_actors: None,
    };
    let set = world.direct.model.change_policy(Uuid::nil(), |policy| {
        policy.is_enabled = true;
        policy.restrictions.password_credentials = vec![restriction];
    });
    set.unwrap();
}

/// Lets the daemon read the tenant's policies.
fn let_policies_be_read(world: &Arc<World>) {
    let (model, graph) = (&world.direct.model, "https://graph.microsoft.com");
    let daemon = model.tenant().daemon.object_id;
    let mut roles = model.app_roles(daemon, graph);
    roles.push("Policy.Read.All".to_owned());
    model.set_app_roles(daemon, graph, &roles.iter().map(String::as_str).collect::<Vec<_>>());
}

/// The log of the current thread.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, text: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(text)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// A credential lifetime is clamped to the tenant's policy, and this is logged once.
#[test]
fn lifetime_is_clamped_to_tenant_policy() {
    let world = World::new(None);
    let_policies_be_read(&world);
    restrict(&world, RestrictionKind::PasswordLifetime, Some("P30D"));
    let log = Log::default();
    let written = log.clone();
    let layer = tracing_subscriber::fmt::layer().with_ansi(false).with_writer(move || written.clone());
    let listening = tracing_subscriber::registry().with(layer).set_default();
    world.live(Duration::days(70));
    drop(listening);
    // Due after two thirds of a life of 30 days.
    assert_eq!(world.issued(), 4);
    let current = block_on(world.current()).properties;
    let lifetime = current.expires.unwrap() - current.created;
    assert!((29..=30).contains(&lifetime.whole_days()), "{lifetime}");
    let log = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    let logged = log.lines().filter(|line| line.contains("shortened lifetime")).collect::<Vec<_>>();
    assert_eq!(logged.len(), 1, "{logged:?}");
    assert!(logged[0].contains("allowed_days=29") && logged[0].contains("asked_days=120"), "{logged:?}");
}

/// A tenant policy that allows less than a day blocks rotation with `lifetime_policy`, and nothing is minted.
#[test]
fn policy_under_one_day_blocks_without_minting() {
    let world = World::new(None);
    let_policies_be_read(&world);
    restrict(&world, RestrictionKind::PasswordLifetime, Some("PT2H"));
    world.live(Duration::days(10));
    assert_eq!(world.last_state(), ("blocked", "lifetime_policy"));
    assert_eq!((world.issued(), versions(&world), attempts(&world)), (0, 1, 0));
}

/// The limits of an unreadable tenant policy are learned from the refusal, and minting is then retried only rarely.
#[test]
fn unreadable_policy_is_learned_from_refusal() {
    for (kind, longest, reason, advice) in [
        (RestrictionKind::PasswordLifetime, Some("P30D"), "lifetime_policy", "shorten validity"),
        (RestrictionKind::PasswordAddition, None, "passwords_forbidden", "request an exception"),
    ] {
        let world = World::new(None);
        restrict(&world, kind, longest);
        world.live(Duration::days(10));
        assert_eq!(world.last_state(), ("blocked", reason));
        assert!(world.last_message().contains(advice), "{}", world.last_message());
        assert_eq!((world.issued(), versions(&world)), (0, 1));
        assert!((3..=16).contains(&attempts(&world)), "{} attempts", attempts(&world));
        world.direct.model.change_policy(Uuid::nil(), |policy| policy.is_enabled = false).unwrap();
        world.live(Duration::days(2));
        assert_eq!((world.issued(), versions(&world)), (1, 2), "it goes on by itself");
    }
}

/// While a readable tenant policy bans passwords, no attempt to mint one is made.
#[test]
fn readable_password_ban_prevents_all_attempts() {
    let world = World::new(None);
    let_policies_be_read(&world);
    restrict(&world, RestrictionKind::PasswordAddition, None);
    world.live(Duration::days(10));
    assert_eq!(world.last_state(), ("blocked", "passwords_forbidden"));
    assert_eq!((world.issued(), versions(&world), attempts(&world)), (0, 1, 0));
    restrict(&world, RestrictionKind::PasswordLifetime, Some("P200D"));
    world.live(Duration::days(2));
    assert_eq!(world.issued(), 1);
}
