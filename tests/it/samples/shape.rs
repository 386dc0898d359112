//! The comparison of the shape of an answer, its keys and types, with that of a sample. Most values don't count.

use serde_json::Value;

/// Lists the differences of an answer from the shape of a sample,
/// one line each: `missing`, `added` or `type`, and the path.
///
/// A shape has the name of a type (`string`, `number`, `boolean`, `null`) in place of each value and one element in
/// each list; an empty list means that elements are not compared. Values that programs depend on, such as error codes,
/// are given behind `=`.
pub(super) fn differences(shape: &Value, answer: &Value) -> Vec<String> {
    let mut found = Vec::new();
    compare(shape, answer, "", &mut found);
    found.sort();
    found.dedup();
    found
}

fn compare(shape: &Value, answer: &Value, path: &str, found: &mut Vec<String>) {
    match (shape, answer) {
        (Value::Object(wanted), Value::Object(given)) => {
            let missing = wanted.keys().filter(|key| !given.contains_key(*key));
            found.extend(missing.map(|key| format!("missing {path}/{key}")));
            for (key, value) in given {
                match wanted.get(key) {
                    Some(shape) => compare(shape, value, &format!("{path}/{key}"), found),
                    None => found.push(format!("added {path}/{key}")),
                }
            }
        }
        (Value::Array(wanted), Value::Array(given)) => {
            if given.is_empty() && !wanted.is_empty() {
                found.push(format!("missing {path}/0"));
            }
            if let Some(shape) = wanted.first() {
                for value in given {
                    compare(shape, value, &format!("{path}/0"), found);
                }
            }
        }
        (Value::String(wanted), _) if fits(wanted, answer) => {}
        _ => found.push(format!("type {path}: {}, not {shape}", type_of(answer))),
    }
}

/// Returns true if the answer has the wanted type, or the very value behind `=`.
fn fits(wanted: &str, answer: &Value) -> bool {
    match (wanted.strip_prefix('='), answer) {
        (None, _) => wanted == type_of(answer),
        (Some(wanted), Value::String(text)) => text == wanted,
        (Some(wanted), Value::Number(number)) => number.to_string() == wanted,
        (Some(_), _) => false,
    }
}

fn type_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

/// A shape compares keys and types, but values only where it fixes one.
#[test]
fn shapes_compare_keys_and_types() {
    let shape = serde_json::json!({"id": "string", "code": "=7", "at": {"exp": "number"}, "value": [{"a": "null"}], "more": []});
    let same =
        serde_json::json!({"id": "x", "code": 7, "at": {"exp": 1}, "value": [{"a": null}], "more": [1]});
    assert_eq!(differences(&shape, &same), Vec::<String>::new());
    let other = serde_json::json!({"id": 1, "code": "8", "at": {}, "value": [{"a": "b"}, {"a": null, "c": 1}], "more": {}});
    let expected = [
        "added /value/0/c",
        "missing /at/exp",
        "type /code: string, not \"=7\"",
        "type /id: number, not \"string\"",
        "type /more: object, not []",
        "type /value/0/a: string, not \"null\"",
    ];
    assert_eq!(differences(&shape, &other), expected);
}
