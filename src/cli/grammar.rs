//! A command line that is wrong: what was probably meant.

use std::process::ExitCode;

use clap::error::{ContextKind, ContextValue, ErrorKind};

use super::{
    args::{Color, Global},
    context::Context,
    error::{Error, status},
};

/// Says what is wrong with it; help and the version, which clap takes for errors too, are printed
/// as they are.
pub(super) fn complain(error: &clap::Error) -> ExitCode {
    let wrong = match error.kind() {
        ErrorKind::InvalidSubcommand => wrong(error, ContextKind::InvalidSubcommand, "command"),
        ErrorKind::UnknownArgument => wrong(error, ContextKind::InvalidArg, "option"),
        _ => None,
    };
    let Some(wrong) = wrong else { error.exit() };
    let global = Global {
        file: None,
        file_before_verb: None,
        stack: None,
        verbose: 0,
        quiet: false,
        color: Color::Auto,
    };
    Context::new(global).complain(&wrong);
    ExitCode::from(status::WRONG)
}

fn wrong(error: &clap::Error, kind: ContextKind, what: &'static str) -> Option<Error> {
    let word = match error.get(kind)? {
        ContextValue::String(word) => word.clone(),
        _ => return None,
    };
    // What is no option is a name too many.
    let what = if what == "option" && !word.starts_with('-') { "argument" } else { what };
    let similar = [ContextKind::SuggestedSubcommand, ContextKind::SuggestedArg];
    let similar = similar.into_iter().find_map(|kind| match error.get(kind)? {
        ContextValue::String(word) => Some(word.clone()),
        // The likeliest is the last.
        ContextValue::Strings(words) => words.last().cloned(),
        _ => None,
    });
    Some(Error::UnknownWord { what, word, similar })
}
