//! A command that is run once for its exit status: a check.
//!
//! duct starts it, in a process group of its own. Nobody reaps the group's leader before the
//! group has been killed, so that the group's number cannot have come to mean somebody else.

use std::{
    io::{self, Read, Seek, SeekFrom},
    path::PathBuf,
    time::Duration,
};

use std::os::unix::process::CommandExt as _;

use tokio::io::{Interest, unix::AsyncFd};

use super::checks::Environment;
use crate::{
    core::lifecycle::millis,
    model::{Signal, path_text},
    platform::{self, Process, RunAs, Watched},
    reason::CheckAnswer,
};

/// How much of a command's output is looked at for its last line, in bytes.
const EXCERPT: u64 = 4096;

/// The pause between two looks at a command that no descriptor tells of.
const NEXT_LOOK: Duration = Duration::from_millis(5);

/// A command with everything resolved.
#[derive(Debug, Clone)]
pub(super) struct CheckCommand {
    pub(super) program: PathBuf,
    pub(super) args: Vec<String>,
    pub(super) env: Environment,
    pub(super) dir: PathBuf,
    /// Whom to run as, where not our own user.
    pub(super) user: Option<RunAs>,
    pub(super) label: String,
}

/// A command that runs; dropping it ends the command and its whole tree.
struct Running {
    handle: Option<duct::Handle>,
}

impl CheckCommand {
    /// The command as it would be named to a person.
    pub(super) fn label(&self) -> &str {
        &self.label
    }

    /// Runs the command; an `Err` says how it failed.
    pub(super) async fn run(&self, timeout: Duration) -> Result<(), CheckAnswer> {
        let mut output = tempfile::tempfile().map_err(|error| error.to_string())?;
        let running = self.start(&output)?;
        let ended = running.ended(timeout).await?;
        if !ended {
            running.kill_escapees();
        }
        let status = running.finish().await;
        if !ended {
            return Err(CheckAnswer::NoAnswer { within_ms: millis(timeout) });
        }
        match status? {
            status if status.success() => Ok(()),
            status => Err(CheckAnswer::Exit {
                exit: platform::exit_of(status),
                output: last_line(&mut output),
            }),
        }
    }

    fn start(&self, output: &std::fs::File) -> Result<Running, String> {
        let file = output.try_clone().map_err(|error| error.to_string())?;
        let arguments = self.args.iter().map(|argument| path_text::decode_text(argument));
        let handle = duct::cmd(&self.program, arguments)
            .dir(&self.dir)
            .full_env(super::io_errors::variables(&self.env))
            .stdin_null()
            .stdout_file(file)
            .stderr_to_stdout()
            .unchecked()
            .before_spawn({
                let user = self.user.clone();
                move |command| {
                    command.process_group(0);
                    platform::with_callers_limits(command);
                    user.clone().into_iter().for_each(|user| user.runs(command));
                    Ok(())
                }
            })
            .start();
        match handle {
            Ok(handle) => Ok(Running { handle: Some(handle) }),
            Err(error) => {
                Err(format!("{}: {}", self.program.display(), super::io_errors::os_error(&error)))
            }
        }
    }
}

impl Running {
    /// Waits for the end of the command, without reaping it; `false` at the time-out.
    async fn ended(&self, timeout: Duration) -> Result<bool, String> {
        for pid in self.handle.iter().flat_map(duct::Handle::pids) {
            match tokio::time::timeout(timeout, end_of_child(pid)).await {
                Ok(result) => result.map_err(|error| error.to_string())?,
                Err(_) => return Ok(false),
            }
        }
        Ok(true)
    }

    /// Kills the descendants, be they in sessions of their own. They are found as long as their
    /// parents live.
    fn kill_escapees(&self) {
        let pids = self.handle.iter().flat_map(duct::Handle::pids);
        for process in pids.flat_map(platform::descendants).filter_map(Process::open) {
            let _ended = process.signal(Signal::KILL);
        }
    }

    /// Kills what is left of the group, then reaps the command.
    async fn finish(mut self) -> Result<std::process::ExitStatus, String> {
        let Some(handle) = self.handle.take() else { return Err("it ran twice".into()) };
        kill_groups(&handle);
        let reaped = tokio::task::spawn_blocking(move || handle.wait().map(|output| output.status));
        match reaped.await {
            Ok(result) => result.map_err(|error| error.to_string()),
            Err(error) => Err(error.to_string()),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.kill_escapees();
        if let Some(handle) = self.handle.take() {
            kill_groups(&handle);
            // SIGKILL was sent: this waits for the kernel alone.
            tokio::task::spawn_blocking(move || handle.wait().map(|_| ()));
        }
    }
}

/// Waits until this child of ours has ended, and leaves it a zombie.
async fn end_of_child(pid: u32) -> io::Result<()> {
    if let Some(descriptor) = Watched::open(pid).descriptor()? {
        // SAFETY: an owned descriptor stays open, and the same, until the `AsyncFd` is gone.
        let ended = unsafe { AsyncFd::register_with_interest(descriptor, Interest::READABLE)? };
        return ended.readable().await.map(drop);
    }
    // There are systems without such descriptors, and there may be none left.
    while matches!(platform::peek(pid), Ok(None)) {
        tokio::time::sleep(NEXT_LOOK).await;
    }
    Ok(())
}

fn kill_groups(handle: &duct::Handle) {
    for pid in handle.pids() {
        // ESRCH: the command had ended, and nobody else was in its group.
        let _empty = platform::kill_group(pid, Signal::KILL);
    }
}

/// The last line that a command printed.
fn last_line(output: &mut std::fs::File) -> Option<String> {
    let length = output.metadata().map_or(0, |metadata| metadata.len());
    let mut text = Vec::new();
    let read = output
        .seek(SeekFrom::Start(length.saturating_sub(EXCERPT)))
        .and_then(|_| output.take(EXCERPT).read_to_end(&mut text));
    let mut text = &*String::from_utf8_lossy(&text);
    if length > EXCERPT {
        // The first line was cut, and half a secret is not found in it.
        text = text.split_once('\n').map_or("", |(_, rest)| rest);
    }
    let mut lines = text.lines().rev().map(str::trim).filter(|_| read.is_ok());
    lines.find(|line| !line.is_empty()).map(str::to_owned)
}
