//! The stack file: text → [`Stack`], with every problem at its place.
//!
//! ```text
//! read      files → KDL → declarations that the schema knows (syntax, value)
//! layers    defaults, template, service, profile → one declaration each
//! build     strings' {{values}}, paths, names → the model
//! check     what no node shows by itself: cycles, ports, windows
//! ```
//!
//! Every stage goes on with what is right and adds what is wrong to one list, so that all
//! problems are told together.

mod build;
mod check;
mod cycle;
mod decl;
mod dotenv;
mod explain;
mod fmt;
mod layers;
mod name;
mod plain;
mod problem;
mod read;
mod report;
mod scan;
mod schema;
mod source;
mod syntax;
mod template;
mod unsupported;
mod value;
mod values;
mod words;

#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use self::problem::Problems;
pub use self::{
    explain::{UnknownKey, explain, keys, schema_text},
    fmt::fmt,
    report::{Label, Look, ProblemData, data, render},
    unsupported::{Unsupported, unsupported},
};
use crate::model::Stack;

/// What a stack file is read with.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// The caller's environment, for `{{env.KEY}}`.
    pub env: BTreeMap<String, String>,
    /// The profiles in force (`--profile`).
    pub profiles: Vec<String>,
    /// Services whose ports give way: `busy="ask"` (nothing said) is read as `busy="next"`, since
    /// that was the answer.
    pub giving_way: BTreeSet<String>,
}

/// A file that was read without errors.
#[derive(Debug)]
pub struct Loaded {
    /// What it says.
    pub stack: Stack,
    /// Warnings: shown, never fatal.
    pub warnings: Vec<miette::Report>,
}

/// Reads and checks a stack file and everything it includes.
///
/// # Errors
/// Every problem of the files, together (warnings too, after the errors).
pub fn load(file: &Path, options: &Options) -> Result<Loaded, Vec<miette::Report>> {
    let file = source::canonical(file);
    let mut problems = Problems::default();
    let read::Read { sources, decls, incomplete } = read::read(&file, &mut problems);
    let layered = layers::merge(decls, &options.profiles, &mut problems);
    let built = build::build(&layered, &sources, options, &mut problems);
    check::check(&built, &layered, &mut problems);
    if incomplete {
        problems.forget_what_follows_from_missing_files();
    }
    let any_error = problems.any_error();
    let (mut errors, mut warnings) = report::reports(problems, &sources);
    if any_error {
        errors.append(&mut warnings);
        return Err(errors);
    }
    Ok(Loaded { stack: built.stack, warnings })
}
