//! The hidden roles of this program: those that it plays for itself. They have a small grammar of
//! their own: that of the verbs takes longer to make than some of them take to start.

use std::{
    io,
    os::fd::RawFd,
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::Parser;

use crate::{executor, keeper, platform, reporters::terminal::printed};

#[derive(Debug, Parser)]
enum Role {
    /// The parent of every service (stackrun starts it itself)
    Keeper {
        /// The stack's folder
        #[arg(long)]
        dir: PathBuf,
        /// The descriptors that the program before left open
        #[arg(long)]
        resume: Option<keeper::Resume>,
        /// What the supervisor of a keeper that died knows is on stdin
        #[arg(long)]
        checkpoint: bool,
        /// The terminal of a service, which the supervisor of a keeper that died has left open; may
        /// repeat
        #[arg(long = "terminal")]
        terminals: Vec<RawFd>,
    },
    /// The one that decides (the keeper starts it)
    Supervisor {
        /// The stack's folder
        #[arg(long)]
        dir: PathBuf,
    },
    /// The steps of a task (the keeper starts it)
    Step,
}

/// Plays the role that the first argument names, if it names one.
pub(super) fn play() -> Option<ExitCode> {
    let first = std::env::args_os().nth(1)?;
    if !["keeper", "supervisor", "step"].iter().any(|role| first == *role) {
        return None;
    }
    platform::name_process(c"stackrun");
    Some(match Role::parse() {
        Role::Keeper { dir, resume, checkpoint, terminals } => {
            keeper(&dir, resume, checkpoint, &terminals)
        }
        Role::Supervisor { dir } => supervisor(&dir),
        Role::Step => step(),
    })
}

/// The parent of every service.
fn keeper(
    dir: &Path,
    resume: Option<keeper::Resume>,
    checkpoint: bool,
    terminals: &[RawFd],
) -> ExitCode {
    match keeper::run(dir, resume, checkpoint, terminals) {
        Ok(()) => ExitCode::SUCCESS,
        // The one that started it has been told, by its first line.
        Err(_) => ExitCode::FAILURE,
    }
}

/// The one that decides.
fn supervisor(dir: &Path) -> ExitCode {
    platform::raise_limits();
    platform::survive_signals();
    // What it has to say when it is in trouble goes to a file of the keeper's.
    tracing_subscriber::fmt().with_writer(|| WithoutSecrets).with_ansi(false).init();
    std::panic::set_hook(Box::new(|panic| tracing::error!("{panic}")));
    executor::run(dir)
}

/// Standard error for whole messages, which secrets are masked in.
struct WithoutSecrets;

impl io::Write for WithoutSecrets {
    fn write(&mut self, message: &[u8]) -> io::Result<usize> {
        let text = printed(&String::from_utf8_lossy(message));
        io::stderr().lock().write_all(text.as_bytes())?;
        Ok(message.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().lock().flush()
    }
}

/// The steps of a task, one after the other.
fn step() -> ExitCode {
    platform::survive_signals();
    executor::step::run()
}
