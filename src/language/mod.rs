//! The stack file: text → [`Stack`], with every problem at its place.
//!
//! ```text
//! read      files → KDL → declarations that the schema knows (syntax, value)
//! layers    defaults, template, service, profile → one declaration each
//! build     strings' {{values}}, paths, names → the model
//! check     what no node shows by itself: cycles, ports, windows
//! unused    what is not in force, as if it were
//! ```
//!
//! Every stage goes on with what is right and adds what is wrong to one list, so that all
//! problems are told together.

mod bounded;
mod build;
mod check;
mod cycle;
mod decl;
mod dotenv;
mod encoding;
mod explain;
mod fast_parser;
mod fmt;
#[cfg(fuzzing)]
pub mod fuzzing;
mod merge;
mod name;
mod problem;
mod read;
mod recover;
mod regular;
mod replicas;
mod report;
mod scan;
mod schema;
mod shell_words;
mod size;
mod snippet;
mod source;
mod syntax;
mod template;
mod unsupported;
mod unused;
mod value;
mod values;

#[cfg(test)]
mod tests;

use std::{collections::BTreeMap, path::Path, sync::LazyLock};

use regex::Regex;

use self::problem::Problems;
pub use self::{
    explain::{UnknownKey, explain, keys, schema_text},
    fmt::{fmt, unformatted},
    regular::{read_file, read_text},
    report::{Finding, Label, ProblemData},
    snippet::Look,
    unsupported::{Unsupported, unsupported},
};
use crate::model::{EnvValue, Stack};

/// What a stack file is read with.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// The caller's environment, for `{{env.KEY}}`.
    pub env: BTreeMap<String, String>,
    /// The profiles in force (`--profile`).
    pub profiles: Vec<String>,
}

/// A file that was read without errors.
#[derive(Debug)]
pub struct Loaded {
    /// What it says.
    pub stack: Stack,
    /// Warnings: shown, never fatal.
    pub warnings: Vec<Finding>,
}

/// The names that a file declares.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Declared {
    /// Services, those of profiles too.
    pub services: Vec<String>,
    /// Tasks, those of profiles too.
    pub tasks: Vec<String>,
    /// Groups.
    pub groups: Vec<String>,
    /// Profiles.
    pub profiles: Vec<String>,
}

/// What a stack file and everything it includes declare, as far as they can be read: a file that
/// is being written has names too.
pub fn declared(file: &Path) -> Declared {
    let decls = read::read(&source::canonical(file), &mut Problems::default()).decls;
    let mut declared = Declared::default();
    let of_profiles = decls.iter().filter(|decl| decl.spec.name == "profile");
    for decl in decls.iter().chain(of_profiles.flat_map(decl::Decl::children)) {
        let list = match decl.spec.name.as_str() {
            "service" => &mut declared.services,
            "task" => &mut declared.tasks,
            "group" => &mut declared.groups,
            "profile" => &mut declared.profiles,
            _ => continue,
        };
        let is_new = |text: &str| name::is_valid(text) && !list.iter().any(|known| known == text);
        if let Some(name) = decl.text().filter(|name| is_new(name.value)) {
            list.push(name.value.to_owned());
        }
    }
    declared
}

/// Whether a `run` of one string may be this: words that need no shell.
pub fn is_plain_command(text: &str) -> bool {
    shell_words::split(text).is_ok()
}

/// What is wrong with a file's syntax alone: what it includes and names is not looked at.
pub fn syntax_problems(file: &Path, text: &str) -> Vec<Finding> {
    let mut sources = source::Sources::default();
    let name = file.file_name().unwrap_or(file.as_os_str()).to_string_lossy();
    let index = sources.add(file.to_path_buf(), name.into_owned(), text.to_owned());
    let mut problems = Problems::default();
    recover::parse(text, index).problems.into_iter().for_each(|problem| problems.add(problem));
    report::findings(problems, &sources).0
}

/// The stack as far as the file can be read, whatever is wrong with it: for what is to be kept out
/// of the words about that.
pub fn sketch(file: &Path, options: &Options) -> Stack {
    let mut problems = Problems::default();
    let read::Read { sources, decls, .. } = read::read(&source::canonical(file), &mut problems);
    let layered = merge::merge(decls, &options.profiles, &mut problems);
    let mut stack = build::build(&layered, &sources, options, &mut problems).stack;
    // What is not in force, or cannot be read as what it is, may be drawn all the same.
    stack.from_files.extend(sources.files.iter().flat_map(|file| called_secret(&file.text)));
    stack
}

/// A string of KDL in a line, as it is written between its quotes.
static QUOTED: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r#""((?:[^"\\]|\\.)*)""#).expect("a constant pattern"));
/// A shorter one is in every second word.
const SHORTEST_SECRET: usize = 4;

/// The strings in the lines that call something a secret, be it with a slip of the pen.
fn called_secret(text: &str) -> impl Iterator<Item = (String, EnvValue)> {
    let says_so = |rest: &str| {
        let value = rest.trim_start().strip_prefix('=').map(str::trim_start);
        value.is_some_and(|value| !value.trim_start_matches('#').starts_with("false"))
    };
    let lines = text.lines().filter(move |line| {
        !line.contains("env-file") && line.split("secret").skip(1).any(says_so)
    });
    let strings = lines.flat_map(|line| QUOTED.captures_iter(line));
    let strings = strings.map(|found| found.get(1).map_or("", |text| text.as_str()).to_owned());
    let secrets = strings.filter(|text| text.len() >= SHORTEST_SECRET && !text.contains("{{"));
    secrets.map(|text| (String::new(), EnvValue { secret: true, ..EnvValue::open(&*text) }))
}

/// The fingerprint of a file as it is now, as [`crate::model::Source`] has it.
pub fn fingerprint_of(file: &Path) -> String {
    read_file(file).map(|bytes| crate::model::fingerprint(&bytes)).unwrap_or_default()
}

/// The variables of an env file as they are now; none if it cannot be read.
pub fn variables_of(env_file: &Path) -> BTreeMap<String, String> {
    let text = read_file(env_file).unwrap_or_default();
    let variables = dotenv::parse(&String::from_utf8_lossy(&text)).unwrap_or_default();
    variables.into_iter().map(|variable| (variable.key, variable.value)).collect()
}

/// Reads and checks a stack file and everything it includes.
///
/// # Errors
/// Every problem of the files, together (warnings too, after the errors).
pub fn load(file: &Path, options: &Options) -> Result<Loaded, Vec<Finding>> {
    let file = source::canonical(file);
    let mut problems = Problems::default();
    let read::Read { sources, decls, incomplete } = read::read(&file, &mut problems);
    let trials = unused::trials(&decls, &options.profiles);
    let mut layered = merge::merge(decls, &options.profiles, &mut problems);
    size::cut(&mut layered, &mut problems);
    let built = build::build(&layered, &sources, options, &mut problems);
    check::check(&built, &layered, &mut problems);
    size::check(&built, &layered, &mut problems);
    trials.into_iter().for_each(|trial| trial.check(&sources, options, &mut problems));
    if incomplete {
        problems.forget_what_follows_from_missing_files();
    }
    let any_error = problems.any_error();
    let (mut errors, mut warnings) = report::findings(problems, &sources);
    if any_error {
        errors.append(&mut warnings);
        return Err(errors);
    }
    let mut stack = built.stack;
    replicas::expand(&mut stack);
    Ok(Loaded { stack, warnings })
}
