//! `$filter`, as far as it is understood: single conditions, also several with `and`.

use serde_json::Value;
use uuid::Uuid;

/// One thing that must hold.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Condition {
    property: String,
    wanted: Wanted,
}

#[derive(Debug, PartialEq, Eq)]
enum Wanted {
    OneOf(Vec<String>),
    Beginning(String),
    /// Of a list: one of its elements.
    Element(String),
}

/// What a filter is made of.
#[derive(Debug, PartialEq, Eq)]
enum Token {
    Word(String),
    Text(String),
    Sign(char),
}

/// All conditions of a filter on these properties.
///
/// # Errors
/// The property that stands where it is not understood.
pub(super) fn parse(filter: &str, properties: &[&str]) -> Result<Vec<Condition>, String> {
    let tokens = tokens(filter).ok_or_else(|| filter.to_owned())?;
    let is_and = |token: &Token| matches!(token, Token::Word(word) if word.eq_ignore_ascii_case("and"));
    tokens.split(is_and).map(|part| condition(part, properties)).collect()
}

/// The client id that only one object can have, if the filter asks for one.
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
    /// Directories don't tell case.
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

/// Texts with commas between them.
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

/// What a message can name: within a function's brackets, or in front.
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

/// `None` if a text doesn't end.
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

/// Up to the quote that ends it; two of them stand for one.
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

    #[test]
    fn conditions_hold_whatever_the_case_and_the_blanks() {
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
            ("id eq '1' or id eq '2'", "id"),
            ("publisherDomain eq 'x'", "publisherDomain"),
            ("startswith(appId,'x')", "appId"),
            ("endswith(displayName,'x')", "displayName"),
            ("tags eq 'x'", "tags"),
            ("id in ()", "id"),
            ("id in ('a' 'b')", "id"),
            ("id eq 'a", "id eq 'a"),
            ("id eq 7", "id"),
        ] {
            assert_eq!(parse(filter, &PROPERTIES).unwrap_err(), property, "{filter}");
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
