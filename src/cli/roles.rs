//! The hidden roles of this program: those that it plays for itself.

use std::{
    ffi::{OsStr, OsString},
    path::Path,
    process::ExitCode,
};

use crate::{keeper, runtime};

/// The parent of every service: `keeper --dir DIR`.
pub(super) fn keeper(arguments: &[OsString]) -> ExitCode {
    let Some(dir) = dir(arguments) else { return usage("keeper") };
    // What is wrong is said on the pipe to whoever started it.
    match keeper::run(dir) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

/// The one that decides: `supervisor --dir DIR`.
pub(super) fn supervisor(arguments: &[OsString]) -> ExitCode {
    let Some(dir) = dir(arguments) else { return usage("supervisor") };
    tracing_subscriber::fmt().with_writer(std::io::stderr).with_ansi(false).init();
    runtime::run(dir)
}

/// The steps of a task, one after the other.
pub(super) fn step() -> ExitCode {
    runtime::step::run()
}

fn dir(arguments: &[OsString]) -> Option<&Path> {
    match arguments {
        [flag, dir] if flag == OsStr::new("--dir") => Some(Path::new(dir)),
        _ => None,
    }
}

fn usage(role: &str) -> ExitCode {
    eprintln!("stackrun {role} is started by stackrun itself; try `stackrun up`");
    ExitCode::from(2)
}
