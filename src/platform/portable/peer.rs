//! Who is at the other end of a Unix socket: the user alone.

use std::{io, os::fd::BorrowedFd};

use crate::platform::Peer;

/// Whether the process at the other end is told.
pub const PEERS_HAVE_NUMBERS: bool = false;

/// Asks the system (getpeereid(3)).
///
/// # Errors
///
/// Those of getpeereid(3).
#[cfg(not(target_os = "linux"))]
pub(in crate::platform) fn peer_of(socket: BorrowedFd<'_>) -> io::Result<Peer> {
    use std::os::fd::AsRawFd;
    let (mut uid, mut gid) = (0, 0);
    // SAFETY: both are valid places to write to.
    match unsafe { libc::getpeereid(socket.as_raw_fd(), &raw mut uid, &raw mut gid) } {
        0 => Ok(Peer { uid, pid: None }),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Asks the system (unix(7)): Linux, where this twin is tested, has no getpeereid(3).
///
/// # Errors
///
/// Those of getsockopt(2).
#[cfg(target_os = "linux")]
pub(in crate::platform) fn peer_of(socket: BorrowedFd<'_>) -> io::Result<Peer> {
    let told = rustix::net::sockopt::socket_peercred(socket)?;
    Ok(Peer { uid: told.uid.as_raw(), pid: None })
}
