//! A command line that is wrong: what was probably meant.

use std::process::ExitCode;

use clap::{
    CommandFactory,
    error::{ContextKind, ContextValue, ErrorKind},
};

use super::{
    args::Cli,
    context::Context,
    error::{Error, status},
    global::{Color, Global},
};
use crate::{model::nearest, reporters::terminal::line};

/// Says what is wrong with it; help and the version, which clap takes for errors too, are printed
/// as they are.
pub(super) fn complain(error: &clap::Error) -> ExitCode {
    let Some(wrong) = wrong(error) else {
        if !error.use_stderr() {
            error.exit();
        }
        line(error.render().to_string().trim_end());
        return ExitCode::from(status::WRONG);
    };
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
        ErrorKind::TooManyValues => value_of_a_flag(error),
        _ => None,
    }
}

fn unknown(error: &clap::Error, kind: ContextKind, what: &'static str) -> Option<Error> {
    let word = match error.get(kind)? {
        ContextValue::String(word) => word.clone(),
        _ => return None,
    };
    let command = command_of(error);
    if what == "command" {
        let names = command.get_subcommands().flat_map(clap::Command::get_name_and_visible_aliases);
        let similar = nearest(&word, names).map(str::to_owned);
        return Some(Error::UnknownWord { what, word, similar });
    }
    if word == "-="
        && let Some(option) = std::env::args().find_map(|typed| flag_with_value(&typed))
    {
        return Some(takes_no_value(&option));
    }
    let Some(bare) = word.strip_prefix('-') else {
        // What is no option is a name too many.
        return Some(Error::UnknownWord { what: "argument", word, similar: None });
    };
    let similar = similar_option(&command, bare.trim_start_matches('-'));
    // An option of a command, given before it.
    let verbs = command.get_subcommands().filter(|verb| !verb.is_hide_set());
    let verb = verbs.filter(|verb| long_options(verb).any(|long| word == format!("--{long}")));
    if let Some(verb) = verb.map(clap::Command::get_name).next()
        && similar.is_none()
    {
        let fix = format!("write it after the command: `stackrun {verb} {word} …`");
        return Some(Error::Usage { text: format!("`{word}` must come after its command"), fix });
    }
    Some(Error::UnknownWord { what, word, similar })
}

/// The command that was being read, as the usage names it.
fn command_of(error: &clap::Error) -> clap::Command {
    let mut command = Cli::command();
    command.build();
    let usage = match error.get(ContextKind::Usage) {
        Some(ContextValue::StyledStr(usage)) => usage.to_string(),
        _ => String::new(),
    };
    let words = usage.split_whitespace().skip_while(|word| *word != command.get_name()).skip(1);
    for word in words.map(str::to_owned).collect::<Vec<_>>() {
        match command.find_subcommand(&word) {
            Some(verb) => command = verb.clone(),
            None => break,
        }
    }
    command
}

/// An option that was probably meant: one of the command's own before one that every command has;
/// `--n` is its `-n`.
fn similar_option(command: &clap::Command, bare: &str) -> Option<String> {
    let mut letters = command.get_arguments().filter_map(clap::Arg::get_short);
    if letters.any(|letter| bare.chars().eq([letter])) {
        return Some(format!("-{bare}"));
    }
    let program = Cli::command();
    let is_shared = |long: &str| program.get_arguments().any(|arg| arg.get_long() == Some(long));
    let (shared, own): (Vec<&str>, Vec<&str>) =
        long_options(command).partition(|long| is_shared(long));
    let part = || own.iter().copied().find(|long| long.split('-').any(|part| part == bare));
    let slips = || own.iter().copied().find(|long| nearest(bare, long.split('-')).is_some());
    let near = nearest(bare, own.iter().copied()).or_else(part).or_else(slips);
    near.or_else(|| nearest(bare, shared)).map(|long| format!("--{long}"))
}

fn long_options(command: &clap::Command) -> impl Iterator<Item = &str> {
    let shown = command.get_arguments().filter(|arg| !arg.is_hide_set());
    shown.filter_map(clap::Arg::get_long)
}

/// `missing argument: SIGNAL`, and how the command is written.
fn missing(error: &clap::Error) -> Option<Error> {
    let arguments = match error.get(ContextKind::InvalidArg)? {
        ContextValue::Strings(arguments) => arguments.join(" "),
        _ => return None,
    };
    let ContextValue::StyledStr(usage) = error.get(ContextKind::Usage)? else { return None };
    let usage = usage.to_string();
    let usage = usage.trim().trim_start_matches("Usage:").trim();
    let fix = format!("`{usage}`; with `--help` it shows examples");
    Some(Error::Usage { text: format!("missing argument: {arguments}"), fix })
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
        let fix = "`--help` after the command lists what it takes".to_owned();
        return Some(Error::Usage { text: format!("`{argument}` needs a value"), fix });
    }
    let text = format!("invalid value `{value}` for `{argument}`");
    if let Some(ContextValue::Strings(values)) = error.get(ContextKind::ValidValue)
        && !values.is_empty()
    {
        let fix = match nearest(value, values.iter().map(String::as_str)) {
            Some(similar) => format!("did you mean `{similar}`?"),
            None => format!("expected one of {}", values.join(", ")),
        };
        return Some(Error::Usage { text, fix });
    }
    let why = std::error::Error::source(error).map(ToString::to_string);
    let fix = match why {
        // It names the value itself.
        Some(why) if why.contains(value) => return Some(Error::Argument(why)),
        Some(_) => "expected a number".to_owned(),
        None => "`--help` after the command lists what it takes".to_owned(),
    };
    Some(Error::Usage { text, fix })
}

/// A value for an option that takes none: `--quiet=1`.
fn value_of_a_flag(error: &clap::Error) -> Option<Error> {
    let ContextValue::String(option) = error.get(ContextKind::InvalidArg)? else { return None };
    Some(takes_no_value(option))
}

/// `-f` of `-f=1`.
fn flag_with_value(typed: &str) -> Option<String> {
    let (flags, _) = typed.strip_prefix('-')?.split_once('=')?;
    let last = flags.chars().next_back().filter(|_| !flags.starts_with('-'))?;
    Some(format!("-{last}"))
}

fn takes_no_value(option: &str) -> Error {
    let fix = format!("write `{option}` without it");
    Error::Usage { text: format!("`{option}` takes no value"), fix }
}

/// Two options that cannot be used together.
fn conflict(error: &clap::Error) -> Option<Error> {
    let ContextValue::String(first) = error.get(ContextKind::InvalidArg)? else { return None };
    let second = match error.get(ContextKind::PriorArg)? {
        ContextValue::String(second) => second.clone(),
        ContextValue::Strings(others) => others.join("`, `"),
        _ => return None,
    };
    let (text, fix) = match *first == second {
        true => (format!("`{first}` is given twice"), "remove one of them".to_owned()),
        false => {
            (format!("`{first}` and `{second}` cannot be used together"), "choose one".to_owned())
        }
    };
    Some(Error::Usage { text, fix })
}
