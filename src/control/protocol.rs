//! What clients and supervisor say to each other: JSON, one message a line, over a Unix socket.

use std::{collections::BTreeMap, path::PathBuf};

use serde::{Deserialize, Serialize};

use crate::{
    core::stack::{Command, Outcome},
    event::Record,
    model::Signal,
    platform::RunAs,
    status::Status,
};

/// The version of this protocol.
pub const PROTOCOL: u32 = 2;

/// The longest message of a client, in bytes.
pub const MAX_MESSAGE: usize = 32 << 20;

/// What is said of one that is longer.
pub(super) fn too_long(limit: usize) -> String {
    format!("a message to the supervisor may be {} KiB long at most", limit >> 10)
}

/// From a client.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Ask {
    /// The client's own number for this request; every answer repeats it.
    pub id: u64,
    /// What it asks for.
    pub request: Request,
}

/// What a client asks for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Request {
    /// The first one on a connection.
    Hello {
        /// The client's protocol.
        protocol: u32,
        /// Its version.
        version: String,
        /// Its process.
        pid: u32,
    },
    /// Continue as another program, which restarts no service → the connection ends, or `Error`. May
    /// come before `Hello`, and is in every version the same, as `Hello` and its answer are: this
    /// is how any version takes over from any other.
    Upgrade {
        /// The program: an absolute path.
        #[serde(with = "crate::model::path_text")]
        program: PathBuf,
    },
    /// The stack now → `Status`.
    Status,
    /// Something that takes time → records (if asked for), then `Outcome`.
    Do(Job),
    /// What `up` would do and why → `Plan`.
    Plan {
        /// The command (an `Up`).
        command: Command,
    },
    /// Records from `since` on (all kept in memory if 0) and, with `follow`, for ever → `Record`s,
    /// `End` without `follow`.
    Events {
        /// The first sequence number.
        since: u64,
        /// Whether to continue.
        follow: bool,
    },
    /// The causal chain behind a service's or task's state → `Why`.
    Why {
        /// Which.
        name: String,
    },
    /// Send a signal → `Ok`.
    Signal {
        /// The service.
        name: String,
        /// The signal.
        signal: Signal,
        /// To the whole tree.
        tree: bool,
        /// The command line that asks.
        #[serde(default)]
        line: String,
    },
    /// End the run of a task that this connection asked for, as Ctrl-C does → `Ok`.
    CancelRun {
        /// The number of that request.
        ask: u64,
    },
    /// The stack last applied, secrets and all → `Stack`.
    Stack,
    /// The environment that a service would be started with → `Environment`.
    Environment {
        /// The service or task.
        name: String,
    },
    /// Which of these processes are of the stack → `Owners`.
    Owners {
        /// The processes.
        pids: Vec<u32>,
    },
}

/// A command for the supervisor to carry out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Job {
    /// What to do.
    pub command: Command,
    /// The command line, as the user typed it, for the ledger.
    pub line: String,
    /// The caller's environment, for `up`, `restart` and `run`.
    pub env: Option<BTreeMap<String, String>>,
    /// Whether to send the records of the whole stack meanwhile.
    pub follow: bool,
    /// Stop everything if this client goes away (`--foreground`).
    pub foreground: bool,
    /// Stop the process that holds a port, if it is the user's own (`--take-ports`).
    #[serde(default)]
    pub take_ports: bool,
}

impl Job {
    /// A command and nothing else: no environment, no records.
    pub fn new(command: Command, line: String) -> Self {
        Self { command, line, env: None, follow: false, foreground: false, take_ports: false }
    }
}

/// From the supervisor.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Answer {
    /// The request's number.
    pub id: u64,
    /// The answer.
    pub reply: Reply,
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reply {
    /// Answers `Hello`.
    Hello {
        /// The supervisor's protocol.
        protocol: u32,
        /// Its version.
        version: String,
        /// Its process.
        pid: u32,
        /// Its keeper's process: when that has ended, the stack is down for good.
        keeper: u32,
        /// Whether anything was ever asked of it; before that, nothing is running.
        used: bool,
    },
    /// Answers `Status`.
    Status {
        /// The stack now.
        status: Status,
    },
    /// Something happened.
    Record {
        /// What.
        record: Record,
    },
    /// This many records were left out because the client was slow.
    Skipped {
        /// How many.
        records: u64,
    },
    /// The request is done. For the `down` of a whole stack: the keeper's proof, too.
    Outcome {
        /// How it ended.
        outcome: Outcome,
        /// After the `down` of everything: what is left.
        #[serde(default)]
        left: Option<Left>,
        /// After an `up`: the stack then.
        #[serde(default)]
        status: Option<Box<Status>>,
    },
    /// Answers `Plan`.
    Plan {
        /// What would be done.
        plan: crate::core::plan::Plan,
    },
    /// Answers `Why`.
    Why {
        /// The chain, the asked-for one first.
        why: crate::core::stack::Why,
    },
    /// Answers `Stack`.
    Stack {
        /// The stack last applied.
        stack: Box<crate::model::Stack>,
    },
    /// Answers `Environment`.
    Environment {
        /// The variables.
        env: BTreeMap<String, String>,
        /// The working directory.
        #[serde(with = "crate::model::path_text")]
        dir: PathBuf,
        /// Whom it runs as, where not our own user.
        #[serde(default)]
        user: Option<RunAs>,
    },
    /// Answers `Owners`.
    Owners {
        /// The stack's name.
        stack: String,
        /// Those that are.
        owners: Vec<Owned>,
    },
    /// Done.
    Ok,
    /// The end of a stream.
    End,
    /// The request could not be carried out.
    Error {
        /// Why, in one line.
        message: String,
    },
}

/// A process of the stack.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owned {
    /// The process.
    pub pid: u32,
    /// The service or task that it is part of.
    pub name: String,
}

/// What is left after the `down` of a whole stack.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Left {
    /// Processes that could not be ended: each with its pid and what it does.
    pub processes: Vec<String>,
    /// Declared ports that are still listened on by something of the stack.
    pub ports: Vec<u16>,
    /// Whether the kernel itself said that no child is left.
    pub proved: bool,
    /// What could not be looked at and may be of the stack, in a line each.
    #[serde(default)]
    pub unproved: Vec<String>,
}
