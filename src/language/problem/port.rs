//! Ports, and the checks on them.

use super::{
    Description,
    description::{list, near},
};
use crate::language::source::{Span, Spanned};

/// A problem of a port.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::language) enum PortProblem {
    /// A string that comes out as no port.
    BadPort { text: String, at: Span },
    /// Two services (or one) with the same port.
    SamePort { number: u16, first: Spanned<String>, second: Spanned<String> },
    /// The ports of copies count past the end.
    PortRange { last: u32, at: Span },
    /// A check names a port that there is not.
    UnknownPort { name: Spanned<String>, of: String, known: Vec<String> },
    /// A check of a port where there is none.
    CheckWithoutPort { check: Spanned<String>, of: String },
    /// Neither a path nor a URL.
    BadUrl { text: String, at: Span },
    /// A port beside a whole URL.
    PortOfUrl { at: Span },
    /// A URL or a path that no request can have.
    NeverAsked { bad: BadUrl, at: Span },
    /// A header with a name that is none.
    HeaderName { name: String, at: Span },
    /// A header with a value that it cannot have.
    HeaderValue { at: Span },
}

/// Why a URL or a path can never be asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::language) enum BadUrl {
    /// A character that has to be written otherwise.
    Letter(char),
    /// A name or password before the host.
    User,
    /// No host.
    NoHost,
    /// A port that is none.
    Port(String),
}

impl PortProblem {
    pub(super) fn describe(&self) -> Description {
        match self {
            Self::BadPort { text, at } => Description::new("bad-port", "this is not a port")
                .at(*at, format!("`{text}` is neither a number from 1 to 65535 nor `auto`"))
                .help("write `port 8000`, `port \"auto\"` or `port \"{{env.PORT:-8000}}\"`"),
            Self::SamePort { number, first, second } => {
                let (one, other) = (&first.value, &second.value);
                let message = match one == other {
                    true => format!("`{one}` has port {number} twice"),
                    false => format!("`{one}` and `{other}` have the same port {number}"),
                };
                Description::new("same-port", message)
                    .at(second.span, format!("`{other}` uses it here"))
                    .at(first.span, format!("`{one}` uses it here"))
                    .help("give one of them another number, or `port \"auto\"`")
            }
            Self::PortRange { last, at } => {
                Description::new("bad-port", "there are not enough ports for all copies")
                    .at(*at, format!("the last copy would get {last}; the highest port is 65535"))
                    .help("start lower, or use `port \"auto\"`")
            }
            Self::UnknownPort { name, of, known } => {
                let is_number = name.value.parse::<u16>().is_ok();
                let declare = match is_number {
                    true => format!("declare it: `port {}`", name.value),
                    false => format!("name one: `port 8000 name=\"{}\"`", name.value),
                };
                Description::new("unknown-port", format!("`{of}` has no port `{}`", name.value))
                    .at(name.span, "unknown port")
                    .maybe_help(if is_number { None } else { near(&name.value, known) })
                    .maybe_help(list("its ports are", known))
                    .help(declare)
            }
            Self::CheckWithoutPort { check, of } => {
                let message = format!("`{}` checks a port, but `{of}` has none", check.value);
                Description::new("no-port", message)
                    .at(check.span, "which port?")
                    .help(format!("declare it in `{of}`: `port 8000`"))
            }
            Self::BadUrl { text, at } => {
                Description::new("bad-url", format!("`{text}` is neither a path nor a URL"))
                    .at(*at, "begins with neither `/` nor `http://`")
                    .help(match text.contains("://") {
                        true => "only `http://…` and `https://…` are supported".to_owned(),
                        false => format!("a path begins with `/`: `/{text}`"),
                    })
            }
            Self::PortOfUrl { at } => Description::new("bad-url", "a URL has its own port")
                .at(*at, "only for a path")
                .help("remove `port=…`, or write only the path: `http \"/health\"`"),
            Self::NeverAsked { bad, at } => never_asked(bad, *at),
            Self::HeaderName { name, at } => {
                let message = format!("`{}` is not a valid header name", name.escape_debug());
                Description::new("bad-header", message)
                    .at(*at, "use letters, digits and `-`, no spaces")
                    .help("for example `header \"X-Probe\" \"yes\"`")
            }
            Self::HeaderValue { at } => {
                Description::new("bad-header", "a header cannot have this value")
                    .at(*at, "contains a line break or another control character")
                    .help("remove it; write each header on a `header` line of its own")
            }
        }
    }
}

fn never_asked(bad: &BadUrl, at: Span) -> Description {
    let problem = |message: &str| Description::new("bad-url", message);
    match bad {
        BadUrl::Letter(' ') => problem("a URL cannot contain a space")
            .at(at, "a space")
            .help("write it as `%20`, or remove it"),
        BadUrl::Letter(letter) => problem("a URL cannot contain a control character")
            .at(at, format!("`{}`", letter.escape_debug()))
            .help(format!("write it as `%{:02X}`, or remove it", u32::from(*letter))),
        BadUrl::User => problem("user and password in a URL are not sent")
            .at(at, "before the `@`")
            .help("remove it; write `header \"Authorization\" \"Basic {{env.TOKEN}}\"`"),
        BadUrl::NoHost => problem("this URL has no host")
            .at(at, "nothing after `//`")
            .help("write one: `http://localhost:8000/health`; or only a path: `/health`"),
        BadUrl::Port(text) => problem("this URL has a bad port")
            .at(at, format!("`{text}` is not a number from 1 to 65535"))
            .help("write one, as in `http://localhost:8000/`, or leave it out"),
    }
}
