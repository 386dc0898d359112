//! The description of the API: valid for strict tools, with closed sets as enums, and complete about errors.

use std::collections::BTreeSet;

use rekeyd::domain::{BlockReason, CommandKind, SecretState, WaitReason};
use rekeyd::http::{ProblemType, describe};
use serde_json::{Map, Value};

fn description() -> Value {
    serde_json::from_str(&describe().unwrap()).unwrap()
}

/// Returns each operation of the description, by its method and path.
fn operations(description: &Value) -> Vec<(String, &Value)> {
    let paths = description["paths"].as_object().unwrap();
    let operations = paths.iter().flat_map(|(path, item)| {
        let methods = item.as_object().unwrap().iter();
        methods.map(move |(method, operation)| (format!("{method} {path}"), operation))
    });
    operations.collect()
}

fn responses(operation: &Value) -> &Map<String, Value> {
    operation["responses"].as_object().unwrap()
}

fn labels<'a>(description: &'a Value, schema: &str) -> BTreeSet<&'a str> {
    let labels = description["components"]["schemas"][schema]["enum"].as_array().unwrap();
    let unique: BTreeSet<_> = labels.iter().map(|label| label.as_str().unwrap()).collect();
    assert_eq!(unique.len(), labels.len(), "{schema} has a label twice");
    unique
}

/// No operation has two parameters of the same name in the same place, and each has an id, a summary and a tag.
#[test]
fn parameters_are_unique() {
    let description = description();
    let operations = operations(&description);
    assert_eq!(operations.len(), 12, "{operations:?}");
    for (name, operation) in operations {
        let parameters = operation["parameters"].as_array().map_or(&[][..], Vec::as_slice);
        let keys = parameters.iter().map(|parameter| (parameter["name"].as_str(), parameter["in"].as_str()));
        assert_eq!(keys.collect::<BTreeSet<_>>().len(), parameters.len(), "{name} has a parameter twice");
        let in_path = parameters.iter().filter(|parameter| parameter["in"] == "path").count();
        assert_eq!(in_path, name.matches('{').count(), "{name}");
        for member in ["operationId", "summary", "tags"] {
            assert!(!operation[member].is_null(), "{name} has no {member}");
        }
    }
}

/// The body of a command is optional, and its schema is a plain reference.
#[test]
fn bodies_are_optional_references() {
    let description = description();
    let bodies =
        operations(&description).into_iter().filter(|(_, operation)| !operation["requestBody"].is_null());
    let bodies: Vec<_> = bodies.map(|(_, operation)| &operation["requestBody"]).collect();
    assert_eq!(bodies.len(), CommandKind::LABELS.len());
    for body in bodies {
        assert_eq!(body["required"], false, "{body}");
        let schema = body["content"]["application/json"]["schema"].as_object().unwrap();
        assert_eq!(schema.keys().collect::<Vec<_>>(), ["$ref"], "{body}");
    }
}

/// Members and parameters of closed sets refer to enums that have every label.
#[test]
fn closed_sets_are_enums() {
    let description = description();
    let schemas = &description["components"]["schemas"];
    for (schema, member, set) in [
        ("Secret", "state", "SecretState"),
        ("Secret", "reason", "StatusReason"),
        ("Secret", "origin", "Origin"),
        ("Operation", "command", "CommandKind"),
        ("Operation", "state", "OperationState"),
        ("Operation", "secret_state", "SecretState"),
        ("Operation", "reason", "StatusReason"),
        ("LastCommand", "kind", "CommandKind"),
        ("LastCommand", "outcome", "CommandOutcome"),
        ("PendingCommand", "kind", "CommandKind"),
        ("Replica", "state", "ReplicaState"),
        ("LastOutcome", "action", "ActionKind"),
        ("LastOutcome", "outcome", "ActionOutcome"),
        ("Problem", "type", "ProblemType"),
    ] {
        let reference = &schemas[schema]["properties"][member]["$ref"];
        assert_eq!(reference, &format!("#/components/schemas/{set}"), "{schema}.{member}");
        assert!(labels(&description, set).len() > 1, "{set}");
    }
    assert_eq!(labels(&description, "SecretState"), SecretState::ALL.map(SecretState::label).into());
    let reasons = labels(&description, "StatusReason");
    let waiting = WaitReason::ALL.iter().map(|reason| reason.label());
    let blocked = BlockReason::ALL.iter().map(|reason| reason.label());
    let missing: Vec<_> = waiting.chain(blocked).filter(|label| !reasons.contains(label)).collect();
    assert!(missing.is_empty() && reasons.contains("not_reconciled_yet"), "{missing:?}");
}

/// The query parameters of the list of secrets have the values that the server accepts.
#[test]
fn query_parameters_are_enums() {
    let description = description();
    let parameters = description["paths"]["/api/v1/secrets"]["get"]["parameters"].as_array().unwrap();
    let schema =
        |name: &str| &parameters.iter().find(|parameter| parameter["name"] == name).unwrap()["schema"];
    assert_eq!(schema("state")["$ref"], "#/components/schemas/SecretState");
    assert_eq!(schema("sort")["enum"].as_array().unwrap().len(), 8);
}

/// Members that are always sent are required, also those that may be null.
#[test]
fn every_member_is_required() {
    let description = description();
    for (name, schema) in description["components"]["schemas"].as_object().unwrap() {
        let is_body = ["EmptyBody", "CompromisedBody"].contains(&name.as_str());
        let Some(properties) = schema["properties"].as_object().filter(|_| !is_body) else { continue };
        let required: BTreeSet<_> =
            schema["required"].as_array().unwrap().iter().map(|member| member.as_str().unwrap()).collect();
        assert_eq!(required, properties.keys().map(String::as_str).collect(), "{name}");
    }
}

/// Each error is a problem, and each response describes the headers that belong to its status.
#[test]
fn errors_are_problems_with_headers() {
    let description = description();
    for (name, operation) in operations(&description) {
        let responses = responses(operation);
        for (status, response) in responses {
            let header = match status.as_str() {
                "202" => Some("Location"),
                "401" => Some("WWW-Authenticate"),
                "429" | "503" => Some("Retry-After"),
                _ => None,
            };
            let is_described = |header| response["headers"][header]["description"].is_string();
            assert!(header.is_none_or(is_described), "{name} {status} lacks {header:?}");
            let is_error = status.starts_with(['4', '5']);
            let schema = &response["content"]["application/problem+json"]["schema"]["$ref"];
            assert_eq!(schema == "#/components/schemas/Problem", is_error, "{name} {status}");
        }
        for status in ["401", "403", "429", "500", "503"] {
            assert!(responses.contains_key(status), "{name} lacks {status}");
        }
    }
}

/// The types of problems are distinct URNs.
#[test]
fn problem_types_are_urns() {
    let description = description();
    let types = labels(&description, "ProblemType");
    assert_eq!(types.len(), ProblemType::ALL.len());
    assert!(types.contains("urn:rekeyd:problem:not-managed"), "{types:?}");
    for urn in types {
        let name = urn.strip_prefix("urn:rekeyd:problem:").unwrap_or_default();
        let is_a_name =
            !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-');
        assert!(is_a_name, "{urn}");
    }
}
