//! What will go, and how clients are told (RFC 9745, RFC 8594).

use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use time::format_description::well_known::{Iso8601, Rfc2822};
use time::{Date, Time};

/// What is promised.
pub(super) const POLICY: &str = "Within /v1 things are only added. An operation that is to go is marked here and in the OpenAPI document, \
                                 and its answers have Deprecation and Sunset headers, for at least twelve months before the release that drops it.";

/// An operation that will go.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Deprecated {
    /// Its method.
    pub method: &'static str,
    /// The pattern of its path.
    pub path: &'static str,
    /// Since when, `YYYY-MM-DD`.
    pub since: &'static str,
    /// After which day it may be gone.
    pub sunset: &'static str,
    /// What to use instead.
    pub instead: &'static str,
}

/// All of them: what [`super::Setup::deprecated`] is for.
pub const DEPRECATED: &[Deprecated] = &[];

/// The deprecation of an operation, if it has one.
pub(super) fn of<'a>(list: &'a [Deprecated], method: &str, path: &str) -> Option<&'a Deprecated> {
    list.iter().find(|one| one.method.eq_ignore_ascii_case(method) && one.path == path)
}

/// Tells the client.
pub(super) fn mark(deprecated: &Deprecated, headers: &mut HeaderMap) {
    let day = |text: &str| {
        Some(Date::parse(text, &Iso8601::DATE).ok()?.with_time(Time::MIDNIGHT).assume_utc())
    };
    if let Some(since) = day(deprecated.since) {
        // A date of RFC 9651: seconds since the epoch after an `@`.
        let value = HeaderValue::from_str(&format!("@{}", since.unix_timestamp()));
        headers.extend(value.ok().map(|value| (HeaderName::from_static("deprecation"), value)));
    }
    if let Some(sunset) = day(deprecated.sunset).and_then(|at| at.format(&Rfc2822).ok()) {
        let value = HeaderValue::from_str(&sunset.replace("+0000", "GMT"));
        headers.extend(value.ok().map(|value| (HeaderName::from_static("sunset"), value)));
    }
    let link = HeaderValue::from_static("</deprecations>; rel=\"deprecation\"");
    headers.append(header::LINK, link);
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIST: &[Deprecated] = &[Deprecated {
        method: "GET",
        path: "/v1/olds/{id}",
        since: "2026-11-28",
        sunset: "2027-12-01",
        instead: "Use /v1/news.",
    }];

    #[test]
    fn answers_of_what_will_go_say_since_when_until_when_and_where_to_read_on() {
        let mut headers = HeaderMap::new();
        mark(of(LIST, "get", "/v1/olds/{id}").unwrap(), &mut headers);
        assert_eq!(headers["deprecation"], "@1795824000");
        assert_eq!(headers["sunset"], "Wed, 01 Dec 2027 00:00:00 GMT");
        assert_eq!(headers["link"], "</deprecations>; rel=\"deprecation\"");
        assert!(
            of(LIST, "PUT", "/v1/olds/{id}").is_none() && of(LIST, "GET", "/v1/olds").is_none()
        );
    }

    #[test]
    fn what_is_deprecated_stays_for_at_least_a_year() {
        for one in DEPRECATED.iter().chain(LIST) {
            let day = |text| Date::parse(text, &Iso8601::DATE).unwrap();
            let days = (day(one.sunset) - day(one.since)).whole_days();
            assert!(days >= 365, "{} {}", one.method, one.path);
        }
    }
}
