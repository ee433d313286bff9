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
    let Some(wrong) = wrong(error) else { error.exit() };
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

/// What is wrong with it, where it can be told better than clap does.
pub(super) fn wrong(error: &clap::Error) -> Option<Error> {
    match error.kind() {
        ErrorKind::InvalidSubcommand => unknown(error, ContextKind::InvalidSubcommand, "command"),
        ErrorKind::UnknownArgument => unknown(error, ContextKind::InvalidArg, "option"),
        ErrorKind::MissingRequiredArgument => missing(error),
        ErrorKind::InvalidValue | ErrorKind::ValueValidation => bad_value(error),
        ErrorKind::ArgumentConflict => conflict(error),
        _ => None,
    }
}

fn unknown(error: &clap::Error, kind: ContextKind, what: &'static str) -> Option<Error> {
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

/// `SIGNAL is missing`, and how the command is written.
fn missing(error: &clap::Error) -> Option<Error> {
    let arguments = match error.get(ContextKind::InvalidArg)? {
        ContextValue::Strings(arguments) => arguments.join(" "),
        _ => return None,
    };
    let ContextValue::StyledStr(usage) = error.get(ContextKind::Usage)? else { return None };
    let usage = usage.to_string();
    let usage = usage.trim().trim_start_matches("Usage:").trim();
    let mend = format!("`{usage}`; with `--help` it shows examples");
    Some(Error::Usage { text: format!("{arguments} is missing"), mend })
}

/// A value that its option or argument does not take.
fn bad_value(error: &clap::Error) -> Option<Error> {
    let text_of = |kind| match error.get(kind)? {
        ContextValue::String(text) => Some(text.as_str()),
        _ => None,
    };
    let argument = text_of(ContextKind::InvalidArg)?;
    let value = text_of(ContextKind::InvalidValue)?;
    if value.is_empty() {
        let mend = "`--help` behind the command says which it takes".to_owned();
        return Some(Error::Usage { text: format!("`{argument}` has no value"), mend });
    }
    let text = format!("`{value}` is no value for `{argument}`");
    if let Some(ContextValue::Strings(values)) = error.get(ContextKind::ValidValue)
        && !values.is_empty()
    {
        let mend = match text_of(ContextKind::SuggestedValue) {
            Some(similar) => format!("did you mean `{similar}`?"),
            None => format!("it takes one of {}", values.join(", ")),
        };
        return Some(Error::Usage { text, mend });
    }
    let why = std::error::Error::source(error).map(ToString::to_string);
    let mend = match why {
        // It names the value itself.
        Some(why) if why.contains(value) => return Some(Error::Argument(why)),
        Some(why) => format!("it takes a number: {why}"),
        None => "`--help` behind the command says which it takes".to_owned(),
    };
    Some(Error::Usage { text, mend })
}

/// Two options that exclude each other.
fn conflict(error: &clap::Error) -> Option<Error> {
    let ContextValue::String(first) = error.get(ContextKind::InvalidArg)? else { return None };
    let second = match error.get(ContextKind::PriorArg)? {
        ContextValue::String(second) => second.clone(),
        ContextValue::Strings(others) => others.join("`, `"),
        _ => return None,
    };
    let (text, mend) = match *first == second {
        true => (format!("`{first}` stands twice"), "leave one of them out".to_owned()),
        false => (format!("`{first}` and `{second}` exclude each other"), "choose one".to_owned()),
    };
    Some(Error::Usage { text, mend })
}
