//! What is run, and what is done.

use super::{Description, description::near};
use crate::language::{
    shell_words::WordErrorKind as Word,
    source::{Span, Spanned},
};

/// A problem of what is run.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::language) enum CommandProblem {
    /// Nothing says what to run.
    NoCommand { of: Spanned<String>, what: &'static str, added_by: Option<Added> },
    /// Two nodes say what to run.
    TwoCommands { first: Spanned<String>, second: Spanned<String> },
    /// Braces that hold nothing that counts.
    EmptyBlock { node: Spanned<String>, wants: &'static str },
    /// A `run` that cannot be split into words.
    Words { kind: Word, at: Span },
    /// A `watch` that both signals and runs a task.
    TwoActions { first: Span, second: Span },
    /// A `keep` without a limit.
    UselessKeep { at: Span },
}

/// A profile that adds what no other layer has, perhaps by a slip.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::language) struct Added {
    /// The profile.
    pub(in crate::language) profile: String,
    /// What there is that it could overlay.
    pub(in crate::language) known: Vec<String>,
}

impl CommandProblem {
    pub(super) fn describe(&self) -> Description {
        match self {
            Self::NoCommand { of, what, added_by } => {
                let (ways, example) = match *what {
                    "service" => ("`run`, `shell` or `external #true`", "run \"node server.js\""),
                    "task" => ("`run`, `shell` or `step`s", "run \"npm run build\""),
                    "step" => ("`run`, `shell` or `pipe`", "run \"npm run build\""),
                    _ => ("`run` or `shell`", "run \"make\""),
                };
                let message = match added_by {
                    None => format!("the {what} `{}` has nothing to run", of.value),
                    Some(Added { profile, .. }) => format!(
                        "profile `{profile}`: there is no {what} `{}` to overlay, and as a new one \
                         it has nothing to run",
                        of.value
                    ),
                };
                let known = added_by.as_ref().map_or(&[][..], |added| &added.known);
                Description::new("no-command", message)
                    .at(of.span, format!("needs {ways}"))
                    .maybe_help(near(&of.value, known))
                    .help(format!("for example: `{example}`"))
            }
            Self::TwoCommands { first, second } => {
                let (one, other) = (&first.value, &second.value);
                Description::new(
                    "two-commands",
                    format!("`{one}` and `{other}` cannot be used together"),
                )
                .at(second.span, "a second one")
                .at(first.span, "already says what to run")
                .help(format!("keep `{one}` or `{other}`"))
            }
            Self::EmptyBlock { node, wants } => {
                Description::new("missing", format!("`{}` is empty", node.value))
                    .at(node.span, format!("needs {wants}"))
                    .help(format!("write {wants}, or remove it"))
            }
            Self::Words { kind, at } => words(kind, *at),
            Self::TwoActions { first, second } => {
                let message = "a change cannot both send a signal and run a task";
                Description::new("two-actions", message)
                    .at(*second, "a task")
                    .at(*first, "a signal")
                    .help("keep one, or write two `watch` nodes")
            }
            Self::UselessKeep { at } => {
                Description::new("missing", "`keep` does not say how many or how long")
                    .at(*at, "needs `newest=…` or `max-age=…`")
                    .help("for example: `keep \"backups/*.sql\" newest=5`")
            }
        }
    }
}

fn words(kind: &Word, at: Span) -> Description {
    const SHELL: &str = "write `shell \"…\"` instead of `run`, or quote it to take it literally";
    let shell = |message: String| Description::new("needs-shell", message);
    match kind {
        Word::Shell('`') => shell("only a shell understands a backtick".to_owned())
            .at(at, "`run` has no shell")
            .help(SHELL),
        Word::Shell(char) => shell(format!("only a shell understands `{char}`"))
            .at(at, "`run` has no shell")
            .help(SHELL),
        Word::Variable(name) if name.is_empty() => shell("only a shell understands `$`".to_owned())
            .at(at, "`run` has no shell")
            .help("write `shell \"…\"` instead of `run`, or put it in single quotes"),
        Word::Variable(name) => shell(format!("only a shell fills in `${name}`"))
            .at(at, "`run` has no shell")
            .help(format!("write `{{{{env.{name}}}}}`, or `shell \"…\"` instead of `run`")),
        Word::Comment => shell("a word that begins with `#` is a comment in a shell".to_owned())
            .at(at, "`run` has no shell")
            .help("quote the word, or write `// …` after the string for a comment"),
        Word::Assignment(name, value) => {
            let value = value.trim_matches(['"', '\'']);
            let message = format!("only a shell sets `{name}=…` before a program");
            Description::new("needs-env", message)
                .at(at, "`run` has no shell")
                .help(format!("write `env {{ {name} \"{value}\" }}` next to `run`, or use `shell`"))
        }
        Word::Unclosed(quote) => {
            let help = match quote {
                '\'' => "write a literal apostrophe in double quotes",
                _ => "close it, or write `\\` before it to take it literally",
            };
            Description::new("unclosed-quote", format!("the `{quote}` is never closed"))
                .at(at, "opened here")
                .help(help)
        }
        Word::Backslash => Description::new("unclosed-quote", "a backslash with nothing after it")
            .at(at, "ends the string")
            .help("write a literal backslash twice, or in single quotes"),
        Word::Braces => super::text::unclosed(at),
        Word::Empty => Description::new("missing", "there is no program to run")
            .at(at, "empty")
            .help("for example: `run \"node server.js\"`"),
    }
}
