//! A first stack file: from what other tools have been told, and from what stands in a folder.
//!
//! ```text
//! yaml, js          a file → values, each with its line
//! procfile, compose, process_compose, pm2
//!                   values → a draft, what was carried over, what was not and why
//! folder            what stands in a folder → a draft
//! draft             the draft → KDL
//! settle            what the language refuses is taken out, and said
//! ```
//!
//! What comes out passes `check`, whatever goes in. Nothing is executed: of JavaScript only the
//! literals are read.

mod command;
mod compose;
mod container;
mod drop_rejected;
mod folder;
mod js;
mod kdl_text;
mod kdl_writer;
mod names;
mod pm2;
mod process_compose;
mod procfile;
mod report;
#[cfg(test)]
mod tests;
mod value;
mod yaml;

use std::path::Path;

pub(crate) use drop_rejected::drop_rejected;
pub(crate) use folder::{guess, others};
pub(crate) use kdl_writer::Draft;
pub(crate) use report::{Note, Report};

use value::Value;

/// What kind of file is imported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    /// A line for each process: foreman, overmind, Heroku.
    Procfile,
    /// Docker Compose.
    Compose,
    /// process-compose.
    ProcessCompose,
    /// PM2's ecosystem file.
    Pm2,
}

impl Format {
    /// What to call such a file.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Procfile => "a Procfile",
            Self::Compose => "a compose file",
            Self::ProcessCompose => "a process-compose file",
            Self::Pm2 => "a PM2 ecosystem file",
        }
    }
}

/// Why a file cannot be imported.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ImportError {
    /// It does not parse.
    #[error("line {line}: {message}")]
    Syntax {
        /// Where, from 1.
        line: usize,
        /// Why.
        message: String,
    },
    /// It is none of the kinds that are known.
    #[error("it is neither a Procfile nor a compose, process-compose or PM2 ecosystem file")]
    Unknown,
    /// It declares nothing that could be run.
    #[error("nothing in it can be run")]
    Empty,
}

/// A file that was imported.
#[derive(Debug)]
pub(crate) struct Imported {
    /// What it was.
    pub(crate) format: Format,
    /// The stack.
    pub(crate) draft: Draft,
    /// What was carried over, and what was not.
    pub(crate) report: Report,
}

/// Files beside the one that is imported, by their path from there; none for one that is missing.
pub(crate) type Beside<'a> = &'a dyn Fn(&Path) -> Option<String>;

/// Reads a file of another tool. `stack` is the stack's name where the file has none.
///
/// # Errors
/// It does not parse, or nothing in it can be run.
pub(crate) fn import(
    file: &Path,
    text: &str,
    stack: &str,
    beside: Beside<'_>,
) -> Result<Imported, ImportError> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let (format, value) = recognise(file, text)?;
    let mut report = Report::default();
    let mut draft = Draft::new(stack);
    match (format, &value) {
        (Format::Compose, Some(value)) => {
            compose::import(value, &mut draft, &mut report, beside);
        }
        (Format::ProcessCompose, Some(value)) => {
            process_compose::import(value, &mut draft, &mut report);
        }
        (Format::Pm2, Some(value)) => pm2::import(value, &mut draft, &mut report),
        (Format::Procfile, _) | (_, None) => {
            procfile::import(text, &mut draft, &mut report, beside);
        }
    }
    if draft.is_empty() {
        return Err(ImportError::Empty);
    }
    Ok(Imported { format, draft, report })
}

/// What kind of file it is: by its name, and where that says nothing by what stands in it.
fn recognise(file: &Path, text: &str) -> Result<(Format, Option<Value>), ImportError> {
    let name = file.file_name().map(|name| name.to_string_lossy().to_lowercase());
    let name = name.unwrap_or_default();
    let ends = |endings: &[&str]| endings.iter().any(|ending| name.ends_with(ending));
    if ends(&[".js", ".cjs", ".mjs", ".ts", ".json", ".json5"]) {
        return Ok((Format::Pm2, Some(js::parse(text)?)));
    }
    if !ends(&[".yml", ".yaml"]) && (name.contains("procfile") || procfile::is_one(text)) {
        return Ok((Format::Procfile, None));
    }
    let value = yaml::parse(text)?;
    let has = |key: &str| value.get(key).is_some();
    let format = if has("processes") {
        Format::ProcessCompose
    } else if has("services") {
        Format::Compose
    } else if has("apps") {
        Format::Pm2
    } else {
        return Err(ImportError::Unknown);
    };
    Ok((format, Some(value)))
}
