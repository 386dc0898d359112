//! Lists that belong to an object or a policy: their filters, pages and contexts.

use serde_json::json;

use super::*;

async fn names(graph: &Graph, path: &str) -> Vec<String> {
    let listed = graph.get(path).await;
    assert_eq!(listed.status, StatusCode::OK, "{path}: {}", listed.body);
    let names = listed.body["value"].as_array().unwrap().iter();
    names.map(|one| one["name"].as_str().or(one["displayName"].as_str()).unwrap().to_owned()).collect()
}

/// The next link of a page leads to the rest of the same list, addressed in the same way.
#[tokio::test]
async fn next_link_continues_same_list() {
    let graph = Graph::start().await;
    for index in [0, 1] {
        for name in ["one", "two"] {
            let body = json!({"name": name, "issuer": "https://issuer.example", "subject": name, "audiences": ["a"]});
            let path = format!("{}/federatedIdentityCredentials", graph.path(index));
            let made = graph.post(&path, &body).await;
            let context = made.body["@odata.context"].as_str().unwrap();
            let id = graph.managed(index).object_id;
            let expected =
                format!("/v1.0/$metadata#applications('{id}')/federatedIdentityCredentials/$entity");
            assert!(context.ends_with(&expected), "{context}");
        }
    }
    let managed = graph.managed(0);
    let (id, client_id) = (managed.object_id, managed.client_id);
    for application in [format!("applications/{id}"), format!("applications(appId='{client_id}')")] {
        let first = graph.get(&format!("/{application}/federatedIdentityCredentials?$top=1")).await.body;
        let expected = format!("/v1.0/$metadata#applications('{id}')/federatedIdentityCredentials");
        assert!(first["@odata.context"].as_str().unwrap().ends_with(&expected), "{first}");
        let next = first["@odata.nextLink"].as_str().unwrap();
        assert!(next.contains(&format!("/v1.0/{application}/federatedIdentityCredentials?")), "{next}");
        let second = graph.world.get(next, &graph.token).await;
        let mut names = [&first, &second].map(|page| page["value"][0]["name"].as_str().unwrap());
        names.sort_unstable();
        assert_eq!((names, second.get("@odata.nextLink")), (["one", "two"], None));
    }
    graph.world.sandbox.shutdown().await;
}

/// Lists of policies and owners apply a supported filter and refuse an unsupported one.
#[tokio::test]
async fn policies_and_owners_respect_filters() {
    let graph = Graph::start().await;
    let policies = "/policies/appManagementPolicies";
    for name in ["one", "two"] {
        let made = graph.post(policies, &json!({"displayName": name})).await;
        let reference =
            json!({"@odata.id": format!("{GRAPH}/v1.0{policies}/{}", made.body["id"].as_str().unwrap())});
        let assign = format!("{}/appManagementPolicies/$ref", graph.path(0));
        assert_eq!(graph.post(&assign, &reference).await.status, StatusCode::NO_CONTENT);
    }
    let tenant = graph.world.sandbox.model().tenant();
    let owners = format!("{}/owners", graph.path(0));
    let assigned = format!("{}/appManagementPolicies", graph.path(0));
    for (path, filter, expected) in [
        (policies, "displayName eq 'two'".to_owned(), vec!["two"]),
        (&assigned, "displayName eq 'two'".to_owned(), vec!["two"]),
        (&assigned, "displayName eq 'one'".to_owned(), vec![]),
        (&owners, format!("id eq '{}'", tenant.daemon.object_id), vec!["rekeyd"]),
        (&owners, format!("id eq '{}'", tenant.client.object_id), vec![]),
    ] {
        assert_eq!(names(&graph, &format!("{path}?$filter={filter}")).await, expected, "{path} {filter}");
    }
    for path in [policies, &assigned, &owners] {
        let refused = graph.get(&format!("{path}?$filter=colour eq 'red'")).await;
        assert_eq!(refused.refusal(), (400, "Request_UnsupportedQuery"), "{path}");
        let unknown = graph.get(&format!("{path}?$filter=id eq '1' or id eq '2'")).await;
        assert_eq!(unknown.refusal(), (501, "NotModelledBySandbox"), "{path}");
    }
    graph.world.sandbox.shutdown().await;
}
