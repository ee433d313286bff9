//! What of an `http` check can never be sent, as far as the file alone tells.

use crate::language::{
    problem::BadUrl,
    template::{self, Piece},
};

/// Stands for a `{{value}}`, of which nothing is known here: what it comes to may differ at each
/// start, and may be a secret that no message should show.
const OPEN: char = '\u{fffc}';

/// What is wrong with a URL or a path, if that is certain.
pub(super) fn bad_url(text: &str) -> Option<BadUrl> {
    let text = with_values_open(text)?;
    if let Some(bad) = text.chars().find(|&letter| letter == ' ' || letter.is_ascii_control()) {
        return Some(BadUrl::Letter(bad));
    }
    let rest = text.strip_prefix("http://").or_else(|| text.strip_prefix("https://"))?;
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    if authority.contains('@') {
        return Some(BadUrl::User);
    }
    let (host, port) = host_and_port(authority);
    if host.is_empty() {
        return Some(BadUrl::NoHost);
    }
    // An empty port is that of the scheme.
    let port = port.filter(|port| !port.is_empty() && !port.contains(OPEN))?;
    let is_port = port.parse::<u16>().is_ok_and(|number| number > 0);
    (!is_port).then(|| BadUrl::Port(port.to_owned()))
}

/// Whether this is a token, as RFC 9110 (5.6.2) has it: no other can be the name of a header.
pub(super) fn is_header_name(name: &str) -> bool {
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !name.is_empty() && name.bytes().all(is_token)
}

/// Whether a header can have this value: a line's end in it would begin another header.
pub(super) fn is_header_value(text: &str) -> bool {
    let text = with_values_open(text).unwrap_or_default();
    !text.chars().any(|letter| letter.is_ascii_control() && letter != '\t')
}

/// The text with each value open; `None` for one with braces that are not closed, of which is
/// told elsewhere.
fn with_values_open(text: &str) -> Option<String> {
    let mut open = String::new();
    for piece in template::pieces(text).ok()? {
        match piece {
            Piece::Literal(literal) => open.push_str(&literal),
            Piece::Value(_) => open.push(OPEN),
        }
    }
    Some(open)
}

fn host_and_port(authority: &str) -> (&str, Option<&str>) {
    // The colons of an IPv6 address, in brackets, begin no port.
    let address = authority.find(']').map_or(0, |end| end + 1);
    match authority[address..].rfind(':') {
        Some(colon) => (&authority[..address + colon], Some(&authority[address + colon + 1..])),
        None => (authority, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_that_may_work() {
        for good in [
            "/",
            "/a?b=c#d",
            "/{{ env.A }}",
            "http://localhost",
            "http://localhost:/x",
            "https://[::1]:65535/a@b",
            "http://[::1]/",
            "http://{{env.HOST}}:{{port}}/",
            "http://a:6553{{env.N}}/",
            "http://{{env.WHOLE}}",
            "{{env.URL}}",
            "http://{{ open",
            "http://h/ü",
        ] {
            assert_eq!(bad_url(good), None, "{good}");
        }
    }

    #[test]
    fn urls_that_never_work() {
        let port = |text: &str| BadUrl::Port(text.to_owned());
        for (bad, why) in [
            ("http://127.0.0.1:99999/", port("99999")),
            ("http://[::1]:0", port("0")),
            ("http://{{env.HOST}}:http/", port("http")),
            ("http:///x", BadUrl::NoHost),
            ("https://:80/x", BadUrl::NoHost),
            ("http://?x", BadUrl::NoHost),
            ("/a b", BadUrl::Letter(' ')),
            ("http://h/{{env.A}}\n", BadUrl::Letter('\n')),
            ("http://u:p@host/", BadUrl::User),
            ("http://u:{{env.P}}@host/", BadUrl::User),
        ] {
            assert_eq!(bad_url(bad), Some(why), "{bad}");
        }
    }

    #[test]
    fn headers() {
        for good in ["X-Probe", "authorization", "a!#$%&'*+-.^_`|~1"] {
            assert!(is_header_name(good), "{good}");
        }
        for bad in ["", "X Y", "X:", "ü", "{{env.A}}", "a\n"] {
            assert!(!is_header_name(bad), "{bad}");
        }
        for good in ["", "a b\tc", "Bearer {{env.TOKEN}}", "ü"] {
            assert!(is_header_value(good), "{good}");
        }
        for bad in ["a\r\nEvil: 1", "{{env.A}}\n", "\u{7f}"] {
            assert!(!is_header_value(bad), "{bad:?}");
        }
    }
}
