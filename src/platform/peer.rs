//! Who is at the other end of a Unix socket.

use std::{io, os::fd::AsFd};

use super::own_uid;

/// Who was at the other end when it called listen(2), connect(2) or socketpair(2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Peer {
    /// The user, as our namespace of users has it.
    pub uid: u32,
    /// The process, be it dead by now; `None` where it is not told, or lives in a namespace of
    /// processes that we do not see.
    pub pid: Option<u32>,
}

impl Peer {
    /// Asks the system (unix(7), SO_PEERCRED; getpeereid(3)).
    ///
    /// # Errors
    ///
    /// Those of getsockopt(2) or getpeereid(3).
    #[cfg(target_os = "linux")]
    pub fn of(socket: impl AsFd) -> io::Result<Self> {
        use std::os::fd::AsRawFd;
        let mut told = libc::ucred { pid: 0, uid: 0, gid: 0 };
        let mut length = size_of::<libc::ucred>() as libc::socklen_t;
        // Not by rustix, which takes the number of a process that we do not see, 0, for an error.
        // SAFETY: both are valid places to write to, and the length is that of the first.
        let result = unsafe {
            libc::getsockopt(
                socket.as_fd().as_raw_fd(),
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
        Ok(Self { uid: told.uid, pid })
    }

    /// Asks the system (getpeereid(3)).
    ///
    /// # Errors
    ///
    /// Those of getpeereid(3).
    #[cfg(not(target_os = "linux"))]
    pub fn of(socket: impl AsFd) -> io::Result<Self> {
        use std::os::fd::AsRawFd;
        let (mut uid, mut gid) = (0, 0);
        // SAFETY: both are valid places to write to.
        let result =
            unsafe { libc::getpeereid(socket.as_fd().as_raw_fd(), &raw mut uid, &raw mut gid) };
        if result == 0 { Ok(Self { uid, pid: None }) } else { Err(io::Error::last_os_error()) }
    }

    /// Whether it is our own user.
    pub fn is_own(self) -> bool {
        self.uid == own_uid()
    }
}
