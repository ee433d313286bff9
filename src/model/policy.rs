//! How a service is kept: restarts, stopping, logs, limits, watches.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// A signal, by its number on this platform.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Signal(i32);

/// The signals that have names, with the numbers of this platform (signal(7)).
#[cfg(unix)]
const NAMES: [(&str, i32); 30] = [
    ("SIGHUP", libc::SIGHUP),
    ("SIGINT", libc::SIGINT),
    ("SIGQUIT", libc::SIGQUIT),
    ("SIGILL", libc::SIGILL),
    ("SIGTRAP", libc::SIGTRAP),
    ("SIGABRT", libc::SIGABRT),
    ("SIGBUS", libc::SIGBUS),
    ("SIGFPE", libc::SIGFPE),
    ("SIGKILL", libc::SIGKILL),
    ("SIGUSR1", libc::SIGUSR1),
    ("SIGSEGV", libc::SIGSEGV),
    ("SIGUSR2", libc::SIGUSR2),
    ("SIGPIPE", libc::SIGPIPE),
    ("SIGALRM", libc::SIGALRM),
    ("SIGTERM", libc::SIGTERM),
    ("SIGCHLD", libc::SIGCHLD),
    ("SIGCONT", libc::SIGCONT),
    ("SIGSTOP", libc::SIGSTOP),
    ("SIGTSTP", libc::SIGTSTP),
    ("SIGTTIN", libc::SIGTTIN),
    ("SIGTTOU", libc::SIGTTOU),
    ("SIGURG", libc::SIGURG),
    ("SIGXCPU", libc::SIGXCPU),
    ("SIGXFSZ", libc::SIGXFSZ),
    ("SIGVTALRM", libc::SIGVTALRM),
    ("SIGPROF", libc::SIGPROF),
    ("SIGWINCH", libc::SIGWINCH),
    ("SIGIO", libc::SIGIO),
    ("SIGSYS", libc::SIGSYS),
    ("SIGPWR", if cfg!(target_os = "linux") { 30 } else { -1 }),
];
/// The signals that have names: a few, where the platform has none of its own.
#[cfg(not(unix))]
const NAMES: [(&str, i32); 4] = [("SIGINT", 2), ("SIGKILL", 9), ("SIGTERM", 15), ("SIGHUP", 1)];

impl Signal {
    /// The polite request to end.
    pub const TERM: Self = Self(15);
    /// The end that cannot be refused.
    pub const KILL: Self = Self(9);
    /// Sent to who writes to a pipe that nobody reads.
    pub const PIPE: Self = Self(13);

    /// The signal of that number.
    pub const fn from_number(number: i32) -> Self {
        Self(number)
    }

    /// The signal of that name: `SIGTERM`, `TERM`, any case; or a number.
    pub fn from_name(name: &str) -> Option<Self> {
        if let Ok(number) = name.parse::<i32>() {
            return (1..=64).contains(&number).then_some(Self(number));
        }
        let upper = name.to_ascii_uppercase();
        let bare = upper.strip_prefix("SIG").unwrap_or(&upper);
        let known = NAMES.iter().find(|(name, number)| &name[3..] == bare && *number > 0);
        known.map(|&(_, number)| Self(number))
    }

    /// Every name that [`Signal::from_name`] knows, for suggestions.
    pub fn names() -> impl Iterator<Item = &'static str> {
        NAMES.iter().map(|(name, _)| *name)
    }

    /// Its number on this platform.
    pub const fn number(self) -> i32 {
        self.0
    }
}

impl std::fmt::Display for Signal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match NAMES.iter().find(|(_, number)| *number == self.0) {
            Some((name, _)) => f.write_str(name),
            None => write!(f, "signal {}", self.0),
        }
    }
}

impl Serialize for Signal {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match NAMES.iter().find(|(_, number)| *number == self.0) {
            Some((name, _)) => serializer.serialize_str(name),
            None => serializer.serialize_str(&self.0.to_string()),
        }
    }
}

impl<'de> Deserialize<'de> for Signal {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        // As it is shown where it has no name.
        Self::from_name(name.strip_prefix("signal ").unwrap_or(&name))
            .ok_or_else(|| serde::de::Error::custom(format!("unknown signal `{name}`")))
    }
}

/// When a service that has ended is started again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Restart {
    /// After which ends.
    pub when: RestartWhen,
    /// This many restarts in a sliding `within`, then it has failed.
    pub tries: u32,
    /// The window; also how long it must stay up for count and delay to be reset.
    pub within: Duration,
    /// The first pause; it doubles with each try.
    pub delay: Duration,
    /// The longest pause.
    pub max_delay: Duration,
}

impl Default for Restart {
    fn default() -> Self {
        Self {
            when: RestartWhen::OnFailure,
            tries: 5,
            within: Duration::from_secs(60),
            delay: Duration::from_millis(200),
            max_delay: Duration::from_secs(30),
        }
    }
}

/// After which ends a service is started again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RestartWhen {
    /// After any.
    Always,
    /// After failures.
    OnFailure,
    /// After none.
    Never,
}

/// How a service is stopped.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stop {
    /// A command that asks it to end, before the signal.
    pub command: Option<super::Command>,
    /// The signal.
    pub signal: Signal,
    /// Who gets the signal.
    pub to: StopTo,
    /// How long the tree may take after the signal; then SIGKILL.
    pub grace: Duration,
}

impl Default for Stop {
    fn default() -> Self {
        Self {
            command: None,
            signal: Signal::TERM,
            to: StopTo::Tree,
            grace: Duration::from_secs(10),
        }
    }
}

/// Who gets a signal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StopTo {
    /// Every process of the service.
    #[default]
    Tree,
    /// The main process alone.
    Main,
}

/// How much of a service's output is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogPolicy {
    /// Rotate at this many bytes.
    pub max_size: u64,
    /// Keep this many rotated files.
    pub keep: u32,
    /// Keep rotated files this long.
    pub max_age: Duration,
    /// Compress rotated files.
    pub compress: bool,
    /// stderr in a file of its own.
    pub split: bool,
}

impl Default for LogPolicy {
    fn default() -> Self {
        Self {
            max_size: 10 << 20,
            keep: 5,
            max_age: Duration::from_secs(7 * 24 * 3600),
            compress: true,
            split: false,
        }
    }
}

/// Resource limits.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Limits {
    /// Open files (RLIMIT_NOFILE).
    pub open_files: Option<u64>,
    /// Processors' worth of time, such as 1.5 (a cgroup's).
    pub cpu: Option<f64>,
    /// Processes (a cgroup's).
    pub processes: Option<u64>,
}

/// The user to run as.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    /// User name.
    pub user: String,
    /// Group name; the user's own without one.
    pub group: Option<String>,
}

/// Files whose change restarts a service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Watch {
    /// Globs, absolute.
    pub globs: Vec<String>,
    /// Globs to leave out, absolute.
    pub ignore: Vec<String>,
    /// A change counts once it has been quiet for this long.
    pub debounce: Duration,
    /// What to do.
    pub then: WatchThen,
}

/// What a change of a watched file does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WatchThen {
    /// Restarts the service.
    Restart,
    /// Sends a signal to the main process.
    Signal(Signal),
    /// Runs a task.
    Task(String),
}
