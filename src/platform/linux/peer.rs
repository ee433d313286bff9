//! Who is at the other end of a Unix socket (unix(7), SO_PEERCRED).

use std::{
    io,
    os::fd::{AsRawFd, BorrowedFd},
};

use crate::platform::Peer;

/// Whether the process at the other end is told, unless it lives in another namespace.
pub const PEERS_HAVE_NUMBERS: bool = true;

/// Asks the system.
///
/// # Errors
///
/// Those of getsockopt(2).
pub(in crate::platform) fn peer_of(socket: BorrowedFd<'_>) -> io::Result<Peer> {
    let mut told = libc::ucred { pid: 0, uid: 0, gid: 0 };
    let mut length = size_of::<libc::ucred>() as libc::socklen_t;
    // Not by rustix, which takes the number of a process that we do not see, 0, for an error.
    // SAFETY: both are valid places to write to, and the length is that of the first.
    let result = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_PEERCRED,
            (&raw mut told).cast(),
            &raw mut length,
        )
    };
    if result != 0 {
        return Err(io::Error::last_os_error());
    }
    let pid = u32::try_from(told.pid).ok().filter(|pid| *pid != 0);
    Ok(Peer { uid: told.uid, pid })
}
