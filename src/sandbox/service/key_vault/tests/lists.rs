//! A.2: lists in pages, with links that a client must follow as they are.

use std::collections::BTreeSet;

use super::*;

/// Returns the ids of all items, page by page, following the links as they are.
async fn all_pages(asker: &Asker<'_>, first: String) -> (Vec<String>, usize) {
    let (mut ids, mut pages, mut next) = (Vec::new(), 0, Some(first));
    while let Some(url) = next {
        let page = asker.send(Method::GET, &url, None).await;
        assert_eq!(page.status, StatusCode::OK, "{url}: {}", page.body);
        let items = page.body["value"].as_array().unwrap();
        ids.extend(items.iter().map(|item| item["id"].as_str().unwrap().to_owned()));
        assert!(items.iter().all(|item| item.get("value").is_none()));
        pages += 1;
        next = page.body["nextLink"].as_str().map(str::to_owned);
        assert!(page.body.as_object().unwrap().contains_key("nextLink"));
    }
    (ids, pages)
}

/// A next link contains the port, an older API version, an opaque token and the requested page size.
#[tokio::test]
async fn next_link_keeps_the_page_size() {
    let world = World::start().await;
    let asker = Asker::administrator(&world).await;
    let first = asker.send(Method::GET, &format!("{}&maxresults=1", asker.url("secrets")), None).await;
    let link = first.body["nextLink"].as_str().unwrap();
    let start = format!("{}/secrets?api-version=7.2&$skiptoken=", world.at.vaults[0].url);
    assert!(link.starts_with(&start) && link.ends_with("&maxresults=1"), "{link}");
    let token = link.trim_start_matches(&start).trim_end_matches("&maxresults=1");
    assert!(token.len() > 20 && token.bytes().all(|byte| byte.is_ascii_alphanumeric()), "{token}");
    let port = url::Url::parse(link).unwrap().port();
    assert!(port.is_some());
    for number in 0..25 {
        asker.put_text(&format!("it-{number:02}"), "text").await;
    }
    let whole = asker.get("secrets").await;
    assert!(!whole.body["nextLink"].as_str().unwrap().contains("maxresults"));
    world.sandbox.shutdown().await;
}

/// Every secret and every version is listed on exactly one page.
#[tokio::test]
async fn each_item_is_on_one_page() {
    let world = World::start().await;
    let asker = Asker::administrator(&world).await;
    for number in 0..30 {
        asker.put_text(&format!("it-{number:02}"), "text").await;
        asker.put_text("many", "text").await;
    }
    let (secrets, pages) = all_pages(&asker, asker.url("secrets")).await;
    assert_eq!((secrets.len(), pages), (33, 2));
    let different: BTreeSet<_> = secrets.iter().collect();
    assert_eq!(different.len(), 33);
    let base = format!("{}/secrets/", world.at.vaults[0].url);
    assert!(secrets.iter().all(|id| !id.trim_start_matches(&base).contains('/')), "{secrets:?}");
    let sized = format!("{}&maxresults=7", asker.url("secrets/many/versions"));
    let (mut versions, pages) = all_pages(&asker, sized).await;
    assert_eq!((versions.len(), pages), (30, 5));
    versions.dedup();
    assert_eq!(versions.len(), 30);
    world.sandbox.shutdown().await;
}

/// A page starts after the last item of the previous page, even if secrets were put in the meantime.
#[tokio::test]
async fn next_page_ignores_interim_puts() {
    let world = World::start().await;
    let asker = Asker::administrator(&world).await;
    let first = asker.send(Method::GET, &format!("{}&maxresults=1", asker.url("secrets")), None).await;
    asker.put_text("aaa", "text").await;
    let next = asker.send(Method::GET, first.body["nextLink"].as_str().unwrap(), None).await;
    assert_eq!(last_segment(&first.body["value"][0]["id"]), "app-01");
    assert_eq!(last_segment(&next.body["value"][0]["id"]), "app-03");
    assert_eq!(next.body["nextLink"], Value::Null);
    world.sandbox.shutdown().await;
}

/// Versions are listed in the order of their ids, not in the order in which they were put.
#[tokio::test]
async fn versions_are_listed_by_id() {
    let world = World::start().await;
    let asker = Asker::administrator(&world).await;
    let mut put = Vec::new();
    for _ in 0..10 {
        put.push(asker.put_text("it", "text").await);
    }
    let (ids, _) = all_pages(&asker, asker.url("secrets/it/versions")).await;
    let listed: Vec<_> = ids.iter().map(|id| id.rsplit('/').next().unwrap().to_owned()).collect();
    assert_ne!(listed, put);
    put.sort();
    assert_eq!(listed, put);
    world.sandbox.shutdown().await;
}

#[tokio::test]
async fn deleted_secrets_are_listed_in_pages_too() {
    let world = World::start().await;
    let asker = Asker::administrator(&world).await;
    for number in 0..5 {
        asker.put_text(&format!("it-{number}"), "text").await;
        asker.delete(&format!("secrets/it-{number}")).await;
    }
    let sized = format!("{}&maxresults=2", asker.url("deletedsecrets"));
    assert_eq!(all_pages(&asker, sized.clone()).await.0, Vec::<String>::new());
    asker.wait(Duration::seconds(10)).await;
    let (ids, pages) = all_pages(&asker, sized).await;
    let names: Vec<_> = ids.iter().map(|id| id.rsplit('/').next().unwrap()).collect();
    assert_eq!((names, pages), (vec!["it-0", "it-1", "it-2", "it-3", "it-4"], 3));
    let item = &asker.get("deletedsecrets").await.body["value"][0];
    for member in ["recoveryId", "deletedDate", "scheduledPurgeDate"] {
        assert!(item.get(member).is_some(), "{item}");
    }
    assert!(asker.get("secrets").await.body["value"].as_array().unwrap().len() == 2);
    world.sandbox.shutdown().await;
}

/// A page size outside 1 to 25 and a skip token the vault did not issue are refused with `BadParameter`.
#[tokio::test]
async fn invalid_page_size_or_token_is_refused() {
    let world = World::start().await;
    let asker = Asker::administrator(&world).await;
    for query in ["maxresults=0", "maxresults=26", "maxresults=x", "$skiptoken=1", "$skiptoken=e30"] {
        let url = format!("{}&{query}", asker.url("secrets"));
        assert_eq!(asker.send(Method::GET, &url, None).await.problem(), "400 BadParameter -", "{query}");
    }
    world.sandbox.shutdown().await;
}
