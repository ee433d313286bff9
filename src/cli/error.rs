//! What can go wrong with a command: how it is worded, what to do next, and the exit status.

use std::{io, path::PathBuf};

use super::missing::Missing;
use crate::{
    control::ClientError, core::stack::Refusal, keeper::LaunchError, language::Finding,
    reporters::wording::count,
};

/// The exit statuses of every command but `run` and `exec`.
pub(super) mod status {
    /// All that was asked for holds.
    pub(crate) const OK: u8 = 0;
    /// Something failed.
    pub(crate) const FAILED: u8 = 1;
    /// The stack file or the command line is wrong; nothing was touched.
    pub(crate) const WRONG: u8 = 2;
    /// Nothing is running, or not all that was asked for.
    pub(crate) const NOT_RUNNING: u8 = 3;
    /// A port is held by someone else.
    pub(crate) const PORT: u8 = 4;
    /// `--timeout` ran out.
    pub(crate) const TIMEOUT: u8 = 124;
    /// `run` and `exec`: stackrun's own failure, not the command's.
    pub(crate) const OWN: u8 = 125;
    /// `run` and `exec`: the command cannot be run.
    pub(crate) const CANNOT_RUN: u8 = 126;
    /// `run` and `exec`: the command is not there.
    pub(crate) const NOT_FOUND: u8 = 127;
    /// Ctrl-C.
    pub(crate) const INTERRUPTED: u8 = 130;
}

/// Why a command could not be carried out.
#[derive(Debug)]
pub(super) enum Error {
    /// There is no stack file here or above.
    NoFile {
        /// Where the search began.
        from: PathBuf,
    },
    /// The stack file that was named is not there.
    FileMissing(PathBuf),
    /// The stack file has errors.
    Problems(Vec<Finding>),
    /// No running stack has this name.
    NoSuchStack {
        /// The name.
        name: String,
        /// A running one of almost the same name.
        similar: Option<String>,
    },
    /// The request was understood and not carried out.
    Refused(Refusal),
    /// Several names are of nothing in the stack.
    UnknownNames(Vec<UnknownName>),
    /// No command or option is called so.
    UnknownWord {
        /// A command, an option, or an argument.
        what: &'static str,
        /// As it was typed.
        word: String,
        /// What was probably meant.
        similar: Option<String>,
    },
    /// An argument makes no sense.
    Argument(String),
    /// An argument is missing, or is none of those that there are.
    Usage {
        /// What is wrong.
        text: String,
        /// What would be right.
        fix: String,
    },
    /// Programs that the services need are not there.
    MissingPrograms(Vec<Missing>),
    /// A port that is to be had is held by someone else.
    PortHeld(String),
    /// Nothing is running.
    NotRunning {
        /// The stack, where its name is known.
        stack: Option<String>,
    },
    /// The supervisor could not be talked to.
    Client(ClientError),
    /// A task asks first, and there is no terminal to answer at.
    Unconfirmed(String),
    /// The answer was no.
    Declined,
    /// A command could not be executed.
    Exec {
        /// Which.
        program: String,
        /// Why.
        error: io::Error,
    },
    /// A file could not be read or written.
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// A file that is to be written is there already.
    Exists(PathBuf),
    /// The reader of the output has gone away: `stackrun logs | head`.
    OutputClosed,
    /// Anything else, in one line.
    Other(String),
}

/// A name that is of nothing in the stack.
#[derive(Debug)]
pub(super) struct UnknownName {
    /// As it was typed.
    pub(super) name: String,
    /// What was probably meant.
    pub(super) similar: Option<String>,
}

/// Where the names are to be seen.
const DECLARED: &str = "`stackrun graph` shows what the file declares";

impl Error {
    /// The exit status of a command that ended with this error.
    pub(super) fn status(&self) -> u8 {
        match self {
            Self::NoFile { .. }
            | Self::FileMissing(_)
            | Self::Problems(_)
            | Self::NoSuchStack { .. }
            | Self::UnknownWord { .. }
            | Self::Argument(_)
            | Self::Usage { .. }
            | Self::UnknownNames(_)
            | Self::Refused(Refusal::UnknownName { .. } | Refusal::WrongKind { .. }) => {
                status::WRONG
            }
            Self::NotRunning { .. } => status::NOT_RUNNING,
            Self::PortHeld(_) => status::PORT,
            Self::Refused(Refusal::Window { .. })
            | Self::MissingPrograms(_)
            | Self::Client(_)
            | Self::Unconfirmed(_)
            | Self::Declined
            | Self::Exec { .. }
            | Self::Io { .. }
            | Self::Exists(_)
            | Self::Other(_) => status::FAILED,
            Self::OutputClosed => status::OK,
        }
    }

    /// The exit status where a command's own status is passed on, and must be told from this.
    pub(super) fn status_of_passed_on(&self) -> u8 {
        match self {
            Self::Exec { error, .. } if error.kind() == io::ErrorKind::NotFound => {
                status::NOT_FOUND
            }
            Self::Exec { .. } => status::CANNOT_RUN,
            _ if self.status() == status::FAILED => status::OWN,
            _ => self.status(),
        }
    }

    /// What went wrong: mostly one thing, each with a mark of its own where it is shown, in one or
    /// more lines.
    pub(super) fn texts(&self) -> Vec<Vec<String>> {
        match self {
            Self::MissingPrograms(missing) => missing.iter().map(Missing::lines).collect(),
            other => vec![vec![other.to_string()]],
        }
    }

    /// What to do about it.
    pub(super) fn hint(&self) -> Option<String> {
        Some(match self {
            Self::NoFile { .. } => {
                "`stackrun init` makes a first one; `--file FILE` names one".into()
            }
            Self::FileMissing(_) => "give the path of a stack file".into(),
            Self::Problems(_) => "nothing was started or changed".into(),
            Self::NoSuchStack { similar: Some(similar), .. } => {
                format!("did you mean `{similar}`?")
            }
            Self::NoSuchStack { similar: None, .. } => "`stackrun ls` lists what is running".into(),
            Self::UnknownWord { similar: Some(similar), .. } => {
                format!("did you mean `{similar}`?")
            }
            Self::UnknownWord { similar: None, .. } => {
                "`--help` after a command lists its options, alone it lists the commands".into()
            }
            Self::Refused(Refusal::UnknownName { similar, .. }) => match similar {
                Some(similar) => format!("did you mean `{similar}`?"),
                None => DECLARED.into(),
            },
            Self::UnknownNames(unknown) => {
                let meant = unknown.iter().filter_map(|UnknownName { name, similar }| {
                    Some(format!("`{}` for `{name}`", similar.as_ref()?))
                });
                let meant: Vec<String> = meant.collect();
                match meant.is_empty() {
                    true => DECLARED.into(),
                    false => format!("did you mean {}?", meant.join(", ")),
                }
            }
            Self::Refused(Refusal::WrongKind { is, name }) if is == "task" => {
                format!("`stackrun run {name}` runs a task")
            }
            Self::Refused(Refusal::WrongKind { name, .. }) => {
                format!("`stackrun up {name}` starts a service")
            }
            Self::Refused(Refusal::Window { task, .. }) => {
                format!("it comes back when `{task}` has ended; `stackrun why {task}`")
            }
            Self::MissingPrograms(_) => "nothing was started".into(),
            Self::NotRunning { .. } => "`stackrun up` starts it".into(),
            Self::PortHeld(_) => "nothing was started; `stackrun ports` shows all of them".into(),
            Self::Client(ClientError::Version { .. }) => {
                "`stackrun upgrade` has this version take over; no service is restarted".into()
            }
            Self::Client(ClientError::Unreachable(obstacle)) => obstacle.advice(),
            Self::Client(ClientError::Launch(LaunchError::Refused(_))) => {
                "nothing was started".into()
            }
            Self::Client(ClientError::Refused(_)) => "`stackrun status` shows what there is".into(),
            Self::Client(_) => "`stackrun doctor` looks for the cause".into(),
            Self::Unconfirmed(_) => "`--yes` confirms it".into(),
            Self::Usage { fix, .. } => fix.clone(),
            Self::Exists(_) => "nothing was written; `--stdout` shows what would be".into(),
            Self::Argument(_)
            | Self::Declined
            | Self::Exec { .. }
            | Self::Io { .. }
            | Self::OutputClosed
            | Self::Other(_) => return None,
        })
    }
}

impl std::fmt::Display for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NoFile { from } => {
                write!(f, "there is no stack.kdl in {} or above", from.display())
            }
            Self::FileMissing(path) => write!(f, "there is no file {}", path.display()),
            Self::Problems(problems) => {
                let warnings = problems.iter().filter(|problem| problem.is_warning()).count();
                let errors = count(problems.len() - warnings, "problem");
                match warnings {
                    0 => write!(f, "the stack file has {errors}"),
                    _ => {
                        write!(f, "the stack file has {errors}, and {}", count(warnings, "warning"))
                    }
                }
            }
            Self::NoSuchStack { name, .. } => write!(f, "no running stack is called `{name}`"),
            Self::Refused(Refusal::UnknownName { name, .. }) => {
                write!(f, "there is no service, task or group `{name}`")
            }
            Self::UnknownNames(unknown) => {
                let names = unknown.iter().map(|UnknownName { name, .. }| format!("`{name}`"));
                let names = names.collect::<Vec<_>>().join(", ");
                write!(f, "there is no service, task or group {names}")
            }
            Self::Refused(Refusal::WrongKind { name, is }) => write!(f, "`{name}` is a {is}"),
            Self::Refused(Refusal::Window { name, task }) => {
                write!(f, "`{name}` is held down by the task `{task}`, which runs without it")
            }
            Self::UnknownWord { what: "argument", word, .. } => {
                write!(f, "unexpected argument `{word}`")
            }
            Self::UnknownWord { what, word, .. } => write!(f, "there is no {what} `{word}`"),
            Self::Argument(message)
            | Self::Usage { text: message, .. }
            | Self::PortHeld(message)
            | Self::Other(message) => f.write_str(message),
            Self::MissingPrograms(missing) => {
                let texts: Vec<String> = missing.iter().map(ToString::to_string).collect();
                f.write_str(&texts.join("\n"))
            }
            Self::NotRunning { stack: Some(stack) } => write!(f, "{stack} is not running"),
            Self::NotRunning { stack: None } => f.write_str("nothing is running here"),
            Self::Client(error) => error.fmt(f),
            Self::Unconfirmed(question) => {
                write!(f, "confirmation needed, but there is no terminal: {question}")
            }
            Self::Declined => f.write_str("not confirmed: nothing was run"),
            Self::Exec { program, error } => match error.kind() {
                io::ErrorKind::NotFound => write!(f, "there is no program `{program}`"),
                io::ErrorKind::PermissionDenied => write!(f, "`{program}` is not executable"),
                _ => write!(f, "cannot run `{program}`: {error}"),
            },
            Self::Exists(path) => write!(f, "{} already exists", path.display()),
            Self::Io { path, error } => write!(f, "{}: {error}", path.display()),
            Self::OutputClosed => f.write_str("the output was closed"),
        }
    }
}

impl From<ClientError> for Error {
    fn from(error: ClientError) -> Self {
        Self::Client(error)
    }
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}
