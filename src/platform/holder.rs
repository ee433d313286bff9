//! Who holds a port.

use std::{io, net::IpAddr, path::PathBuf};

use super::{
    Description, Entry, Listener, MARK, ProcId, StackPaths, describe, holders, listeners, own_uid,
    user_name,
};

/// How the mark of a check's command ends, where others have a generation.
const CHECK: &str = "check";

/// Who holds a port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Holder {
    /// No process.
    Free,
    /// A process that a stack has started, be it one that its stack has lost sight of.
    Service {
        /// Which stack's, and which service's.
        mark: Mark,
        /// The process.
        process: Description,
    },
    /// Another process.
    Stranger(Description),
    /// A process that we may not look at.
    Hidden {
        /// Whose it is.
        user: String,
    },
}

/// The mark that a keeper gives to what it starts: `STACKRUN_ID=stack:stamp:name:generation`. A
/// supervisor gives the commands of checks another one: `STACKRUN_ID=stack:pid-start:name:check`,
/// by its own process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mark {
    /// The stack: its identity ([`super::StackId`]) as text.
    pub stack: String,
    /// The service or task.
    pub name: String,
    /// The whole mark, as it stands in the environment.
    pub text: String,
}

impl Mark {
    /// The mark of a process, if it has one.
    pub fn of(process: &Entry) -> Option<Self> {
        Self::parse(&process.mark()?)
    }

    /// A mark as it stands in an environment.
    pub fn parse(text: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(text).ok()?.to_owned();
        let mut parts = text.strip_prefix(MARK)?.strip_prefix('=')?.split(':');
        let stack = parts.next()?.to_owned();
        // A hook's name is `service:hook`.
        let name = parts.nth(1)?.to_owned();
        Some(Self { stack, name, text })
    }

    /// Which start of what: `api:3`, or of a hook `api:before-start:3`.
    pub fn unit(&self) -> Option<&str> {
        self.text.splitn(3, ':').nth(2)
    }

    /// The number that no other start of the stack has; none in the mark of a check's command.
    pub fn stamp(&self) -> Option<u64> {
        u64::from_str_radix(self.text.split(':').nth(1)?, 16).ok()
    }

    /// The value of `STACKRUN_ID` for the checks that this process asks of a service.
    pub fn of_check(places: &StackPaths, service: &str) -> String {
        let stack = places.id;
        let pid = std::process::id();
        let start = ProcId::of(pid).map_or(0, |id| id.start);
        format!("{stack}:{pid}-{start}:{service}:{CHECK}")
    }

    /// Who asks, and waits for it, if it is the mark of a check's command.
    pub fn asker(&self) -> Option<ProcId> {
        let text = self.text.strip_suffix(CHECK)?.strip_suffix(':')?;
        let (pid, start) = text.split(':').nth(1)?.split_once('-')?;
        Some(ProcId { pid: pid.parse().ok()?, start: start.parse().ok()? })
    }

    /// Whether it is of this stack.
    pub fn is_of(&self, places: &StackPaths) -> bool {
        self.stack.parse() == Ok(places.id)
    }

    /// The folder of its stack, as long as that has a keeper.
    pub fn folder(&self) -> Option<PathBuf> {
        StackPaths::of_stack(self.stack.parse().ok()?).map(|places| places.folder)
    }
}

/// What listens on a port so that nothing else can at this address, or at any if it is not known. A
/// closed connection that lingers does not count.
///
/// # Errors
///
/// Those of asking the system for its listening sockets.
pub fn in_the_way(port: u16, host: Option<IpAddr>) -> io::Result<Vec<Listener>> {
    let mut listeners = listeners(&[port])?;
    listeners.retain(|listener| listener.is_in_the_way_of(host));
    Ok(listeners)
}

impl Holder {
    /// Looks who holds a port. Of several processes that share a socket it is the one that the
    /// others come from.
    ///
    /// # Errors
    ///
    /// Those of asking the system for its listening sockets.
    pub fn of(port: u16) -> io::Result<Self> {
        Self::at(port, None)
    }

    /// Finds what holds a port against one who wants to listen on this address, if that is known:
    /// a listener on another address does not count.
    ///
    /// # Errors
    ///
    /// Those of asking the system for its listening sockets.
    pub fn at(port: u16, host: Option<IpAddr>) -> io::Result<Self> {
        let listeners = in_the_way(port, host)?;
        let Some(first) = listeners.first() else { return Ok(Self::Free) };
        let inodes: Vec<u64> = listeners.iter().map(|listener| listener.inode).collect();
        let found = holders(&inodes, None).into_iter().next();
        let process = found.and_then(|(inode, pid)| describe(origin(inode, pid)));
        let Some(process) = process else {
            return Ok(Self::Hidden { user: user_name(first.uid) });
        };
        let mark = Entry::read(process.id.pid).as_ref().and_then(Mark::of);
        Ok(match mark {
            Some(mark) => Self::Service { mark, process },
            None => Self::Stranger(process),
        })
    }

    /// The process, where it may be looked at.
    pub fn process(&self) -> Option<&Description> {
        match self {
            Self::Service { process, .. } | Self::Stranger(process) => Some(process),
            Self::Free | Self::Hidden { .. } => None,
        }
    }

    /// Whose it is; `None` if it is free.
    pub fn user(&self) -> Option<&str> {
        match self {
            Self::Service { process, .. } | Self::Stranger(process) => Some(&process.user),
            Self::Hidden { user } => Some(user),
            Self::Free => None,
        }
    }

    /// The process, where it is this user's own, so that it may be ended.
    pub fn own_process(&self) -> Option<&Description> {
        let own = user_name(own_uid());
        self.process().filter(|process| process.user == own)
    }
}

/// In one line, as it follows "is held by".
impl std::fmt::Display for Holder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Free => f.write_str("no process"),
            Self::Hidden { user } => write!(f, "a process of {user}"),
            Self::Stranger(process) => write!(f, "{process}"),
            Self::Service { mark, process } => {
                let name = &mark.name;
                match mark.folder() {
                    Some(folder) => write!(f, "`{name}` of the stack in {}", folder.display())?,
                    None => write!(f, "`{name}` of another stack")?,
                }
                write!(f, ": {process}")
            }
        }
    }
}

/// `pid 812 (nginx: master process), user www-data, in /srv, since 2026-03-01 10:42:13`: it is
/// kept as the reason of what failed and read later, so it says no age.
impl std::fmt::Display for Description {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { id, command, dir, user, .. } = self;
        write!(f, "pid {} ({command}), user {user}", id.pid)?;
        if let Some(dir) = dir {
            write!(f, ", in {}", dir.display())?;
        }
        write!(f, ", since {}", super::local_time(self.started))
    }
}

/// The process that a socket comes from: the holder's furthest ancestor that holds it without a
/// break, such as the master of a server's workers.
fn origin(inode: u64, pid: u32) -> u32 {
    let mut origin = pid;
    while let Some(parent) = Entry::read(origin).map(|entry| entry.parent)
        && parent > 1
        && holders(&[inode], Some(&[parent])).contains_key(&inode)
    {
        origin = parent;
    }
    origin
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_tells_whose_it_is_and_who_waits_for_it() {
        let places = StackPaths::of(std::path::Path::new("/")).unwrap();
        let mark = format!("{MARK}={}", Mark::of_check(&places, "api"));
        let mark = Mark::parse(mark.as_bytes()).unwrap();
        assert!(mark.is_of(&places));
        assert_eq!((&*mark.name, mark.stamp()), ("api", None));
        assert_eq!(mark.asker(), ProcId::of(std::process::id()));
        let mark = Mark::parse(b"STACKRUN_ID=00ff:1a2b:api:stop:7").unwrap();
        assert_eq!((&*mark.name, mark.asker()), ("api", None));
        assert_eq!((mark.unit(), mark.stamp()), (Some("api:stop:7"), Some(0x1a2b)));
    }
}
