//! Parsers of texts into types. Each error completes the sentence "… is "x", which is …".

use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use jiff::tz::TimeZone;
use tracing_subscriber::EnvFilter;
use url::{Host, Url};
use uuid::Uuid;

use super::cron::Cron;

pub(super) fn address(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| "not an IP address with a port (for example \"127.0.0.1:8080\")".to_owned())
}

pub(super) fn duration(text: &str) -> Result<Duration, String> {
    humantime::parse_duration(text).map_err(|_| "not a duration (for example \"90d\")".to_owned())
}

/// Parses a duration, as the domain's type.
pub(super) fn span(text: &str) -> Result<time::Duration, String> {
    time::Duration::try_from(duration(text)?).map_err(|_| "too long".to_owned())
}

pub(super) fn duration_within(bounds: RangeInclusive<Duration>) -> impl Fn(&str) -> Result<Duration, String> {
    move |text| {
        let value = duration(text)?;
        if bounds.contains(&value) {
            return Ok(value);
        }
        let least = humantime::format_duration(*bounds.start());
        let most = humantime::format_duration(*bounds.end());
        Err(format!("out of range ({least} to {most})"))
    }
}

pub(super) fn number_within<N>(bounds: RangeInclusive<N>) -> impl Fn(&str) -> Result<N, String>
where
    N: FromStr + PartialOrd + std::fmt::Display,
{
    move |text| {
        let value = text.parse::<N>().ok().filter(|value| bounds.contains(value));
        value.ok_or_else(|| format!("not a whole number from {} to {}", bounds.start(), bounds.end()))
    }
}

/// Returns a parser of one of the domain's names; its error is "not" followed by `expected`.
pub(super) fn name<T: FromStr>(expected: &'static str) -> impl Fn(&str) -> Result<T, String> {
    move |text| text.parse().map_err(|_| format!("not {expected}"))
}

pub(super) fn path(text: &str) -> Result<PathBuf, String> {
    if text.is_empty() { Err("not a path".to_owned()) } else { Ok(text.into()) }
}

/// Parses a text that is not blank.
pub(super) fn some_text(text: &str) -> Result<String, String> {
    if text.trim().is_empty() { Err("blank".to_owned()) } else { Ok(text.to_owned()) }
}

pub(super) fn guid(text: &str) -> Result<Uuid, String> {
    Uuid::parse_str(text).map_err(|_| "not a GUID".to_owned())
}

/// Returns a parser of one of a few words.
pub(super) fn one_of<T: Copy>(words: &'static [(&'static str, T)]) -> impl Fn(&str) -> Result<T, String> {
    move |text| {
        if let Some((_, value)) = words.iter().find(|(word, _)| *word == text) {
            return Ok(*value);
        }
        let known: Vec<_> = words.iter().map(|(word, _)| *word).collect();
        Err(format!("not one of {}", known.join(", ")))
    }
}

pub(super) fn https_url(text: &str) -> Result<Url, String> {
    let url = https_address(text)?;
    if url.query().is_some() { Err("a URL with a query or a fragment".to_owned()) } else { Ok(url) }
}

/// Parses a URL that may have a query.
pub(super) fn https_address(text: &str) -> Result<Url, String> {
    let url = Url::parse(text).map_err(|_| "not a URL (for example \"https://example.org\")".to_owned())?;
    let refusal = if url.scheme() != "https" {
        "not an https URL"
    } else if !url.username().is_empty() || url.password().is_some() {
        "a URL with a user"
    } else if url.fragment().is_some() {
        "a URL with a query or a fragment"
    } else {
        return Ok(url);
    };
    Err(refusal.to_owned())
}

/// Parses the URL of a whole service: nothing after the host and port.
pub(super) fn service_url(text: &str) -> Result<Url, String> {
    let url = https_url(text)?;
    if url.path() == "/" { Ok(url) } else { Err("a URL with a path, which must be left out".to_owned()) }
}

/// Returns true if a URL can only lead to this machine.
pub(super) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name.eq_ignore_ascii_case("localhost"),
        None => false,
    }
}

pub(super) fn tenant(text: &str) -> Result<String, String> {
    let is_guid = text.len() == 36 && uuid::Uuid::parse_str(text).is_ok();
    let is_domain = text.len() <= 253 && text.contains('.') && text.split('.').all(is_label);
    if is_guid || is_domain {
        Ok(text.to_owned())
    } else {
        Err("neither the GUID nor a domain name of a tenant".to_owned())
    }
}

fn is_label(text: &str) -> bool {
    (1..=63).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        && !text.starts_with('-')
        && !text.ends_with('-')
}

/// Parses a scope of the client-credentials flow, which has no other form.
pub(super) fn scope(text: &str) -> Result<String, String> {
    let resource = text.strip_suffix("/.default").unwrap_or_default();
    if !resource.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic()) {
        Ok(text.to_owned())
    } else {
        Err("not a scope that ends in /.default (for example \"https://graph.microsoft.com/.default\")"
            .to_owned())
    }
}

/// Parses a cron expression of five or six fields (the sixth, in front, is the seconds), and returns it with its text.
pub(super) fn cron(text: &str) -> Result<(Cron, String), String> {
    if !matches!(text.split_whitespace().count(), 5 | 6) {
        return Err("not a cron expression of five or six fields (for example \"0 3 * * *\")".to_owned());
    }
    let cron = text.parse::<Cron>().map_err(|cause| format!("not a cron expression: {cause}"))?;
    Ok((cron, text.to_owned()))
}

pub(super) fn time_zone(text: &str) -> Result<TimeZone, String> {
    TimeZone::get(text).map_err(|_| "not an IANA time zone (for example \"Europe/Berlin\")".to_owned())
}

pub(super) fn log_filter(text: &str) -> Result<String, String> {
    match EnvFilter::builder().parse(text) {
        Ok(_) => Ok(text.to_owned()),
        Err(cause) => Err(format!("not a log filter: {cause}")),
    }
}
