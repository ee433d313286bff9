//! What supervisor and keeper say to each other: JSON, one message a line, over a socketpair.
//!
//! A *unit* is one process tree that the keeper started: a generation of a service, a run of a
//! task, a hook. The keeper decides nothing; it starts, signals, kills, reaps, and moves logs.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

pub use super::unit_id::{Part, UnitId};
use crate::{
    event::{Place, Tick},
    model::{Background, Exit, LogPolicy, Signal, is_default},
    platform::{CgroupLimits, RunAs},
};

/// The version of this protocol. A keeper of another version is asked to re-exec first.
pub const PROTOCOL: u32 = 5;

/// From the supervisor to the keeper.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ToKeeper {
    /// What is in the environment of every start to come, but for what its own message says: most
    /// starts have all of it in common. Holds until the next one, or the end of the connection.
    Environment {
        /// Names and values.
        variables: Vec<(String, String)>,
    },
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
    /// Ask a unit to end, by a signal as above. Once: asked again, by a supervisor that cannot know
    /// whether the one before was heard, it is left alone, since many programs take a second signal
    /// for "at once".
    Stop {
        /// Which.
        unit: UnitId,
        /// The signal.
        signal: Signal,
        /// To every process of the tree, or to the main one alone.
        tree: bool,
    },
    /// Kill every process of a unit, again and again, until none is left → `Gone`, or `Stuck`. Of one that
    /// was never started none is left.
    Kill {
        /// Which.
        unit: UnitId,
    },
    /// Forget a unit that is gone (its exit has been taken note of).
    Forget {
        /// Which.
        unit: UnitId,
    },
    /// Become this program: process id, children and descriptors stay, no service notices, and
    /// the next supervisor is of that program. The connection ends, or `UpgradeFailed` comes.
    /// In every version the same.
    Upgrade {
        /// The program: an absolute path.
        #[serde(with = "crate::model::path_text")]
        program: PathBuf,
    },
    /// Keep this for the next supervisor, in the place of what was kept under this name.
    Keep {
        /// Under which name.
        part: CheckpointPart,
        /// What.
        text: String,
    },
    /// Keep this too, after what is kept under this name.
    KeepAlso {
        /// Under which name.
        part: CheckpointPart,
        /// What.
        text: String,
    },
    /// Everything is stopped (asked again, it is answered again): kill whatever is left, until the kernel says that no child is
    /// left, then send `Empty` and exit after the supervisor has closed the connection; or `Left`.
    Finish,
    /// Say `Pong`: a keeper that does not is stopped, or stuck in the system.
    Ping,
}

/// How to start a unit. Everything is decided: the program is resolved, values are filled in.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SpawnSpec {
    /// Which unit.
    pub unit: UnitId,
    /// The program: an absolute path.
    #[serde(with = "crate::model::path_text")]
    pub program: PathBuf,
    /// All arguments, `argv[0]` first.
    pub argv: Vec<String>,
    /// What its environment has beside the latest `Environment`, or in the place of what is there.
    #[serde(default, skip_serializing_if = "is_default")]
    pub env: Vec<(String, String)>,
    /// What it lacks of that.
    #[serde(default, skip_serializing_if = "is_default")]
    pub unset: Vec<String>,
    /// The working directory.
    #[serde(with = "crate::model::path_text")]
    pub dir: PathBuf,
    /// Where its output goes: the log's file; its index lies beside it.
    #[serde(with = "crate::model::path_text")]
    pub log: PathBuf,
    /// How its output is kept.
    #[serde(default, skip_serializing_if = "is_default")]
    pub log_policy: LogPolicy,
    /// Whether stdin never ends; `/dev/null` otherwise.
    #[serde(default, skip_serializing_if = "is_default")]
    pub stdin_open: bool,
    /// Whether it runs on a pseudo-terminal, which is its stdin then.
    #[serde(default, skip_serializing_if = "is_default")]
    pub tty: bool,
    /// RLIMIT_NOFILE, where limited.
    #[serde(default, skip_serializing_if = "is_default")]
    pub open_files: Option<u64>,
    /// The limits of its cgroup, where it is to have one.
    #[serde(default, skip_serializing_if = "is_default")]
    pub limits: Option<CgroupLimits>,
    /// Whom to run as, where not the keeper's own user.
    #[serde(default, skip_serializing_if = "is_default")]
    pub user: Option<RunAs>,
    /// Whether it gets a `NOTIFY_SOCKET` to say on that it is ready.
    #[serde(default, skip_serializing_if = "is_default")]
    pub notify: bool,
    /// Bytes to be read from descriptor 3 (a memfd), for stackrun's own helpers.
    #[serde(default, skip_serializing_if = "is_default")]
    pub input: Option<String>,
}

/// What the keeper keeps for the next supervisor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CheckpointPart {
    /// What is wanted, and how far everything is.
    Note,
    /// The stack last applied.
    Stack,
    /// What must not be in any file: it lives as long as the keeper's process.
    Secrets,
}

impl CheckpointPart {
    /// Whether a keeper that takes over finds it too.
    pub(super) fn outlives_the_keeper(self) -> bool {
        match self {
            Self::Note | Self::Stack => true,
            Self::Secrets => false,
        }
    }
}

/// All that the keeper keeps.
pub type Checkpoint = std::collections::BTreeMap<CheckpointPart, String>;

/// From the keeper to the supervisor.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
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
        #[serde(default)]
        units: Vec<UnitReport>,
        /// What the last supervisor gave to keep.
        #[serde(default)]
        checkpoint: Checkpoint,
        /// What could not be ended when the stack was to be.
        #[serde(default)]
        left: Vec<String>,
    },
    /// A unit runs.
    Spawned {
        /// Which.
        unit: UnitId,
        /// Its main process.
        pid: u32,
        /// Where in the log its output begins.
        #[serde(default)]
        log: Place,
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
    /// A process of the unit has sent `READY=1` (sd_notify(3)); said once.
    Notified {
        /// Which.
        unit: UnitId,
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
        /// The first of them, where it ended well, and left it in the background.
        #[serde(default, skip_serializing_if = "is_default")]
        background: Option<Background>,
        /// Whether the kernel has killed it because memory ran out, as far as its cgroup or the
        /// kernel's log tells.
        #[serde(default)]
        out_of_memory: bool,
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
    /// Processes that have left their unit, and of which nothing tells which that was; said again
    /// whenever there are others.
    Strays {
        /// Each in one line for a person.
        processes: Vec<String>,
    },
    /// Something about logs or the system that a person should know; each said once.
    Trouble {
        /// What.
        text: String,
    },
    /// Answers `Upgrade`: it stays the program that it is.
    UpgradeFailed {
        /// Why, in one line for a person.
        error: String,
    },
    /// The machine shuts down (SIGTERM to the keeper): please stop the stack in order.
    Shutdown,
    /// Answers `Finish`: nothing is left.
    Empty {
        /// Whether the kernel itself said so (`ECHILD`), not a look at all processes.
        proved: bool,
        /// What that could not see and may be of the stack, in a line each.
        #[serde(default)]
        unproved: Vec<String>,
    },
    /// What could not be ended. Said when `Finish` was given up, and again when some of it has ended.
    Left {
        /// Each with pid, command and state, and why it could not be ended; nothing once all have
        /// ended.
        processes: Vec<String>,
        /// Whether it answers `Finish`: everything stays as it is, and may be ended later.
        gave_up: bool,
    },
    /// Answers `Ping`.
    Pong,
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
    /// Where in the log its output begins.
    #[serde(default)]
    pub log: Place,
    /// Whether a process of it has sent `READY=1`.
    #[serde(default)]
    pub notified: bool,
    /// How its main process ended, if it has.
    pub exit: Option<Exit>,
    /// What it has left in the background, if it ended well.
    #[serde(default, skip_serializing_if = "is_default")]
    pub background: Option<Background>,
    /// Whether the kernel killed it because memory ran out.
    #[serde(default)]
    pub out_of_memory: bool,
    /// Whether every process of it is gone.
    pub gone: bool,
    /// Whether no record tells of its start: it was found by its mark, and by what definition it was
    /// started is not known.
    #[serde(default)]
    pub found: bool,
}
