//! Who holds a port.

use std::{path::Path, time::Duration};

use super::error::Error;
use crate::{
    model::Signal,
    platform::{self, Description, Entry, MARK, Places, ProcId, Process, Watched},
};

/// How long a process may take to end after SIGTERM.
const GRACE: Duration = Duration::from_secs(5);

/// Who holds a port.
#[derive(Debug)]
pub(super) enum Holder {
    /// Nobody.
    Free,
    /// A service of a stack.
    Service {
        /// Whether it is one of the stack asked about.
        ours: bool,
        /// The service.
        name: String,
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

/// Looks who holds a port, as seen from the stack in this folder.
pub(super) fn of(port: u16, folder: &Path) -> Result<Holder, Error> {
    let listeners = platform::listeners(&[port])
        .map_err(|error| Error::Other(format!("cannot look at port {port}: {error}")))?;
    let Some(first) = listeners.first() else { return Ok(Holder::Free) };
    let inodes: Vec<u64> = listeners.iter().map(|listener| listener.inode).collect();
    let pid = platform::holders(&inodes, None).into_values().next();
    let Some(process) = pid.and_then(platform::describe) else {
        return Ok(Holder::Hidden { user: platform::user_name(first.uid) });
    };
    let ours = Places::of(folder).ok();
    let ours = ours.and_then(|places| Some(places.runtime.file_name()?.to_str()?.to_owned()));
    Ok(match marked(process.id.pid) {
        Some((stack, name)) => Holder::Service { ours: Some(stack) == ours, name, process },
        None => Holder::Stranger(process),
    })
}

/// The stack and the service by the mark that a keeper gives: `STACKRUN_ID=stack:…:name:1`.
fn marked(pid: u32) -> Option<(String, String)> {
    let mark = String::from_utf8(Entry::read(pid)?.mark()?).ok()?;
    let mark = mark.strip_prefix(MARK)?.strip_prefix('=')?;
    let mut parts = mark.split(':');
    let stack = parts.next()?.to_owned();
    let name = parts.rev().nth(1)?.to_owned();
    Some((stack, name))
}

impl Holder {
    /// In one line.
    pub(super) fn text(&self) -> String {
        let of = |process: &Description| {
            let dir = process.dir.as_ref().map(|dir| format!(", in {}", dir.display()));
            let Description { id, command, user, .. } = process;
            format!("pid {} ({command}), user {user}{}", id.pid, dir.unwrap_or_default())
        };
        match self {
            Self::Free => "free".into(),
            Self::Service { ours: true, name, process } => {
                format!("ours: {name}, pid {}", process.id.pid)
            }
            Self::Service { ours: false, name, process } => {
                format!("held by `{name}` of another stack: {}", of(process))
            }
            Self::Stranger(process) => format!("held by {}", of(process)),
            Self::Hidden { user } => format!("held by a process of {user}"),
        }
    }

    /// The process, where it may be looked at.
    pub(super) fn process(&self) -> Option<&Description> {
        match self {
            Self::Service { process, .. } | Self::Stranger(process) => Some(process),
            Self::Free | Self::Hidden { .. } => None,
        }
    }
}

/// Ends a process, gently and then not.
pub(super) fn end(id: ProcId) -> std::io::Result<()> {
    // Its identity was noted when it was shown: a number that is another's by now is left alone.
    let Some(process) = Process::open(id) else { return Ok(()) };
    let watched = Watched::open(id.pid);
    process.signal(Signal::TERM)?;
    if watched.wait(GRACE)? {
        return Ok(());
    }
    process.signal(Signal::KILL)?;
    match watched.wait(GRACE)? {
        true => Ok(()),
        false => Err(std::io::ErrorKind::TimedOut.into()),
    }
}
