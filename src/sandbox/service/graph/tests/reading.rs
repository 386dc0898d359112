//! Applications and service principals, read in all supported ways.

use serde_json::json;

use super::*;

/// An application contains the members that clients read, and the request ids in its errors match the headers.
#[tokio::test]
async fn application_has_members_clients_read() {
    let graph = Graph::start().await;
    let shown = graph.get(&graph.path(0)).await;
    let members: Vec<_> = shown.body.as_object().unwrap().keys().map(String::as_str).collect();
    let expected = "@odata.context appId appRoles createdDateTime displayName id identifierUris isFallbackPublicClient \
                    keyCredentials passwordCredentials publicClient signInAudience spa tags web";
    assert_eq!(members, expected.split_whitespace().collect::<Vec<_>>());
    assert_eq!(shown.body["passwordCredentials"][0]["secretText"], Value::Null);
    assert!(shown.header("x-ms-ags-diagnostic").contains("ServerInfo"));
    let missing = graph.get(&format!("/applications/{}", Uuid::from_u128(1))).await;
    assert_eq!(missing.refusal(), (404, "Request_ResourceNotFound"));
    let inner = &missing.body["error"]["innerError"];
    assert_eq!(inner["request-id"].as_str().unwrap(), missing.header("request-id"));
    assert_eq!((&inner["client-request-id"], missing.header("client-request-id")), (&json!("mine"), "mine"));
    graph.world.sandbox.shutdown().await;
}

/// Supported filters select the matching applications, and unsupported filters and query options are refused.
#[tokio::test]
async fn filters_select_and_unsupported_queries_fail() {
    let graph = Graph::start().await;
    let (one, two) = (graph.managed(0), graph.managed(1));
    for (filter, count) in [
        (format!("appId eq '{}'", one.client_id), 1),
        (format!("appId in ('{}','{}')", one.client_id, two.client_id), 2),
        ("startswith(displayName,'Application of')".to_owned(), 3),
        (format!("startswith(displayName,'Application') and id eq '{}'", one.object_id), 1),
        ("tags/any(t:t eq 'rekeyd:secret=vault-1/app-01')".to_owned(), 1),
        ("signInAudience eq 'AzureADMyOrg'".to_owned(), 5),
        (format!("appId eq '{}'", Uuid::from_u128(1)), 0),
    ] {
        let found = graph.get(&format!("/applications?$select=id&$filter={filter}")).await;
        assert_eq!(found.body["value"].as_array().unwrap().len(), count, "{filter}");
        assert!(found.body["@odata.context"].as_str().unwrap().ends_with("/$metadata#applications(id)"));
    }
    let refused = graph.get("/applications?$filter=displayName ne 'x'").await;
    assert_eq!(refused.refusal(), (400, "Request_UnsupportedQuery"));
    let message = "Unsupported or invalid query filter clause specified for property 'displayName' of resource 'Application'.";
    assert_eq!(refused.message(), message);
    for option in ["$orderby=displayName", "$search=x", "$expand=owners", "$skip=1"] {
        let unknown = graph.get(&format!("/applications?{option}")).await;
        assert_eq!(unknown.status, StatusCode::NOT_IMPLEMENTED, "{option}");
    }
    for top in ["0", "1000", "x"] {
        let refused = graph.get(&format!("/applications?$top={top}")).await;
        assert_eq!(refused.refusal(), (400, "Request_BadRequest"), "{top}");
    }
    graph.world.sandbox.shutdown().await;
}

/// Deleting an application of the first page does not change the contents of the next page.
#[tokio::test]
async fn deletion_between_pages_skips_no_application() {
    let graph = Graph::start().await;
    let first = graph.get("/applications?$top=3&$select=id").await;
    let first: Vec<_> = first.body["value"].as_array().unwrap().clone();
    let page = graph.get("/applications?$top=3&$select=id").await;
    let next = page.body["@odata.nextLink"].as_str().unwrap().to_owned();
    let gone = format!("/applications/{}", first[0]["id"].as_str().unwrap());
    assert_eq!(graph.send(Method::DELETE, &gone, &Value::Null).await.status, StatusCode::NO_CONTENT);
    let second = graph.world.get(&next, &graph.token).await;
    assert_eq!(second["value"].as_array().unwrap().len(), 2, "{second}");
    assert_eq!(second.get("@odata.nextLink"), None);
    graph.world.sandbox.shutdown().await;
}

#[tokio::test]
async fn counts_need_an_eventual_consistency_level() {
    let graph = Graph::start().await;
    let read = async |path: &str, level: Option<&str>| {
        let url = format!("{}/v1.0/applications{path}", graph.world.at.graph);
        let request = graph.world.http.get(url).bearer_auth(&graph.token);
        let request =
            level.into_iter().fold(request, |request, level| request.header("ConsistencyLevel", level));
        request.send().await.unwrap()
    };
    let counted = read("/$count", Some("eventual")).await;
    assert_eq!(counted.headers()["content-type"], "text/plain");
    assert_eq!(counted.text().await.unwrap(), "5");
    let refused: Value = read("/$count", None).await.json().await.unwrap();
    assert_eq!(refused["error"]["message"], "$count is not currently supported.");
    let listed: Value = read("?$count=true&$top=1", Some("eventual")).await.json().await.unwrap();
    assert_eq!((&listed["@odata.count"], listed["value"].as_array().unwrap().len()), (&json!(5), 1));
    let silent: Value = read("?$count=true", None).await.json().await.unwrap();
    assert_eq!(silent.get("@odata.count"), None);
    graph.world.sandbox.shutdown().await;
}

/// Every application and each of Microsoft's services has a service principal.
#[tokio::test]
async fn applications_and_services_have_service_principals() {
    let graph = Graph::start().await;
    let all = graph.get("/servicePrincipals").await;
    let mut names = all.names();
    names.sort_unstable();
    let expected = [
        "Application of app-01",
        "Application of app-02",
        "Application of app-03",
        "Azure API for DICOM",
        "Azure Healthcare APIs",
        "Azure Key Vault",
        "Azure Storage",
        "Microsoft Graph",
        "Microsoft.EventGrid",
        "Sandbox client",
        "Windows Azure Service Management API",
        "rekeyd",
    ];
    assert_eq!(names, expected);
    let client_id = graph.managed(0).client_id;
    let by_key = graph.get(&format!("/servicePrincipals(appId='{client_id}')")).await;
    let by_id = graph.get(&format!("/servicePrincipals/{}", by_key.body["id"].as_str().unwrap())).await;
    assert_eq!((&by_id.body, &by_key.body["accountEnabled"]), (&by_key.body, &json!(true)));
    assert_ne!(by_key.body["id"], graph.managed(0).object_id.to_string());
    let microsoft =
        graph.get("/servicePrincipals?$filter=appId eq '00000003-0000-0000-c000-000000000000'").await;
    assert_eq!(microsoft.names(), ["Microsoft Graph"]);
    assert_eq!(microsoft.body["value"][0]["appOwnerOrganizationId"], "f8cdef31-a31e-4b4a-93e4-5f571e91255a");
    graph.world.sandbox.shutdown().await;
}
