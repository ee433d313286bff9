//! The hidden roles of this program: those that it plays for itself.

use std::{ffi::OsString, process::ExitCode};

/// The parent of every service.
pub(super) fn keeper(arguments: &[OsString]) -> ExitCode {
    let _ = arguments;
    ExitCode::FAILURE
}

/// The one that decides.
pub(super) fn supervisor(arguments: &[OsString]) -> ExitCode {
    let _ = arguments;
    ExitCode::FAILURE
}

/// The steps of a task, one after the other.
pub(super) fn step(arguments: &[OsString]) -> ExitCode {
    let _ = arguments;
    ExitCode::FAILURE
}
