//! `$filter`, as far as it is supported: single conditions, also several with `and`.

use serde_json::Value;
use uuid::Uuid;

/// A condition on one property.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Condition {
    property: String,
    wanted: Wanted,
}

#[derive(Debug, PartialEq, Eq)]
enum Wanted {
    OneOf(Vec<String>),
    Beginning(String),
    /// One of a list's elements.
    Element(String),
}

/// A token of a filter.
#[derive(Debug, PartialEq, Eq)]
enum Token {
    Word(String),
    Text(String),
    Sign(char),
}

/// The reason for which a filter can't be used.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Problem {
    /// Graph rejects it at this property.
    Unsupported(String),
    /// Graph supports it, the sandbox doesn't.
    NotModelled,
}

/// Returns all conditions of a filter on these properties.
///
/// # Errors
/// The reason for which there are none.
pub(super) fn parse(filter: &str, properties: &[&str]) -> Result<Vec<Condition>, Problem> {
    let tokens = tokens(filter).ok_or_else(|| Problem::Unsupported(filter.to_owned()))?;
    let conditions = tokens.split(|token| is_word(token, "and")).map(|part| condition(part, properties));
    conditions.collect::<Result<_, _>>().map_err(|property| {
        if is_only_graphs(&tokens) { Problem::NotModelled } else { Problem::Unsupported(property) }
    })
}

fn is_word(token: &Token, wanted: &str) -> bool {
    matches!(token, Token::Word(word) if word.eq_ignore_ascii_case(wanted))
}

/// Returns true if it contains anything that Graph supports besides single conditions: `or`, `not`, brackets around
/// conditions, functions. `contains` is not one that Graph's directory supports.
fn is_only_graphs(tokens: &[Token]) -> bool {
    let functions =
        ["endswith", "tags/any", "tags/all", "tags/$count", "identifierUris/any", "owners/$count"];
    let mut before = None;
    tokens.iter().any(|token| {
        let before = before.replace(token);
        let opens_group = *token == Token::Sign('(')
            && before.is_none_or(|before| {
                *before == Token::Sign('(') || ["and", "or", "not"].iter().any(|word| is_word(before, word))
            });
        opens_group || functions.iter().chain(&["or", "not"]).any(|word| is_word(token, word))
    })
}

/// Returns the client id, which only one object can have, if the filter asks for one.
pub(super) fn client_id(conditions: &[Condition]) -> Option<Uuid> {
    conditions.iter().find_map(|condition| match &condition.wanted {
        Wanted::OneOf(ids) if condition.property == "appId" => {
            let [id] = ids.as_slice() else { return None };
            Some(Uuid::try_parse(id).unwrap_or_default())
        }
        Wanted::OneOf(_) | Wanted::Beginning(_) | Wanted::Element(_) => None,
    })
}

impl Condition {
    /// Returns true if the object meets the condition. Directories are not case-sensitive.
    pub(super) fn holds(&self, object: &Value) -> bool {
        let Some(value) = object.get(&self.property) else { return false };
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        match &self.wanted {
            Wanted::OneOf(texts) => texts.iter().any(|wanted| wanted.eq_ignore_ascii_case(&text)),
            Wanted::Beginning(start) => text.to_lowercase().starts_with(&start.to_lowercase()),
            Wanted::Element(element) => value.as_array().is_some_and(|elements| {
                elements.iter().filter_map(Value::as_str).any(|found| found.eq_ignore_ascii_case(element))
            }),
        }
    }
}

fn condition(tokens: &[Token], properties: &[&str]) -> Result<Condition, String> {
    use Token::{Sign, Text, Word};
    let is = |word: &str, wanted: &str| word.eq_ignore_ascii_case(wanted);
    let known = |property: &str, wanted: Wanted| {
        let found = properties.iter().find(|known| is(known, property));
        let property = (*found.ok_or_else(|| property.to_owned())?).to_owned();
        Ok(Condition { property, wanted })
    };
    match tokens {
        [Word(property), Word(eq), Text(text)] if is(eq, "eq") && !is(property, "tags") => {
            known(property, Wanted::OneOf(vec![text.clone()]))
        }
        [Word(property), Word(word), Sign('('), list @ .., Sign(')')] if is(word, "in") => {
            known(property, Wanted::OneOf(texts(list).ok_or_else(|| property.clone())?))
        }
        [Word(function), Sign('('), Word(property), Sign(','), Text(text), Sign(')')]
            if is(function, "startswith") && is(property, "displayName") =>
        {
            known(property, Wanted::Beginning(text.clone()))
        }
        [Word(any), Sign('('), Word(name), Sign(':'), Word(same), Word(eq), Text(text), Sign(')')]
            if is(any, "tags/any") && name == same && is(eq, "eq") =>
        {
            known("tags", Wanted::Element(text.clone()))
        }
        _ => Err(first_property(tokens)),
    }
}

/// Parses texts separated by commas.
fn texts(tokens: &[Token]) -> Option<Vec<String>> {
    let mut texts = Vec::new();
    for (index, token) in tokens.iter().enumerate() {
        match token {
            Token::Text(text) if index % 2 == 0 => texts.push(text.clone()),
            Token::Sign(',') if index % 2 == 1 => {}
            Token::Text(_) | Token::Sign(_) | Token::Word(_) => return None,
        }
    }
    (tokens.len() % 2 == 1).then_some(texts)
}

/// Returns the property to name in a message: the one within a function's brackets, or the first word.
fn first_property(tokens: &[Token]) -> String {
    let word = |token: &Token| match token {
        Token::Word(word) => Some(word.clone()),
        Token::Text(_) | Token::Sign(_) => None,
    };
    let inside = match tokens {
        [Token::Word(_), Token::Sign('('), Token::Word(inside), Token::Sign(','), ..] => Some(inside.clone()),
        _ => None,
    };
    inside.or_else(|| tokens.iter().find_map(word)).unwrap_or_default()
}

/// Splits a filter into tokens; `None` if a text doesn't end.
fn tokens(filter: &str) -> Option<Vec<Token>> {
    let (mut rest, mut tokens) = (filter.trim_start(), Vec::new());
    while let Some(first) = rest.chars().next() {
        if first == '\'' {
            let (text, after) = quoted(rest.get(1..)?)?;
            tokens.push(Token::Text(text));
            rest = after;
        } else if "(),:".contains(first) {
            tokens.push(Token::Sign(first));
            rest = rest.get(1..)?;
        } else {
            let end = rest.find(|sign: char| "(),:'".contains(sign) || sign.is_whitespace());
            let (word, after) = rest.split_at(end.unwrap_or(rest.len()));
            tokens.push(Token::Word(word.to_owned()));
            rest = after;
        }
        rest = rest.trim_start();
    }
    Some(tokens)
}

/// Reads up to the closing quote; two quotes stand for one.
fn quoted(rest: &str) -> Option<(String, &str)> {
    let mut text = String::new();
    let mut rest = rest;
    loop {
        let (part, after) = rest.split_once('\'')?;
        text.push_str(part);
        match after.strip_prefix('\'') {
            Some(after) => {
                text.push('\'');
                rest = after;
            }
            None => return Some((text, after)),
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may stop here")]
mod tests {
    use serde_json::json;

    use super::*;

    const PROPERTIES: [&str; 4] = ["id", "appId", "displayName", "tags"];

    fn holds(filter: &str) -> bool {
        let object = json!({"id": "7", "appId": "a", "displayName": "It's (one)", "tags": ["x y", "z"]});
        parse(filter, &PROPERTIES).unwrap().iter().all(|condition| condition.holds(&object))
    }

    /// A filter's conditions match regardless of letter case and extra spaces.
    #[test]
    fn conditions_ignore_case_and_spaces() {
        for filter in [
            "displayName eq 'it''s (one)'",
            "id in ('6','7')",
            "id in('7')",
            "startswith(displayName,'IT')",
            " startsWith( displayName , 'It''s (o' )",
            "tags/any(t:t eq 'z')",
            "tags/any(tag: tag eq 'X y') and APPID EQ 'A'",
        ] {
            assert!(holds(filter), "{filter}");
        }
        for filter in ["id eq '8'", "id in ('6')", "startswith(displayName,'t')", "tags/any(t:t eq 'x')"] {
            assert!(!holds(filter), "{filter}");
        }
        assert!(!holds("id eq '7' and appId eq 'b'"));
    }

    #[test]
    fn what_is_not_understood_names_the_property() {
        for (filter, property) in [
            ("displayName ne 'x'", "displayName"),
            ("publisherDomain eq 'x'", "publisherDomain"),
            ("startswith(appId,'x')", "appId"),
            ("contains(displayName,'x')", "displayName"),
            ("displayName eq 'or' and displayName ne 'not'", "displayName"),
            ("tags eq 'x'", "tags"),
            ("id in ()", "id"),
            ("id in ('a' 'b')", "id"),
            ("id eq 'a", "id eq 'a"),
            ("id eq 7", "id"),
        ] {
            let refused = Problem::Unsupported(property.to_owned());
            assert_eq!(parse(filter, &PROPERTIES).unwrap_err(), refused, "{filter}");
        }
    }

    /// A filter that Graph supports but the sandbox does not is reported as `NotModelled`, not as invalid.
    #[test]
    fn valid_unsupported_filter_is_not_modelled() {
        for filter in [
            "id eq '1' or id eq '2'",
            "not(id eq '1')",
            "not startswith(displayName,'x')",
            "(id eq '1')",
            "id eq '1' and (appId eq '2' and id eq '3')",
            "endswith(displayName,'x')",
            "tags/any(t:startswith(t,'x'))",
            "tags/$count eq 0",
        ] {
            assert_eq!(parse(filter, &PROPERTIES).unwrap_err(), Problem::NotModelled, "{filter}");
        }
    }

    #[test]
    fn a_single_client_id_is_found_out() {
        let id = Uuid::from_u128(7);
        let filter = format!("startswith(displayName,'x') and appId eq '{id}'");
        assert_eq!(client_id(&parse(&filter, &PROPERTIES).unwrap()), Some(id));
        assert_eq!(client_id(&parse("appId in ('a','b')", &PROPERTIES).unwrap()), None);
    }
}
