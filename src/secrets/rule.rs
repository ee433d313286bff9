//! Which values of an env file are secret wherever they turn up. A file holds tokens beside ports
//! and host names, and nobody has said which is which: what could be any word is left alone.

use std::{net::IpAddr, net::SocketAddr, ops::Range};

/// A shorter one is too likely to stand anywhere by chance, in bytes.
const SHORTEST: usize = 8;

/// Whether a value is distinct enough to be masked wherever it turns up, though nobody has declared
/// it a secret.
pub(super) fn is_distinct(value: &str) -> bool {
    value.len() >= SHORTEST
        && !value.chars().all(char::is_alphabetic)
        && !is_number(value)
        && !is_address(value)
        && !is_path(value)
        && !is_open_url(value)
}

/// Whether a value is any plain setting: what may be a part of a secret without being one.
pub(super) fn is_plain(value: &str) -> bool {
    is_number(value) || is_address(value) || is_path(value) || is_open_url(value)
}

fn is_number(value: &str) -> bool {
    let grouped = |letter: char| letter.is_ascii_digit() || matches!(letter, '_' | ',');
    value.parse::<f64>().is_ok() || value.chars().all(grouped)
}

/// An address of a machine, with or without a port.
fn is_address(value: &str) -> bool {
    if value.parse::<IpAddr>().is_ok() || value.parse::<SocketAddr>().is_ok() {
        return true;
    }
    let host = match value.rsplit_once(':') {
        Some((host, port)) if port.parse::<u16>().is_ok() => host,
        _ => value,
    };
    host == "localhost" || host.parse::<IpAddr>().is_ok() || is_domain(host)
}

/// A name such as `db.internal.example.com`. A token may have dots (a JSON web token has two), but
/// capitals, too, or no word at its end.
fn is_domain(host: &str) -> bool {
    let is_label = |label: &str| {
        let letter = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        (1..=63).contains(&label.len()) && label.bytes().all(letter)
    };
    let top = host.rsplit_once('.').map(|(_, top)| top);
    top.is_some_and(|top| top.len() >= 2 && top.bytes().all(|byte| byte.is_ascii_lowercase()))
        && host.split('.').all(is_label)
}

/// A path that says where it begins. What has slashes in it, or the signs that Base64 ends in, may
/// as well be a key.
fn is_path(value: &str) -> bool {
    let begins = ["/", "./", "../", "~/"].iter().any(|begin| value.starts_with(begin))
        || matches!(value.as_bytes(), [b'A'..=b'Z' | b'a'..=b'z', b':', b'\\' | b'/', ..]);
    begins && !value.contains(['=', '+'])
}

/// A URL that has nobody's password in it.
fn is_open_url(value: &str) -> bool {
    value.split_once("://").is_some_and(|(scheme, rest)| is_scheme(scheme) && !rest.contains('@'))
}

fn is_scheme(text: &str) -> bool {
    let letter = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.');
    text.starts_with(|first: char| first.is_ascii_alphabetic()) && text.bytes().all(letter)
}

/// Where `user:password` stands in a URL (RFC 3986, 3.2.1).
pub(super) fn userinfo(url: &str) -> Option<Range<usize>> {
    let start = url.find("://")? + 3;
    if !is_scheme(&url[..start - 3]) {
        return None;
    }
    let authority = &url[start..];
    let authority = &authority[..authority.find(['/', '?', '#']).unwrap_or(authority.len())];
    Some(start..start + authority.rfind('@')?)
}

/// Where the password stands in a URL.
pub(super) fn password(url: &str) -> Option<Range<usize>> {
    let Range { start, end } = userinfo(url)?;
    let colon = start + url[start..end].find(':')?;
    (colon + 1 < end).then_some(colon + 1..end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_reads_like_a_secret() {
        for secret in [
            "hunter2!",
            "sk_live_4eC39HqLyjWDarjtT1zdp7dc",
            "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
            "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln",
            "correct horse battery staple",
            "postgres://shop:s3cret@db.example.com/shop",
            "redis://:pw@localhost:6379",
            "/9j/4AAQSkZJRg+abc==",
            "8f14e45f-ceea-467f-a8f1-0c2b8f3d9f2e",
            "pässwört1",
            "user@example.com",
            "admin:12345",
            "0x1f2e3d4c",
        ] {
            assert!(is_distinct(secret), "{secret}");
        }
    }

    #[test]
    fn what_could_be_any_setting() {
        for plain in [
            "",
            "short1!",
            "development",
            "développement",
            "12345678901234567890",
            "-1234.5678",
            "1_000_000",
            "127.0.0.1",
            "127.0.0.1:5432",
            "fe80::1234:5678",
            "[::1]:65535",
            "localhost:8080",
            "db.internal.example.com",
            "db.internal.example.com:5432",
            "/var/lib/shop",
            "./data/shop-1",
            "../shop-1/data",
            "~/shop-1/data",
            "C:\\shop\\data-1",
            "http://127.0.0.1:8000/api?x=1",
            "https://hooks.example.com/T000/B000",
        ] {
            assert!(!is_distinct(plain), "{plain}");
        }
    }

    #[test]
    fn passwords_of_urls() {
        let of = |url: &'static str| password(url).map(|range| &url[range]);
        assert_eq!(of("http://u:p@h/"), Some("p"));
        assert_eq!(of("redis://:p%40x@h:1/0?q=a:b@c"), Some("p%40x"));
        assert_eq!(of("http://u:p:q@h"), Some("p:q"));
        for none in ["http://h/a:b@c", "http://u@h", "http://u:@h", "u:p@h", "no url", "://a:b@c"] {
            assert_eq!(of(none), None, "{none}");
        }
    }
}
