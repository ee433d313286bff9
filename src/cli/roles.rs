//! The hidden roles of this program: those that it plays for itself.

use std::{path::Path, process::ExitCode};

use crate::{keeper, runtime};

/// The parent of every service.
pub(super) fn keeper(dir: &Path, resume: Option<keeper::Resume>) -> ExitCode {
    match keeper::run(dir, resume) {
        Ok(()) => ExitCode::SUCCESS,
        // Whoever started it has been told, by its first line.
        Err(_) => ExitCode::FAILURE,
    }
}

/// The one that decides.
pub(super) fn supervisor(dir: &Path) -> ExitCode {
    // What it has to say when it is in trouble goes to a file of the keeper's.
    tracing_subscriber::fmt().with_writer(std::io::stderr).with_ansi(false).init();
    runtime::run(dir)
}

/// The steps of a task, one after the other.
pub(super) fn step() -> ExitCode {
    runtime::step::run()
}
