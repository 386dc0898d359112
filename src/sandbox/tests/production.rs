//! Everything on one port, under the names that Azure has in production.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may stop here")]

use reqwest::StatusCode;
use serde_json::{Value, json};

use super::World;

/// Each production host name is answered by its own service, and an unknown host name is refused.
#[tokio::test]
async fn production_names_reach_only_their_service() {
    let world = World::with_production_names().await;
    let tenant = world.at.tenant_id;
    let get = async |url: String| {
        let response = world.http.get(url).send().await.unwrap();
        response.json::<Value>().await.unwrap()
    };
    for name in ["login.microsoftonline.com", "login.windows.net", "login.microsoft.com", "sts.windows.net"] {
        let path = "v2.0/.well-known/openid-configuration";
        let found = get(format!("https://{name}/{tenant}/{path}")).await;
        assert_eq!(found["issuer"], format!("https://login.microsoftonline.com/{tenant}/v2.0"), "{found}");
    }
    let graph = get("https://graph.microsoft.com/v1.0/applications".to_owned()).await;
    assert_eq!(graph["error"]["code"], "InvalidAuthenticationToken");
    let vault = get("https://VAULT-2.vault.azure.net/secrets?api-version=7.4".to_owned()).await;
    assert_eq!(vault["error"]["code"], "Unauthorized");
    // The certificate has no such name either, so it is only in the request.
    let wrong = world.http.get("https://vault-1.vault.azure.net/secrets");
    let wrong = wrong.header("host", "vault-9.vault.azure.net").send().await.unwrap();
    assert_eq!(wrong.status(), StatusCode::MISDIRECTED_REQUEST);
    let unknown: Value = wrong.json().await.unwrap();
    assert_eq!(
        unknown["error"]["message"],
        "The rekeyd sandbox does not serve the host 'vault-9.vault.azure.net'."
    );
    world.sandbox.shutdown().await;
}

#[tokio::test]
async fn ids_links_and_challenges_carry_production_names() {
    let world = World::with_production_names().await;
    let token = world.token("https://vault.azure.net").await;
    let bare = world.http.get(world.secret_url("app-01")).send().await.unwrap();
    let challenge = format!(
        "Bearer authorization=\"https://login.windows.net/{}\", resource=\"https://vault.azure.net\"",
        world.at.tenant_id
    );
    assert_eq!(bare.headers()["www-authenticate"].to_str().unwrap(), challenge);
    let page = world.get(&format!("{}&maxresults=1", world.secret_url("")), &token).await;
    assert_eq!(page["value"][0]["id"], "https://vault-1.vault.azure.net/secrets/app-01");
    let next = page["nextLink"].as_str().unwrap();
    assert!(next.starts_with("https://vault-1.vault.azure.net:443/secrets?"), "{next}");
    let found = world.get(&world.application_url(""), &world.graph().await).await;
    let context = found["@odata.context"].as_str().unwrap();
    assert!(context.starts_with("https://graph.microsoft.com/v1.0/$metadata#applications"), "{context}");
    world.sandbox.shutdown().await;
}

#[tokio::test]
async fn the_instance_discovery_knows_entras_older_names() {
    let world = World::with_production_names().await;
    let endpoint = "https://login.microsoftonline.com/common/oauth2/authorize";
    let url = format!(
        "https://login.microsoftonline.com/common/discovery/instance?api-version=1.1&authorization_endpoint={endpoint}"
    );
    let found: Value = world.http.get(url).send().await.unwrap().json().await.unwrap();
    let entry = &found["metadata"][0];
    let preferred = (&entry["preferred_network"], &entry["preferred_cache"]);
    assert_eq!(preferred, (&json!("login.microsoftonline.com"), &json!("login.windows.net")));
    let aliases =
        json!(["login.microsoftonline.com", "login.windows.net", "login.microsoft.com", "sts.windows.net"]);
    assert_eq!(entry["aliases"], aliases);
    world.sandbox.shutdown().await;
}

/// The consumers reach the production host names, and the written directory lists them in its files.
#[tokio::test]
async fn consumers_and_directory_use_production_names() {
    let world = World::with_production_names().await;
    world.sandbox.clock().run_until(super::START + time::Duration::days(2)).await;
    let summary = world.sandbox.summary();
    assert!(summary.requests.key_vault >= 3, "{summary:?}");
    assert_eq!(summary.consumer_sign_in_failures, 0);
    let dir = tempfile::tempdir().unwrap();
    world.sandbox.write_directory(dir.path(), true).unwrap();
    let read = |name: &str| std::fs::read_to_string(dir.path().join(name)).unwrap();
    let hosts = read("hosts");
    for name in [
        "localhost",
        "login.microsoftonline.com",
        "graph.microsoft.com",
        "vault-2.vault.azure.net",
        "sandbox-fhir.fhir.azurehealthcareapis.com",
    ] {
        assert!(hosts.lines().any(|line| line == format!("127.0.0.1 {name}")), "{name}");
    }
    let file = dir.path().join("rekeyd.toml").display().to_string();
    let config = crate::config::Config::parse(&read("rekeyd.toml"), &file, &[]).unwrap();
    assert_eq!(config.azure.cloud, crate::config::Cloud::Public);
    assert_eq!(config.vaults[0].url.as_str(), "https://vault-1.vault.azure.net/");
    assert_eq!(config.sandbox.unwrap().clock_url.host_str(), Some("localhost"));
    world.sandbox.shutdown().await;
}

/// The error for a port that cannot be opened suggests `--https-port` and `unshare --net`.
#[tokio::test]
async fn occupied_port_error_suggests_a_remedy() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let number = taken.local_addr().unwrap().port();
    let refused = World::start_with_production_names(number).await.map(drop).unwrap_err().to_string();
    assert!(refused.starts_with(&format!("can't open port {number} on 127.0.0.1")), "{refused}");
    assert!(refused.contains("--https-port") && refused.contains("unshare --net"), "{refused}");
}
