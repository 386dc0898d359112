#![expect(clippy::unwrap_used, reason = "a test may fail")]

use super::role::Role;
use super::tests::{file, parse, refusal, with_variable};

/// Each broken rule, as (tables, what is reported).
const REFUSED: &[(&str, &str)] = &[
    (
        "[[api.tokens]]\nname = \"x\"\nsha256 = \"12\"\nrole = \"reader\"",
        "not a SHA-256 hash of 64 hexadecimal digits",
    ),
    ("[[api.tokens]]\nname = \"x\"\nrole = \"reader\"", "api.tokens[1].sha256 is missing"),
    (
        "[[api.tokens]]\nname = \"x\"\nrole = \"reader\"\n\
         sha256 = \"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\"",
        "that of an empty token",
    ),
    (
        "[[api.tokens]]\nname = \"x\"\nrole = \"king\"\n\
         sha256 = \"0000000000000000000000000000000000000000000000000000000000000001\"",
        "not one of reader, operator",
    ),
    ("[api]\nrequests_per_minute = 0", "from 1 to 100000"),
    ("[webhook]\nkey_files = [\"/no/such/file\"]", "which can't be read"),
    ("[webhook]\nkey_files = [\"/a\", \"/b\", \"/c\"]", "more than 2 files"),
    ("[webhook]\nclient_id = \"x\"", "not a GUID"),
    ("[tls]\ncertificate_file = \"/tls.crt\"", "must be set together"),
    ("[health]\nlisten = \"9090\"", "not an IP address with a port"),
    ("[queue]\nurl = \"https://a.queue.core.windows.net/q?sig=x\"", "a URL with a query"),
    ("[queue]\nurl = \"https://a.queue.core.windows.net/\"", "not the URL of a queue"),
    ("[queue]\nurl = \"http://a.queue.core.windows.net/events\"", "not an https URL"),
    ("[queue]\nmax_attempts = 0", "from 1 to 100"),
    ("[functions]\nbudget = \"2h\"", "out of range (1s to 30m)"),
    ("[schedule]\njitter = \"1d\"", "out of range (0s to 12h)"),
];

/// Each broken rule of the listeners is reported with its own message.
#[test]
fn each_broken_listener_rule_is_reported() {
    for (tables, expected) in REFUSED {
        let message = refusal(parse(&file("", tables, "")));
        assert!(message.contains(expected), "{tables}:\n{message}");
    }
}

/// In a cloud without a known Event Grid client, a webhook that accepts tokens needs `webhook.client_id`.
#[test]
fn unknown_event_grid_client_must_be_configured() {
    let text = file("", "cloud = \"china\"\n[webhook]\naudience = \"api://x\"", "");
    assert!(refusal(parse(&text)).contains("webhook.client_id is missing"));
}

/// By default API and webhook are closed, and TLS, queue, health and functions listeners are off.
#[test]
fn listeners_are_closed_and_plain_by_default() {
    let config = parse(&file("", "", "")).unwrap();
    assert!(!config.api.is_open() && !config.webhook.is_open());
    assert!(
        config.tls.is_none()
            && config.queue.is_none()
            && config.health.is_none()
            && config.functions.is_none()
    );
    assert_eq!(config.webhook.origins, ["eventgrid.azure.net"]);
    let url = "https://login.microsoftonline.com/example.org/v2.0/.well-known/openid-configuration";
    assert_eq!(config.azure.openid_url.as_str(), url);
}

/// A daemon with an open webhook and a closed API may listen on a public address.
#[test]
fn webhook_may_listen_publicly_without_api() {
    let config = parse(&file("listen = \"0.0.0.0:80\"", "[webhook]\naudience = \"api://x\"", "")).unwrap();
    assert!(!config.api.is_open() && config.webhook.is_open());
}

#[test]
fn tokens_have_names_and_roles() {
    let token = "[[api.tokens]]\nname = \"dashboard\"\nrole = \"reader\"\n\
                 sha256 = \"00000000000000000000000000000000000000000000000000000000000000FF\"";
    let config = parse(&file("", token, "")).unwrap();
    let token = config.api.tokens.first().unwrap();
    assert_eq!((token.name.as_str(), token.role, token.hash.last()), ("dashboard", Role::Reader, Some(&255)));
}

#[test]
fn a_functions_host_says_where_to_listen() {
    let config = with_variable("FUNCTIONS_CUSTOMHANDLER_PORT", "40123").unwrap();
    assert_eq!(config.listen.to_string(), "127.0.0.1:40123");
    assert!(config.functions.is_some());
    for port in ["", "0", "70000", "x"] {
        let message = refusal(with_variable("FUNCTIONS_CUSTOMHANDLER_PORT", port));
        assert!(message.contains("environment variable FUNCTIONS_CUSTOMHANDLER_PORT"), "{message}");
        assert!(message.contains("which is not a port"), "{message}");
    }
}
