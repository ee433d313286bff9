//! Who is at the other end of a Unix socket.

use std::{io, os::fd::AsFd};

/// The user of the process at the other end (unix(7), SO_PEERCRED).
///
/// # Errors
///
/// Those of getsockopt(2).
#[cfg(target_os = "linux")]
pub fn peer_uid(socket: impl AsFd) -> io::Result<u32> {
    Ok(rustix::net::sockopt::socket_peercred(socket)?.uid.as_raw())
}

/// The process that made the socket at the other end, be it dead by now (unix(7), SO_PEERCRED).
///
/// # Errors
///
/// Those of getsockopt(2).
#[cfg(target_os = "linux")]
pub fn peer_pid(socket: impl AsFd) -> io::Result<u32> {
    Ok(rustix::net::sockopt::socket_peercred(socket)?.pid.as_raw_nonzero().get().cast_unsigned())
}

/// The process that made the socket at the other end: our parent, where it is not told.
///
/// # Errors
///
/// None.
#[cfg(not(target_os = "linux"))]
pub fn peer_pid(_socket: impl AsFd) -> io::Result<u32> {
    Ok(super::parent())
}

/// The user of the process at the other end (getpeereid(3)).
///
/// # Errors
///
/// Those of getpeereid(3).
#[cfg(not(target_os = "linux"))]
pub fn peer_uid(socket: impl AsFd) -> io::Result<u32> {
    use std::os::fd::AsRawFd;
    let (mut uid, mut gid) = (0, 0);
    // SAFETY: both are valid places to write to.
    let result =
        unsafe { libc::getpeereid(socket.as_fd().as_raw_fd(), &raw mut uid, &raw mut gid) };
    if result == 0 { Ok(uid) } else { Err(io::Error::last_os_error()) }
}
