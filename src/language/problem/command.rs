//! What is run, and what is done.

use super::Description;
use crate::language::{
    shell_words::WordErrorKind as Word,
    source::{Span, Spanned},
};

/// A problem of what is run.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::language) enum CommandProblem {
    /// Nothing says what to run.
    NoCommand { of: Spanned<String>, what: &'static str },
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

impl CommandProblem {
    pub(super) fn describe(&self) -> Description {
        match self {
            Self::NoCommand { of, what } => {
                let (ways, example) = match *what {
                    "service" => ("`run`, `shell` or `external #true`", "run \"node server.js\""),
                    "task" => ("`run`, `shell` or `step`s", "run \"npm run build\""),
                    "step" => ("`run`, `shell` or `pipe`", "run \"npm run build\""),
                    _ => ("`run` or `shell`", "run \"make\""),
                };
                let message = format!("the {what} `{}` has nothing to run", of.value);
                Description::new("no-command", message)
                    .at(of.span, format!("needs {ways}"))
                    .help(format!("for example: `{example}`"))
            }
            Self::TwoCommands { first, second } => {
                let (one, other) = (&first.value, &second.value);
                Description::new("two-commands", format!("both `{one}` and `{other}`"))
                    .at(second.span, "cannot stand beside the other")
                    .at(first.span, "already says what to run")
                    .help(format!("keep `{one}` or `{other}`"))
            }
            Self::EmptyBlock { node, wants } => {
                Description::new("missing", format!("`{}` is empty", node.value))
                    .at(node.span, format!("needs {wants}"))
                    .help(format!("write {wants}, or take it out"))
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
    const SHELL: &str = "write `shell \"…\"` in place of `run`, or quote it if it means itself";
    let shell = |message: String| Description::new("needs-shell", message);
    match kind {
        Word::Shell('`') => shell("a backtick means something to a shell only".to_owned())
            .at(at, "`run` has no shell")
            .help(SHELL),
        Word::Shell(char) => shell(format!("`{char}` means something to a shell only"))
            .at(at, "`run` has no shell")
            .help(SHELL),
        Word::Variable(name) if name.is_empty() => {
            shell("`$` means something to a shell only".to_owned())
                .at(at, "`run` has no shell")
                .help("write `shell \"…\"` in place of `run`, or put it in single quotes")
        }
        Word::Variable(name) => shell(format!("`${name}` is for a shell to fill in"))
            .at(at, "`run` has no shell")
            .help(format!("write `{{{{env.{name}}}}}`, or `shell \"…\"` in place of `run`")),
        Word::Comment => shell("a word that begins with `#`".to_owned())
            .at(at, "a comment to a shell; `run` has none")
            .help("quote the word, or write `// …` after the string for a comment"),
        Word::Assignment(name, value) => {
            let value = value.trim_matches(['"', '\'']);
            let message = format!("`{name}=…` before a program is for a shell");
            Description::new("needs-env", message)
                .at(at, "`run` has no shell")
                .help(format!("write `env {{ {name} \"{value}\" }}` beside `run`, or use `shell`"))
        }
        Word::Unclosed(quote) => {
            let help = match quote {
                '\'' => "an apostrophe that means itself stands in double quotes",
                _ => "close it, or write `\\` before it if it means itself",
            };
            Description::new("unclosed-quote", format!("the `{quote}` is never closed"))
                .at(at, "opened here")
                .help(help)
        }
        Word::Backslash => Description::new("unclosed-quote", "a backslash with nothing after it")
            .at(at, "ends the string")
            .help("a backslash that means itself is written twice, or in single quotes"),
        Word::Braces => super::text::unclosed(at),
        Word::Empty => Description::new("missing", "there is no program to run")
            .at(at, "nothing in it")
            .help("for example: `run \"node server.js\"`"),
    }
}
