//! Names: taken, reserved, of nothing.

use super::{
    Description,
    description::{list, near},
};
use crate::language::source::{Span, Spanned};

/// A problem of a name.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::language) enum NameProblem {
    /// It means something in strings.
    Reserved { name: Spanned<String> },
    /// Something else has it.
    TwiceName { name: String, what: &'static str, first: Span, second: Span },
    /// Nothing has it.
    UnknownName { name: Spanned<String>, wanted: &'static str, known: Vec<String> },
    /// Another kind of thing has it.
    WrongKind { name: Spanned<String>, wanted: &'static str, is: &'static str },
    /// Only a profile that is not in force has it.
    OnlyInProfile { name: Spanned<String>, profile: String },
}

impl NameProblem {
    pub(super) fn describe(&self) -> Description {
        match self {
            Self::Reserved { name } => {
                let name_ = &name.value;
                Description::new("reserved-name", format!("`{name_}` is a reserved name"))
                    .at(name.span, "reserved")
                    .help(format!("`{{{{{name_}…}}}}` already has a meaning in strings"))
            }
            Self::TwiceName { name, what, first, second } => {
                let shared = matches!(*what, "service" | "task" | "group")
                    .then(|| "services, tasks and groups share one set of names".to_owned());
                Description::new("twice", format!("there is already a {what} `{name}`"))
                    .at(*second, "again here")
                    .at(*first, "first here")
                    .maybe_help(shared)
                    .help("give one of them another name")
            }
            Self::UnknownName { name, wanted, known } => {
                Description::new("unknown-name", format!("there is no {wanted} `{}`", name.value))
                    .at(name.span, "unknown name")
                    .maybe_help(near(&name.value, known))
                    .maybe_help(list("this stack has", known))
                    .help(format!("declare it: `{} \"{}\" {{ … }}`", first(wanted), name.value))
            }
            Self::WrongKind { name, wanted, is } => {
                let message = format!("`{}` is a {is}, not a {wanted}", name.value);
                Description::new("wrong-kind", message)
                    .at(name.span, format!("expected a {wanted}"))
                    .help(format!("name a {wanted} of this stack"))
            }
            Self::OnlyInProfile { name, profile } => {
                let message = format!("`{}` exists only in the profile `{profile}`", name.value);
                Description::new("unknown-name", message)
                    .at(name.span, "unknown without that profile")
                    .help(format!(
                        "name it in the profile too, or choose it: `--profile {profile}`"
                    ))
            }
        }
    }
}

/// The first of `service, task or group`.
fn first(wanted: &str) -> &str {
    wanted.split(',').next().unwrap_or(wanted)
}
