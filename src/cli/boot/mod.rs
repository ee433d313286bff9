//! Starting a stack when the machine starts: what can do that here, and how it is told.

mod crontab;
mod script;
mod systemd;

use std::{
    ffi::OsString,
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    time::Duration,
};

use super::{ambient, error::Error};
use crate::{model::fnv1a, platform};

/// A stack that is to start with the machine, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Job {
    /// The stack's name.
    pub(super) name: String,
    /// The stack's folder.
    pub(super) folder: PathBuf,
    /// The stack file.
    pub(super) file: PathBuf,
    /// This program.
    pub(super) program: PathBuf,
    /// What it needs of the caller's environment: what starts it then has none.
    pub(super) env: Vec<(&'static str, OsString)>,
    /// How often to look in.
    pub(super) every: Option<Duration>,
}

/// What is known of a stack's start with the machine.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub(super) struct Known {
    /// Who starts it: `systemd`, `crontab`.
    pub(super) by: &'static str,
    /// Where that is written: the unit's file, the crontab.
    pub(super) place: String,
    /// How often it looks in, as that one words it.
    pub(super) every: Option<String>,
    /// The program that is started.
    pub(super) program: Option<PathBuf>,
}

/// What became of it, and what a person should still do.
#[derive(Debug, Default)]
pub(super) struct Done {
    pub(super) said: Vec<String>,
    pub(super) warnings: Vec<(String, Option<String>)>,
}

impl Job {
    /// The job of the stack in this folder.
    pub(super) fn new(
        name: &str,
        file: &Path,
        folder: &Path,
        every: Option<Duration>,
    ) -> Result<Self, Error> {
        let program = platform::own_program_file()
            .map_err(|error| Error::Io { path: "stackrun itself".into(), error })?;
        let variables = ["PATH", "LANG"].into_iter();
        let env =
            variables.filter_map(|name| Some((name, ambient::variable_bytes(name)?))).collect();
        let (name, file, folder) = (name.to_owned(), file.to_owned(), folder.to_owned());
        Ok(Self { name, folder, file, program, env, every })
    }
}

/// Where the user's settings are.
fn config() -> Option<PathBuf> {
    ambient::path_variable("XDG_CONFIG_HOME")
        .or_else(|| Some(ambient::path_variable("HOME")?.join(".config")))
}

/// A mark that no other stack has.
fn mark(folder: &Path) -> String {
    format!("{:016x}", fnv1a(folder.as_os_str().as_encoded_bytes()))
}

/// Has the stack start with the machine.
pub(super) fn enable(job: &Job) -> Result<Done, Error> {
    if systemd::is_here() {
        // Never twice.
        crontab::remove(&job.folder)?;
        return systemd::enable(job);
    }
    if !crontab::is_here() {
        let text = "neither a systemd user manager nor a `crontab` program was found";
        return Err(Error::Other(format!("{text}: install cron (apt install cron)")));
    }
    crontab::enable(job)
}

/// Undoes it; whether there was anything to undo.
pub(super) fn disable(folder: &Path) -> Result<bool, Error> {
    let unit = systemd::disable(folder)?;
    let line = crontab::remove(folder)?;
    Ok(unit || line)
}

/// How the stack in this folder is started with the machine, if it is.
pub(super) fn known(folder: &Path) -> Result<Option<Known>, Error> {
    match systemd::known(folder) {
        Some(known) => Ok(Some(known)),
        None => crontab::known(folder),
    }
}

/// Runs a program of the system, with that on its standard input.
#[expect(clippy::disallowed_methods, reason = "a program of the system, not a service")]
fn run(program: &str, args: &[&str], input: Option<&str>) -> std::io::Result<Output> {
    let mut command = Command::new(program);
    command.args(args).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.stdin(if input.is_some() { Stdio::piped() } else { Stdio::null() });
    let mut child = command.spawn()?;
    if let (Some(mut stdin), Some(input)) = (child.stdin.take(), input) {
        stdin.write_all(input.as_bytes())?;
    }
    child.wait_with_output()
}

/// Whether a program is in PATH.
fn is_program(name: &str) -> bool {
    which::which(name).is_ok()
}

/// What a program that failed has said.
fn said(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stderr);
    let text = text.trim();
    if text.is_empty() { output.status.to_string() } else { text.to_owned() }
}
