//! What keeps a command from the supervisor of its stack, as it was looked up, and what to do.

use std::fmt;

use crate::platform::{
    self, Description, Entry, StackPaths, Standstill, Table, lock_holder, standstill,
};

/// What keeps a command from the supervisor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Obstacle {
    /// A process that is needed for an answer does nothing at all.
    StandsStill {
        /// What it is to the stack.
        role: Role,
        /// Which.
        process: Description,
        /// Why.
        why: Standstill,
    },
    /// The stack is held, and no answer has come in time.
    Silent {
        /// Who should have, as far as is known: the supervisor, else the keeper.
        process: Option<Description>,
    },
    /// The keeper runs in a network namespace that this one is cut off from.
    OtherNetwork {
        /// The keeper.
        keeper: Description,
    },
    /// There is a keeper, and it cannot be connected to.
    Deaf {
        /// The keeper.
        keeper: Description,
    },
    /// Another user's keeper holds the stack.
    OtherUser {
        /// The user's name.
        user: String,
    },
    /// A program that is none of ours has locked the stack's folder.
    Locked {
        /// The program.
        process: Description,
        /// All that hold the lock: a child inherits it.
        all: Vec<u32>,
    },
    /// A process that cannot be seen from here has locked the folder.
    Unseen,
}

/// What a process is to a stack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// The parent of its services.
    Keeper,
    /// The one who decides.
    Supervisor,
    /// Another one, who has locked its folder.
    Other,
}

impl Role {
    /// As the program's own processes say with their first arguments.
    fn of(process: &Description) -> Self {
        let mut words = process.command.split(' ');
        match (words.next(), words.next()) {
            (Some("stackrun"), Some("keeper")) => Self::Keeper,
            (Some("stackrun"), Some("supervisor")) => Self::Supervisor,
            _ => Self::Other,
        }
    }
}

impl Obstacle {
    /// Looks whether the keeper or its supervisor is stopped.
    pub fn before_keeper(keeper: u32) -> Option<Self> {
        Self::standing_still(keeper).or_else(|| Self::before_supervisor(keeper))
    }

    /// Looks whether the supervisor that a keeper has now is stopped.
    pub fn before_supervisor(keeper: u32) -> Option<Self> {
        Self::standing_still(supervisor_of(keeper)?)
    }

    /// Looks whether a process is stopped.
    pub fn standing_still(pid: u32) -> Option<Self> {
        let why = standstill(pid)?;
        let process = platform::describe(pid)?;
        Some(Self::StandsStill { role: Role::of(&process), process, why })
    }

    /// Finds who holds a stack from which no answer comes. `listening` is another user who listens
    /// in its name.
    pub fn behind_lock(places: &StackPaths, listening: Option<u32>) -> Self {
        let own = platform::user_name(platform::own_uid());
        let Some(process) = lock_holder(places).and_then(platform::describe) else {
            return match listening {
                Some(uid) => Self::OtherUser { user: platform::user_name(uid) },
                None => Self::Unseen,
            };
        };
        if let Some(still) = Self::before_keeper(process.id.pid).filter(|_| process.user == own) {
            return still;
        }
        match Role::of(&process) {
            Role::Supervisor | Role::Other => {
                let mut all = platform::lock_holders(places);
                if all.is_empty() {
                    all.push(process.id.pid);
                }
                Self::Locked { process, all }
            }
            Role::Keeper if process.user != own => Self::OtherUser { user: process.user },
            Role::Keeper if !platform::shares_network(process.id.pid) => {
                Self::OtherNetwork { keeper: process }
            }
            Role::Keeper => Self::Deaf { keeper: process },
        }
    }

    /// No answer has come from this keeper in time.
    pub fn silence(keeper: Option<u32>) -> Self {
        let process = keeper.map(|keeper| supervisor_of(keeper).unwrap_or(keeper));
        Self::Silent { process: process.and_then(platform::describe) }
    }

    /// Whether it may be over in a moment: a process on its way up, a short command of another
    /// process.
    pub(super) fn may_pass(&self) -> bool {
        match self {
            Self::Deaf { .. } | Self::Locked { .. } | Self::Unseen | Self::StandsStill { .. } => {
                true
            }
            Self::Silent { .. } | Self::OtherNetwork { .. } | Self::OtherUser { .. } => false,
        }
    }

    /// What to do about it.
    pub fn advice(&self) -> String {
        match self {
            Self::StandsStill { process, why, .. } => match why {
                Standstill::Stopped => {
                    let pid = process.id.pid;
                    format!("`kill -CONT {pid}` resumes it; then repeat the command")
                }
                Standstill::Traced { by } => {
                    format!(
                        "end process {by}, or have it resume what it traces; then repeat the command"
                    )
                }
                Standstill::Frozen { file, thawed } => {
                    let file = file.display();
                    format!("`echo {thawed} > {file}` resumes it; then repeat the command")
                }
            },
            Self::Silent { process } => {
                let busy = "the machine may be busy: repeat the command";
                match process {
                    Some(process) if Role::of(process) == Role::Supervisor => format!(
                        "{busy}; if that does not help, `kill {}` has another supervisor started, \
                         and stops no service",
                        process.id.pid
                    ),
                    Some(_) | None => busy.to_owned(),
                }
            }
            Self::OtherNetwork { keeper } => {
                let pid = keeper.id.pid;
                let user = match platform::own_uid() {
                    0 => String::new(),
                    uid => format!(" --setuid {uid}"),
                };
                format!(
                    "give the command where the stack was started, or as root: \
                     `nsenter --target {pid} --net{user} stackrun …`"
                )
            }
            Self::Deaf { keeper } => {
                format!("`kill {}` has it stop the stack in order", keeper.id.pid)
            }
            Self::OtherUser { user } => format!("run it as that user: `sudo -u {user} stackrun …`"),
            Self::Locked { process, all } => {
                let end = match process.user == platform::user_name(platform::own_uid()) {
                    true => {
                        let all: Vec<String> = all.iter().map(u32::to_string).collect();
                        format!("end it (`kill {}`)", all.join(" "))
                    }
                    false => format!("have user {} end it", process.user),
                };
                format!("wait until it has ended, or {end}, and repeat the command")
            }
            Self::Unseen => {
                "give the command where the stack was started, as in the same container".to_owned()
            }
        }
    }
}

/// The supervisor that a keeper has now.
fn supervisor_of(keeper: u32) -> Option<u32> {
    let table = Table::read().ok()?;
    let children = table.entries().iter().filter(|entry: &&Entry| entry.parent == keeper);
    let mut children = children.filter_map(|child| platform::describe(child.id.pid));
    children.find(|child| Role::of(child) == Role::Supervisor).map(|child| child.id.pid)
}

/// Which process, by number and command line.
struct Named<'a>(&'a Description);

impl fmt::Display for Named<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "process {} ({})", self.0.id.pid, self.0.command)
    }
}

impl fmt::Display for Obstacle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::StandsStill { role, process, why } => {
                let who = match role {
                    Role::Keeper => "the stack's keeper",
                    Role::Supervisor => "the stack's supervisor",
                    Role::Other => "the program that has locked the stack's folder",
                };
                let process = Named(process);
                match why {
                    Standstill::Stopped => write!(f, "{who} is stopped: {process}"),
                    Standstill::Traced { by } => {
                        let by = platform::describe(*by);
                        write!(f, "{who} is stopped by a debugger: {process}")?;
                        by.map_or(Ok(()), |by| write!(f, ", held by {}", Named(&by)))
                    }
                    Standstill::Frozen { .. } => {
                        write!(f, "{who} is frozen with its cgroup: {process}")
                    }
                }
            }
            Self::Silent { process: Some(process) } => {
                write!(f, "the stack is running, and has not answered in time: {}", Named(process))
            }
            Self::Silent { process: None } => {
                f.write_str("the stack is running, and has not answered in time")
            }
            Self::OtherNetwork { keeper } => write!(
                f,
                "the stack's keeper is in another network namespace, and cannot be reached from \
                 here: {}",
                Named(keeper)
            ),
            Self::Deaf { keeper } => write!(
                f,
                "the stack's keeper cannot be connected to; it may be of another version: {}",
                Named(keeper)
            ),
            Self::OtherUser { user } => {
                write!(f, "the stack is held by user `{user}`, who alone controls it")
            }
            Self::Locked { process, .. } => {
                write!(f, "another program has locked the stack's folder: {}", Named(process))?;
                match process.user == platform::user_name(platform::own_uid()) {
                    true => Ok(()),
                    false => write!(f, ", user {}", process.user),
                }
            }
            Self::Unseen => f.write_str(
                "the stack's folder is locked by a process that cannot be seen from here: of \
                 another container, or of another user",
            ),
        }
    }
}
