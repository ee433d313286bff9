//! `env`: the environment of a service, for an editor or a shell.

use std::{collections::BTreeMap, os::unix::ffi::OsStringExt};

use clap_complete::engine::ArgValueCandidates;

use crate::{
    cli::{
        candidates::stack_names,
        commands::exec::{self, Place},
        context::Context,
        error::{Error, status},
    },
    model::{Stack, path_text},
    printable,
    reporters::{Symbol, headline, summary},
    secrets::{self, MASK},
};

const EXAMPLES: &str = "\
Examples:
  stackrun env api                               every variable; secrets are masked
  stackrun env api --secrets                     their values, too
  eval \"$(stackrun env api --export --secrets)\"  all of them for this shell

Without `--secrets`, `--export` leaves out what it would have to mask, names it, and exits with 1.";

/// The environment that a service or task runs with
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(in crate::cli) struct Args {
    /// The service or task
    #[arg(add = ArgValueCandidates::new(stack_names))]
    name: String,
    /// Show the values of secrets
    #[arg(long)]
    secrets: bool,
    /// As commands for a shell
    #[arg(long, conflicts_with = "json")]
    export: bool,
    /// As JSON
    #[arg(long)]
    json: bool,
}

pub(in crate::cli) fn run(args: &Args, context: &Context) -> Result<u8, Error> {
    let (stack, Place { env, .. }) = exec::place(&args.name, context)?;
    let masked = match args.secrets {
        true => Vec::new(),
        false => masked(&stack, &args.name, &env),
    };
    let shown = |key: &String, value: &str| match masked.contains(key) {
        true => MASK.to_owned(),
        false => as_text(value),
    };
    if args.export {
        return export(&env, &masked, context);
    }
    let env: BTreeMap<String, String> =
        env.iter().map(|(key, value)| (as_text(key), shown(key, value))).collect();
    let text = match args.json {
        true => {
            let json = serde_json::json!({ "format": 1, "name": args.name, "env": env });
            format!("{json:#}\n")
        }
        false => {
            let line = |(key, value)| format!("{}\n", printable::line(&format!("{key}={value}")));
            env.iter().map(line).collect()
        }
    };
    // What is secret in it is masked.
    context.print_with_secrets(&text)?;
    Ok(status::OK)
}

/// The variables that are masked: those that are secret, and those that contain a secret.
fn masked(stack: &Stack, name: &str, env: &BTreeMap<String, String>) -> Vec<String> {
    let declared = match (stack.service(name), stack.task(name)) {
        (Some(service), _) => Some(&service.env),
        (None, Some(task)) => Some(&task.env),
        (None, None) => None,
    };
    let masker = secrets::masker();
    let is_secret = |key: &String, value: &str| {
        let declared = declared.and_then(|declared| declared.get(key));
        declared.is_some_and(|variable| variable.secret) || !masker.find(value).is_empty()
    };
    let masked = env.iter().filter(|(key, value)| is_secret(key, value));
    masked.map(|(key, _)| key.clone()).collect()
}

/// Prints the environment as commands for a shell; what cannot be in it is told.
fn export(
    env: &BTreeMap<String, String>,
    masked: &[String],
    context: &Context,
) -> Result<u8, Error> {
    let (named, nameless): (Vec<_>, Vec<_>) = env.iter().partition(|(key, _)| is_name(key));
    let open = named.into_iter().filter(|(key, _)| !masked.contains(key));
    context
        .print_with_secrets(&open.map(|(key, value)| exported(key, value)).collect::<String>())?;
    let nameless: Vec<String> = nameless.into_iter().map(|(key, _)| as_text(key)).collect();
    if !nameless.is_empty() {
        let text = format!("left out, not a valid name in a shell: {}", nameless.join(", "));
        context.say(&headline(Symbol::Warn, &text, context.err));
    }
    if masked.is_empty() {
        return Ok(status::OK);
    }
    let text = format!("left out, since they are secret: {}", masked.join(", "));
    context.say(&headline(Symbol::Bad, &text, context.err));
    context.say(&summary::hint("`--secrets` includes them", context.err));
    Ok(status::FAILED)
}

/// A name or a value for people, and for JSON, which holds no other text.
fn as_text(text: &str) -> String {
    path_text::decode_text(text).to_string_lossy().into_owned()
}

/// Whether a shell takes a variable of this name (POSIX, XBD 3.216).
fn is_name(key: &str) -> bool {
    let letter = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    key.bytes().all(letter)
        && !key.starts_with(|first: char| first.is_ascii_digit())
        && !key.is_empty()
}

/// `export KEY='value'`. Control characters, and what is no text, are for no terminal: `printf` makes them (POSIX, XCU
/// printf), with a full stop behind them, since a shell takes newlines from the end.
fn exported(key: &str, value: &str) -> String {
    let is_control = |letter| letter != '\n' && printable::is_control(letter);
    if !path_text::is_escaped(value) && !value.contains(is_control) {
        return format!("export {key}='{}'\n", value.replace('\'', r"'\''"));
    }
    let escaped: String = path_text::decode_text(value)
        .into_vec()
        .into_iter()
        .map(|byte| match byte {
            b'\\' | b'\'' => format!("\\0{byte:03o}"),
            b' '..=b'~' => char::from(byte).to_string(),
            byte => format!("\\0{byte:03o}"),
        })
        .collect();
    format!("{key}=\"$(printf '%b.' '{escaped}')\"; export {key}=\"${{{key}%.}}\"\n")
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;

    use super::*;

    #[test]
    fn a_shell_reads_what_is_exported() {
        for value in
            ["", "plain", "it's $HOME `x` \\n \"q\"", "two\nlines\n", "\u{1b}[31m\t\u{9b}é'\\\n"]
        {
            let script = format!("{}printf '%s' \"$KEY\"", exported("KEY", value));
            let shell = duct::cmd("/bin/sh", ["-c", &script]).stdout_capture().run().unwrap();
            assert_eq!(String::from_utf8_lossy(&shell.stdout), value, "{script}");
            assert!(!script.contains(|letter| letter != '\n' && printable::is_control(letter)));
        }
        let latin = OsString::from_vec(b"caf\xe9 % \\".to_vec());
        let script =
            format!("{}printf '%s' \"$KEY\"", exported("KEY", &path_text::encode_text(&latin)));
        let shell = duct::cmd("/bin/sh", ["-c", &script]).stdout_capture().run().unwrap();
        assert_eq!(shell.stdout, latin.into_vec(), "{script}");
        assert!(is_name("_A1") && !is_name("1A") && !is_name("A.B") && !is_name(""));
    }
}
