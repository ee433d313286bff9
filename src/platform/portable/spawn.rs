//! Starting a process by the standard library.

use std::{
    ffi::{CStr, OsStr},
    io,
    os::{
        fd::{AsRawFd, RawFd},
        unix::{ffi::OsStrExt, process::CommandExt},
    },
    path::Path,
    process::Stdio,
    sync::Mutex,
    thread::ThreadId,
};

use super::process::{ProcId, Process};
use crate::platform::{Launch, RunAs, SpawnError, Spawned, Stage, limits, signals};

/// Which thread has started which process.
static STARTED: Mutex<Vec<(u32, ThreadId)>> = Mutex::new(Vec::new());

pub(super) fn is_by_this_thread(pid: u32) -> bool {
    let own = std::thread::current().id();
    STARTED.lock().is_ok_and(|started| started.contains(&(pid, own)))
}

/// Starts a process in a session of its own, with default signals.
///
/// # Errors
///
/// The stage that failed, as far as can be told, and why. No process is left then.
pub fn spawn(launch: &Launch<'_>) -> Result<Spawned, SpawnError> {
    let dir = launch.dir.map(|dir| Path::new(text(dir)));
    #[expect(clippy::disallowed_methods, reason = "this is where processes are started")]
    let mut command = std::process::Command::new(text(launch.program));
    let mut argv = launch.argv.iter().map(|word| text(word));
    if let Some(name) = argv.next() {
        command.arg0(name);
    }
    command.args(argv).env_clear().envs(launch.env.iter().filter_map(|pair| variable(pair)));
    for &(ours, theirs) in launch.fds {
        let copy = || ours.try_clone_to_owned().map(Stdio::from);
        let failed = |error| SpawnError { stage: Stage::Descriptors, error };
        match theirs {
            0 => drop(command.stdin(copy().map_err(failed)?)),
            1 => drop(command.stdout(copy().map_err(failed)?)),
            2 => drop(command.stderr(copy().map_err(failed)?)),
            _ => {}
        }
    }
    let others = launch.fds.iter().filter(|(_, theirs)| *theirs > 2);
    let others: Vec<(RawFd, RawFd)> =
        others.map(|(ours, theirs)| (ours.as_raw_fd(), *theirs)).collect();
    let owned_dir = dir.map(Path::to_owned);
    let (open_files, user) = (launch.open_files, launch.user.cloned());
    let terminal = launch.terminal;
    let prepare =
        move || prepare(&others, terminal, open_files, user.as_ref(), owned_dir.as_deref());
    // SAFETY: system calls alone.
    unsafe { command.pre_exec(prepare) };
    let child = command.spawn().map_err(|error| {
        let entered = dir.is_none_or(|dir| std::fs::read_dir(dir).is_ok());
        SpawnError { stage: if entered { Stage::Execute } else { Stage::Directory }, error }
    })?;
    let pid = child.id();
    if let Ok(mut started) = STARTED.lock() {
        started.push((pid, std::thread::current().id()));
    }
    let id = ProcId::of(pid).unwrap_or(ProcId { pid, start: 0 });
    Ok(Spawned { process: Process::of_child(id) })
}

fn prepare(
    fds: &[(RawFd, RawFd)],
    terminal: bool,
    open_files: Option<u64>,
    user: Option<&RunAs>,
    dir: Option<&Path>,
) -> io::Result<()> {
    let done = |result: libc::c_int| match result {
        -1 => Err(io::Error::last_os_error()),
        _ => Ok(()),
    };
    rustix::process::setsid()?;
    limits::restore_limits()?;
    open_files.map_or(Ok(()), limits::set_open_files)?;
    // SAFETY: system calls with numbers, and with places on this stack.
    unsafe {
        for &(ours, theirs) in fds {
            if ours == theirs {
                done(libc::fcntl(ours, libc::F_SETFD, 0))?;
            } else {
                done(libc::dup2(ours, theirs))?;
            }
        }
    }
    if terminal {
        rustix::process::ioctl_tiocsctty(rustix::stdio::stdin())?;
    }
    user.map_or(Ok(()), RunAs::become_it)?;
    if let Some(dir) = dir {
        rustix::process::chdir(dir)?;
    }
    signals::reset_all();
    Ok(())
}

fn text(text: &CStr) -> &OsStr {
    OsStr::from_bytes(text.to_bytes())
}

fn variable(pair: &CStr) -> Option<(&OsStr, &OsStr)> {
    let bytes = pair.to_bytes();
    let equals = bytes.iter().position(|&byte| byte == b'=')?;
    Some((OsStr::from_bytes(&bytes[..equals]), OsStr::from_bytes(&bytes[equals + 1..])))
}
