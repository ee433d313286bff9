//! Starting a keeper from the command line.

use std::{
    io::{self, BufRead, BufReader},
    os::{
        fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd},
        unix::process::CommandExt,
    },
    path::Path,
    process::{Command, Stdio},
    thread,
};

use super::protocol::Checkpoint;
use crate::platform::{self, HOLDS, MARK, StackPaths};

/// What a keeper says first: one of these, on its stdout.
pub(super) const READY: &str = "ready";
pub(super) const HELD: &str = "held";
pub(super) const ERROR: &str = "error: ";

/// What came of starting a keeper.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Launched {
    /// It runs, and its control socket can be connected to.
    Ready,
    /// Another one holds the stack: connect to that.
    Held,
}

/// A keeper that could not be started.
#[derive(Debug, thiserror::Error)]
pub enum LaunchError {
    /// The program could not be started.
    #[error("cannot start the keeper: {0}")]
    Start(io::Error),
    /// It said what was wrong.
    #[error("the keeper failed to start: {0}")]
    Refused(String),
    /// It exited without reporting an error.
    #[error("the keeper exited without reporting an error ({0})")]
    Silent(std::process::ExitStatus),
}

/// Starts a keeper for a stack, as `program keeper --dir DIR` in a session of its own, and waits
/// until it is ready.
///
/// # Errors
///
/// [`LaunchError`]: it could not be started, or could not do its work.
pub fn launch(places: &StackPaths, program: &Path) -> Result<Launched, LaunchError> {
    launch_as(command(places, program))
}

/// The same, with what the supervisor of a keeper that died knows, and the terminals of services
/// that it holds.
///
/// # Errors
///
/// As [`launch`].
pub fn launch_with(
    places: &StackPaths,
    program: &Path,
    checkpoint: &Checkpoint,
    terminals: &[OwnedFd],
) -> Result<Launched, LaunchError> {
    let mut command = command(places, program);
    let text = serde_json::to_string(checkpoint).map_err(io::Error::other);
    // Not in a file that has a name: there are secrets among them.
    let checkpoint = text.and_then(|text| platform::input_file(&text, &places.fifo("checkpoint")));
    command.arg("--checkpoint");
    for terminal in terminals {
        command.arg("--terminal").arg(terminal.as_raw_fd().to_string());
    }
    let terminals: Vec<_> = terminals.iter().map(AsFd::as_fd).collect();
    launch_on(command, checkpoint.map_err(LaunchError::Start)?.into(), &terminals)
}

fn command(places: &StackPaths, program: &Path) -> Command {
    #[expect(clippy::disallowed_methods, reason = "the one process that is not a service")]
    let mut command = Command::new(program);
    command
        .arg0("stackrun")
        .arg("keeper")
        .arg("--dir")
        .arg(places.to_hand_over())
        .current_dir("/")
        .env_remove(MARK)
        .env(HOLDS, places.id.to_string());
    command
}

/// Starts a keeper by this command.
///
/// # Errors
///
/// As [`launch`].
pub fn launch_as(command: Command) -> Result<Launched, LaunchError> {
    launch_on(command, Stdio::null(), &[])
}

fn launch_on(
    mut command: Command,
    stdin: Stdio,
    handed_down: &[BorrowedFd<'_>],
) -> Result<Launched, LaunchError> {
    command.stdin(stdin).stdout(Stdio::piped()).stderr(Stdio::null());
    platform::detach(&mut command);
    platform::hand_down(&mut command, handed_down);
    let mut child = command.spawn().map_err(LaunchError::Start)?;
    let mut line = String::new();
    if let Some(stdout) = child.stdout.take() {
        BufReader::new(stdout).read_line(&mut line).map_err(LaunchError::Start)?;
    }
    match line.trim_end() {
        READY => {
            // Ours for as long as we live: killed, it is not to stay a zombie.
            thread::spawn(move || child.wait());
            Ok(Launched::Ready)
        }
        answer => {
            let status = child.wait().map_err(LaunchError::Start)?;
            match (answer, answer.strip_prefix(ERROR)) {
                (HELD, _) => Ok(Launched::Held),
                (_, Some(error)) => Err(LaunchError::Refused(error.to_owned())),
                _ => Err(LaunchError::Silent(status)),
            }
        }
    }
}
