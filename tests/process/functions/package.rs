//! The package: the handler serves exactly the declared functions. Its files are those of `deploy/functions`, or of a
//! package made of them.

use std::path::{Path, PathBuf};

use reqwest::StatusCode;
use serde_json::{Map, Value, json};

use super::host::{Answer, Handler};
use super::{ALONE, BRIEF, configured, due, is_under_way, message, near_expiry, parts, sandbox, timer};
use crate::support::{PATIENCE, eventually, variable};

/// Every function of the package is served under its name and reads its data by the binding's name.
#[tokio::test]
async fn every_packaged_function_is_served() {
    let azure = sandbox(&["--propagation", "0s..1s"]).await;
    let handler = Handler::start(&azure, &BRIEF).await;
    let secret = configured(&azure).remove(0);
    let functions = functions();
    let names: Vec<_> = functions.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["KeyVaultEvents", "KeyVaultQueue", "Rotate", "Sweep"]);
    for (name, bindings) in &functions {
        let trigger = binding(bindings, "in");
        let (kind, data) = (text(trigger, "type"), data_of(text(trigger, "type"), &secret));
        // With two data the handler has to go by the binding's name.
        let data = json!({text(trigger, "name"): data, "another": "text"});
        let answer = handler.host.invoke(name, data).await;
        assert_eq!(answer.status, StatusCode::OK, "{name}: {answer:?}");
        assert!(is_done(&answer, kind, bindings, &secret), "{name}: {answer:?}");
    }
}

/// The route that the package declares for `Rotate` is served if the host forwards requests, and requires a key.
#[tokio::test]
async fn packaged_route_is_served_when_forwarded() {
    let azure = sandbox(&["--propagation", "0s..1s"]).await;
    let handler = Handler::start(&azure, &BRIEF).await;
    let [vault, name] = parts(&configured(&azure).remove(0));
    let (_, bindings) = functions().into_iter().find(|(name, _)| name == "Rotate").unwrap();
    let trigger = binding(&bindings, "in");
    assert_eq!(trigger.pointer("/methods"), Some(&json!(["post"])));
    assert_eq!(text(trigger, "authLevel"), "function", "a host refuses requests without a key");
    let prefix = text(host_json().pointer("/extensions/http").unwrap(), "routePrefix").to_owned();
    let route = text(trigger, "route").replace("{vault?}", &vault).replace("{name?}", &name);
    let (status, answer) = handler.host.forward(&format!("/{prefix}/{route}"), "").await;
    assert_eq!(status, StatusCode::ACCEPTED, "/{prefix}/{route}: {answer}");
}

/// The command in the package's `host.json` starts the handler with the package's own example settings.
#[tokio::test]
async fn packaged_command_and_settings_start_the_handler() {
    let azure = sandbox(&["--propagation", "0s..1s"]).await;
    let settings = settings();
    let own: Vec<(&str, &str)> =
        settings.iter().map(|(name, value)| (name.as_str(), value.as_str().unwrap())).collect();
    assert!(own.iter().any(|(name, _)| *name == "REKEYD_CONFIG"), "{own:?}");
    let config = azure.file("rekeyd.toml");
    let here = [("REKEYD_CONFIG", config.to_str().unwrap())];

    let host = host_json();
    let command = host.pointer("/customHandler/description").unwrap();
    assert_eq!(text(command, "defaultExecutablePath"), "rekeyd");
    let arguments = command.pointer("/arguments").and_then(Value::as_array).unwrap();
    let arguments: Vec<_> = arguments.iter().map(|argument| argument.as_str().unwrap()).collect();
    let handler = Handler::start_as(&azure, &arguments, &[&own[..], &here, &BRIEF].concat()).await;
    let answer = handler.host.invoke("Sweep", timer(&Value::Null, false)).await;
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
}

/// A second instance answers invocations while the first one drains, and no credential is left behind.
#[tokio::test]
async fn second_start_answers_while_first_drains() {
    let azure = sandbox(&["--propagation", "4s..18s", "--seed", "3"]).await;
    let environment = [&ALONE[..], &BRIEF].concat();
    let mut first = Handler::start(&azure, &environment).await;
    let due = due(&azure).await.remove(0);
    assert_eq!(first.host.invoke("KeyVaultQueue", message(&due)).await.status, StatusCode::OK);
    is_under_way(&azure).await;
    first.process.terminate();
    let second = Handler::start(&azure, &environment).await;
    let quiet = json!({"message": message(&configured(&azure).remove(0)).pointer("/message")});
    let answer = second.host.invoke("KeyVaultQueue", quiet).await;
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    let status = eventually("the first one ends", PATIENCE, async || first.process.ended()).await;
    assert_eq!(status.code(), Some(0), "{}", first.process.printed());
    let state = azure.state().await;
    assert_eq!((state.unpublished().count(), state.consumers.failures), (0, 0), "{}", azure.printed());
}

/// The example settings have every setting that the binding of the queue trigger names.
#[test]
fn example_has_every_bound_setting() {
    let settings = settings();
    let (_, bindings) = functions().into_iter().find(|(name, _)| name == "KeyVaultQueue").unwrap();
    let trigger = binding(&bindings, "in");
    let queue = text(trigger, "queueName").trim_matches('%');
    assert!(settings.contains_key(queue), "{queue}");
    let service = format!("{}__queueServiceUri", text(trigger, "connection"));
    assert!(settings.contains_key(&service), "{service}");
}

/// The host's function timeout is longer than the handler's default budget.
#[test]
fn host_timeout_exceeds_the_handler_budget() {
    let timeout = text(&host_json(), "functionTimeout").to_owned();
    let [hours, minutes, seconds] = numbers(&timeout, ':')[..] else { panic!("{timeout}") };
    let reference = std::fs::read_to_string(checkout().join("config/rekeyd.toml")).unwrap();
    let budget = reference.lines().find_map(|line| line.strip_prefix("# budget = \"")).unwrap();
    let [budget] = numbers(budget.trim_end_matches("m\""), ' ')[..] else { panic!("{budget}") };
    assert!(hours * 3_600 + minutes * 60 + seconds > budget * 60, "{timeout}");
    let (_, bindings) = functions().into_iter().find(|(name, _)| name == "Sweep").unwrap();
    let schedule = text(binding(&bindings, "in"), "schedule").to_owned();
    assert_eq!(schedule.split(' ').count(), 6, "seconds come first: {schedule}");
}

/// Returns the data for a trigger of this type.
fn data_of(kind: &str, secret: &str) -> Value {
    let [vault, name] = parts(secret);
    match kind {
        "eventGridTrigger" => near_expiry(secret),
        "queueTrigger" => message(secret).pointer("/message").unwrap().clone(),
        "timerTrigger" => timer(&Value::Null, true).pointer("/timer").unwrap().clone(),
        "httpTrigger" => json!({"Method": "POST", "Query": {}, "Params": {"vault": vault, "name": name}}),
        _ => panic!("{kind} is not a trigger of ours"),
    }
}

/// Returns true if the answer shows that the trigger's data was read.
fn is_done(answer: &Answer, kind: &str, bindings: &[Value], secret: &str) -> bool {
    match kind {
        "timerTrigger" => answer.log().starts_with("swept (late)"),
        "httpTrigger" => {
            let output = text(binding(bindings, "out"), "name");
            answer.output(output).pointer("/statusCode") == Some(&"202".into())
        }
        _ => answer.log().contains(&format!("enqueued {secret}")),
    }
}

/// Returns each folder with a `function.json`, by name, and its bindings.
fn functions() -> Vec<(String, Vec<Value>)> {
    let folders = std::fs::read_dir(package()).unwrap().map(|entry| entry.unwrap().path());
    let mut functions: Vec<_> = folders
        .filter(|folder| folder.is_dir())
        .map(|folder| {
            let name = folder.file_name().unwrap().to_str().unwrap().to_owned();
            let file = json_of(&package().join(&name).join("function.json"));
            (name, file.pointer("/bindings").and_then(Value::as_array).unwrap().clone())
        })
        .collect();
    functions.sort_by(|(one, _), (other, _)| one.cmp(other));
    functions
}

fn binding<'a>(bindings: &'a [Value], direction: &str) -> &'a Value {
    let mut found = bindings.iter().filter(|binding| text(binding, "direction") == direction);
    let only = found.next().unwrap();
    assert_eq!(found.next(), None, "there is one binding of each direction");
    only
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value.get(key).and_then(Value::as_str).unwrap_or_else(|| panic!("{key} in {value}"))
}

fn numbers(text: &str, separator: char) -> Vec<u32> {
    text.split(separator).map(|number| number.parse().unwrap()).collect()
}

fn host_json() -> Value {
    json_of(&package().join("host.json"))
}

/// Returns the example settings, which are not packed.
fn settings() -> Map<String, Value> {
    let file = json_of(&checkout().join("deploy/functions/local.settings.json.example"));
    file.pointer("/Values").and_then(Value::as_object).unwrap().clone()
}

fn json_of(file: &Path) -> Value {
    serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap()
}

fn package() -> PathBuf {
    variable("REKEYD_PACKAGE").map_or_else(|| checkout().join("deploy/functions"), PathBuf::from)
}

fn checkout() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}
