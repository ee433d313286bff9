//! Strings: `{{values}}`, paths, patterns.

use super::{
    Description,
    description::{list, near},
};
use crate::language::source::Span;

/// A problem of a string.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::language) enum TextProblem {
    /// A `{{` without its `}}`.
    Unclosed { at: Span },
    /// A `{{…}}` that cannot be filled in.
    Expression { text: String, bad: BadExpression, at: Span },
    /// Something to delete that is not the stack's.
    Outside { node: &'static str, path: String, at: Span },
    /// No regular expression.
    BadRegex { reason: String, at: Span },
    /// No pattern of paths.
    BadGlob { reason: String, at: Span },
    /// A pattern that begins with `!`, as gitignore(5) has it.
    NegatedGlob { at: Span },
}

/// Why a `{{…}}` cannot be filled in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::language) enum BadExpression {
    /// It names nothing; what it may have been meant to name.
    Unknown(Option<String>),
    /// `{{NAME.port}}` of a name that is no service; the service that it may have been meant to be.
    NoService(String, Option<String>),
    /// `{{port}}` where there is no port: whose, and whether it is that one's own string.
    NoPort { of: String, own: bool },
    /// `{{port.NAME}}` of a name that no port has: whose, and the names that there are.
    NoPortNamed { of: String, known: Vec<String> },
    /// `{{env.KEY}}` of a variable that is not set.
    Unset(String),
    /// `{{env.KEY}}` of a variable that is no text.
    NotUtf8(String),
    /// `{{now}}` outside a task.
    OnlyInTasks,
    /// `{{replica}}` outside a service.
    OnlyInServices,
    /// A value that is known only at a start, where it must be known at once.
    TooLate,
}

impl TextProblem {
    /// Whether only a variable or a service is missing, that another machine or profile may have.
    pub(in crate::language) fn may_hold_elsewhere(&self) -> bool {
        use BadExpression::{NoService, NotUtf8, Unset};
        matches!(self, Self::Expression { bad: Unset(_) | NotUtf8(_) | NoService(..), .. })
    }

    pub(super) fn describe(&self) -> Description {
        match self {
            Self::Unclosed { at } => unclosed(*at),
            Self::Expression { text, bad, at } => expression(text, bad, *at),
            Self::Outside { node, path, at } => {
                let message = format!("`{node}` only deletes inside the stack's folder");
                Description::new("outside", message)
                    .at(*at, format!("`{path}` is outside"))
                    .help("the stack's folder is the one that contains the stack file")
            }
            Self::BadRegex { reason, at } => {
                Description::new("bad-regex", "this is not a valid regular expression")
                    .at(*at, reason)
                    .help("write `\\` before a special character to take it literally: `#\"\\(\"#`")
            }
            Self::NegatedGlob { at } => {
                Description::new("bad-glob", "a pattern of paths cannot be negated")
                    .at(*at, "`!` has no meaning here")
                    .help("leave files out with `ignore`: `watch \"src/**\" { ignore \"src/gen\" }`")
            }
            Self::BadGlob { reason, at } => {
                Description::new("bad-glob", "this is not a valid path pattern")
                    .at(*at, reason)
                    .help("`*` matches within a folder, `**` at any depth, `{a,b}` one of several; `[*]` is a literal `*`")
            }
        }
    }
}

/// A `{{` without its `}}`.
pub(super) fn unclosed(at: Span) -> Description {
    Description::new("unclosed-value", "`{{` is never closed")
        .at(at, "no `}}` follows")
        .help("to write literal braces, use `{{{{`")
}

fn expression(text: &str, bad: &BadExpression, at: Span) -> Description {
    let new = |message: String| Description::new("unknown-value", message);
    let whole = format!("`{{{{{text}}}}}`");
    match bad {
        BadExpression::Unknown(near) => new(format!("unknown value {whole}"))
            .at(at, "unknown name")
            .maybe_help(near.as_ref().map(|near| format!("did you mean `{{{{{near}}}}}`?")))
            .help("`stackrun explain values` lists them; a literal `{{` is written `{{{{`"),
        BadExpression::NoPort { of, own } => {
            let help = match own {
                true => "the port of another service is `{{SERVICE.port}}`".to_owned(),
                false => format!("declare it in `{of}`: `port 8000`"),
            };
            new(format!("`{of}` has no port")).at(at, "which port?").help(help)
        }
        BadExpression::NoPortNamed { of, known } => {
            let name = text.rsplit('.').next().unwrap_or_default();
            new(format!("`{of}` has no port `{name}`"))
                .at(at, "unknown port")
                .maybe_help(near(name, known))
                .maybe_help(list("its ports are", known))
                .help(format!("name one in `{of}`: `port 8000 name=\"{name}\"`"))
        }
        BadExpression::Unset(key) => Description::new("unset", format!("`{key}` is not set"))
            .at(at, "neither in your environment nor in an env file")
            .help(format!("`{{{{env.{key}:-default}}}}` provides a default")),
        BadExpression::NotUtf8(key) => {
            Description::new("encoding", format!("the value of `{key}` is not UTF-8"))
                .at(at, "set to other bytes in your environment")
                .help("services get it as it is, but strings in this file can only contain UTF-8")
        }
        BadExpression::NoService(name, near) => new(format!("there is no service `{name}`"))
            .at(at, "unknown service")
            .maybe_help(near.as_ref().map(|near| format!("did you mean `{near}`?")))
            .help("`{{SERVICE.port}}` is a port of a service of this stack"),
        BadExpression::OnlyInTasks => new(format!("{whole} is only for tasks"))
            .at(at, "not in a task")
            .help("a service can get the time of its start from `date` in a `shell`"),
        BadExpression::OnlyInServices => new(format!("{whole} is only for services"))
            .at(at, "not in a service")
            .help("only services have copies"),
        BadExpression::TooLate => new(format!("{whole} is not known yet"))
            .at(at, "this must be known before anything is started")
            .help("`{{env.KEY}}`, `{{name}}` and `{{stack.dir}}` are known at once"),
    }
}
