//! What is asked of a request before anybody else hears of it: pure checks of its head.

use std::net::IpAddr;

use adjutant_api::ErrorCode;
use adjutant_api::methods::METHODS;
use adjutant_api::protocol::GATEWAY_HEADER;
use axum::http::header::{AUTHORIZATION, HOST, ORIGIN};
use axum::http::{HeaderMap, Method, Uri};

use crate::http::error::Failure;

/// Names under which a gateway is called from its own machine and from a container on it.
const NAMES: [&str; 2] = ["localhost", "host.docker.internal"];

/// Longest token that is looked at, in bytes.
const TOKEN_BYTES_MAX: usize = 512;

/// Refuses a request that a web page could have made, or that was meant for another name: a page that has made its own name
/// point here says that name.
pub(super) fn check_origin(
    headers: &HeaderMap,
    uri: &Uri,
    hosts: &[String],
    bound: Option<IpAddr>,
) -> Result<(), Failure> {
    if headers.contains_key(ORIGIN) || headers.get("sec-fetch-site").is_some_and(|site| site != "none") {
        return Err(Failure::new(ErrorCode::Forbidden, "calls from web pages are not answered"));
    }
    if headers.contains_key(GATEWAY_HEADER) {
        return Err(Failure::new(ErrorCode::Forbidden, "a gateway passes on no calls of another gateway"));
    }
    let mut named = headers.get_all(HOST).iter();
    let (Some(host), None) = (named.next(), named.next()) else {
        return Err(Failure::new(ErrorCode::Forbidden, "a request has one `Host` header"));
    };
    let host = host.to_str().unwrap_or_default();
    let accepted = |host: &str| is_accepted(name_of(host), hosts, bound);
    match accepted(host) && uri.authority().is_none_or(|authority| accepted(authority.as_str())) {
        true => Ok(()),
        false => {
            let shown: String = host.chars().filter(|c| !c.is_control()).take(100).collect();
            let message = format!("calls to the name `{shown}` are not answered");
            Err(Failure::new(ErrorCode::Forbidden, message).with_hint("add it to `gateway.hosts` in the configuration"))
        }
    }
}

/// The name in a `Host` header, without its port.
fn name_of(host: &str) -> &str {
    match host.strip_prefix('[') {
        Some(rest) => rest.split_once(']').map_or("", |(name, _)| name),
        None => host.rsplit_once(':').map_or(host, |(name, _)| name),
    }
}

fn is_accepted(name: &str, hosts: &[String], bound: Option<IpAddr>) -> bool {
    let named = |known: &str| known.eq_ignore_ascii_case(name);
    NAMES.iter().any(|known| named(known))
        || hosts.iter().any(|known| named(known))
        || bound.is_some_and(|bound| name.parse::<IpAddr>().is_ok_and(|named| named.to_canonical() == bound))
}

/// The token of a request.
pub(super) fn token(headers: &HeaderMap) -> Result<&str, Failure> {
    let mut given = headers.get_all(AUTHORIZATION).iter();
    let missing = || {
        Failure::new(ErrorCode::Unauthorized, "a request needs `Authorization: Bearer <token>`")
            .with_hint("adj gateway token create")
    };
    let (Some(value), None) = (given.next(), given.next()) else { return Err(missing()) };
    let token = value.to_str().ok().and_then(|text| text.strip_prefix("Bearer ")).ok_or_else(missing)?;
    match !token.is_empty() && token.len() <= TOKEN_BYTES_MAX {
        true => Ok(token),
        false => Err(missing()),
    }
}

/// The name of the method that a request calls, for a line of the log: nothing of what a caller writes stands there.
pub(super) fn method_of(verb: &Method, path: &str) -> &'static str {
    let parts: Vec<&str> = path.split('/').collect();
    let fits = |known: &str| {
        let known: Vec<&str> = known.split('/').collect();
        known.len() == parts.len() && known.iter().zip(&parts).all(|(k, p)| k.starts_with('{') || k == p)
    };
    let of_table = METHODS.iter().filter(|method| method.verb.as_str() == verb.as_str() && fits(method.path));
    // A fixed part wins over a parameter.
    of_table.min_by_key(|method| method.parameters().count()).map_or("-", |method| method.name)
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn checked(pairs: &[(&'static str, &str)], uri: &str) -> bool {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(*name, HeaderValue::from_str(value).unwrap());
        }
        check_origin(&headers, &uri.parse().unwrap(), &["box.lan".to_owned()], Some([127, 0, 0, 1].into())).is_ok()
    }

    #[test]
    fn h2_only_names_of_the_gateway_itself_are_answered() {
        for good in [
            "127.0.0.1",
            "127.0.0.1:6767",
            "[::ffff:127.0.0.1]:6767",
            "localhost:1",
            "LocalHost",
            "host.docker.internal:6767",
            "BOX.lan",
        ] {
            assert!(checked(&[("host", good)], "/v1/health"), "{good}");
        }
        let bad = [
            "evil.example",
            "127.0.0.1.evil.example",
            "localhost.evil.example:6767",
            "",
            "127.0.0.2",
            "[::1]",
            "[::ffff:127.0.0.2]",
            "a:b:c",
        ];
        for bad in bad {
            assert!(!checked(&[("host", bad)], "/v1/health"), "{bad}");
        }
        assert!(!checked(&[], "/v1/health"));
        assert!(!checked(&[("host", "localhost"), ("host", "evil.example")], "/v1/health"));
        assert!(!checked(&[("host", "localhost")], "http://evil.example/v1/health"));
    }

    #[test]
    fn h2_nothing_that_a_web_page_sends_is_answered() {
        assert!(!checked(&[("host", "localhost"), ("origin", "http://localhost:6767")], "/"));
        assert!(!checked(&[("host", "localhost"), ("origin", "null")], "/"));
        assert!(!checked(&[("host", "localhost"), ("sec-fetch-site", "cross-site")], "/"));
        assert!(!checked(&[("host", "localhost"), ("adj-gateway", "x")], "/"));
    }

    #[test]
    fn a_token_comes_once_and_in_one_way() {
        let read = |values: &[&str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(AUTHORIZATION, HeaderValue::from_str(value).unwrap());
            }
            token(&headers).map(str::to_owned).ok()
        };
        assert_eq!(read(&["Bearer abc"]).as_deref(), Some("abc"));
        let long = format!("Bearer {}", "x".repeat(TOKEN_BYTES_MAX + 1));
        for bad in [&[][..], &["abc"], &["Bearer "], &["Basic abc"], &["Bearer a", "Bearer b"], &[&long]] {
            assert_eq!(read(bad), None);
        }
    }

    #[test]
    fn a_line_names_the_method_and_nothing_of_the_callers() {
        assert_eq!(method_of(&Method::POST, "/v1/sessions/kill"), "kill");
        assert_eq!(method_of(&Method::GET, "/v1/sessions/secret"), "status");
        assert_eq!(method_of(&Method::POST, "/v1/sessions/secret/messages"), "send");
        assert_eq!(method_of(&Method::GET, "/v1/secret"), "-");
    }
}
