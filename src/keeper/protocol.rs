//! What supervisor and keeper say to each other: JSON, one message a line, over a socketpair.
//!
//! A *unit* is one process tree that the keeper started: a generation of a service, a run of a
//! task, a hook. The keeper decides nothing; it starts, signals, kills, reaps, and moves logs.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::{
    event::Tick,
    model::{Exit, LogPolicy, Signal},
};

/// The version of this protocol. A keeper of another version is asked to re-exec first.
pub const PROTOCOL: u32 = 1;

/// A process tree: what it is for (`api`, `api:before-start`) and which start of that.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct UnitId {
    /// What it is for.
    pub name: String,
    /// Which start of that, from 1.
    pub generation: u64,
}

/// From the supervisor to the keeper.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "ask", rename_all = "kebab-case")]
pub enum ToKeeper {
    /// Start a unit → `Spawned` or `SpawnFailed`. A unit that was not forgotten is not started.
    Spawn(Box<SpawnSpec>),
    /// Send a signal to a unit (after TERM and the like also CONT, so that a stopped one gets it).
    Signal {
        /// Which.
        unit: UnitId,
        /// The signal.
        signal: Signal,
        /// To every process of the tree, or to the main one alone.
        tree: bool,
    },
    /// Kill every process of a unit and go on until none is left → `Gone`, or `Stuck`.
    Kill {
        /// Which.
        unit: UnitId,
    },
    /// Forget a unit that is gone (its exit has been taken note of).
    Forget {
        /// Which.
        unit: UnitId,
    },
    /// Go on as this program: process id, children and descriptors stay, no service notices, and
    /// the next supervisor is of that program. The connection ends, or `Trouble` says why not.
    Upgrade {
        /// The program: an absolute path.
        program: PathBuf,
    },
    /// Keep these bytes for the next supervisor.
    Note {
        /// The note.
        note: String,
    },
    /// Everything is stopped (asked again, it is answered again): kill whatever is left, until the kernel says that no child is
    /// left, then send `Empty` and exit after the supervisor has closed the connection.
    Finish,
}

/// How to start a unit. Everything is decided: the program is resolved, values are filled in.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SpawnSpec {
    /// Which unit.
    pub unit: UnitId,
    /// The program: an absolute path.
    pub program: PathBuf,
    /// All arguments, `argv[0]` first.
    pub argv: Vec<String>,
    /// The whole environment.
    pub env: Vec<(String, String)>,
    /// The working directory.
    pub dir: PathBuf,
    /// Where its output goes: the log's file; its index lies beside it.
    pub log: PathBuf,
    /// How its output is kept.
    pub log_policy: LogPolicy,
    /// Whether stdin never ends; `/dev/null` otherwise.
    pub stdin_open: bool,
    /// Whether it runs on a pseudo-terminal, which is its stdin then.
    #[serde(default)]
    pub tty: bool,
    /// RLIMIT_NOFILE, where limited.
    pub open_files: Option<u64>,
    /// The numeric user and group to run as, where not the keeper's own.
    pub user: Option<(u32, u32)>,
    /// Bytes to be read from descriptor 3 (a memfd), for stackrun's own helpers.
    pub input: Option<String>,
}

/// From the keeper to the supervisor.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "tell", rename_all = "kebab-case")]
pub enum FromKeeper {
    /// The first message on a connection. What it says of ends is not said again; what it does
    /// not say yet comes after it.
    Hello {
        /// The keeper's protocol.
        protocol: u32,
        /// Its version.
        version: String,
        /// Its process.
        pid: u32,
        /// Every unit that it has not been told to forget.
        units: Vec<UnitReport>,
        /// The last note; empty without one.
        note: String,
    },
    /// A unit runs.
    Spawned {
        /// Which.
        unit: UnitId,
        /// Its main process.
        pid: u32,
        /// The length of the log when it started, for `prints`.
        log_offset: u64,
        /// When.
        at: Tick,
    },
    /// A unit could not be started: the stage (`chdir`, `exec`, `log`) and the system's error.
    SpawnFailed {
        /// Which.
        unit: UnitId,
        /// Both, in one line for a person.
        error: String,
    },
    /// The main process of a unit ended.
    Exited {
        /// Which.
        unit: UnitId,
        /// How.
        exit: Exit,
        /// How many other processes of the tree still live, at the first look after the end. By
        /// now the log holds what it had written (unless the disk stalls).
        left: usize,
        /// When.
        at: Tick,
    },
    /// Every process of a unit is gone, and its log is complete (unless the disk stalls).
    Gone {
        /// Which.
        unit: UnitId,
        /// How many were killed after the main one had ended.
        swept: usize,
    },
    /// Processes of a unit survive SIGKILL for now; said once, `Gone` may still follow.
    Stuck {
        /// Which.
        unit: UnitId,
        /// Each with pid, command and state.
        processes: Vec<String>,
    },
    /// Something about logs or the system that a person should know; each said once.
    Trouble {
        /// What.
        text: String,
    },
    /// The machine shuts down (SIGTERM to the keeper): please stop the stack in order.
    Shutdown,
    /// Answers `Finish`: no child is left, or these could not be ended.
    Empty {
        /// What is left.
        left: Vec<String>,
        /// Whether the kernel itself said so (`ECHILD`), not a scan after a take-over.
        proved: bool,
    },
}

/// A unit as a new supervisor finds it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnitReport {
    /// Which.
    pub unit: UnitId,
    /// Its main process.
    pub pid: u32,
    /// When it was started.
    pub started: Tick,
    /// The length of the log when it started.
    pub log_offset: u64,
    /// How its main process ended, if it has.
    pub exit: Option<Exit>,
    /// Whether every process of it is gone.
    pub gone: bool,
}
