//! Pseudo-terminals (pty(7)), and handing a descriptor to another process (unix(7), SCM_RIGHTS).

use std::{
    io::{self, IoSlice, IoSliceMut},
    mem::MaybeUninit,
    os::fd::{AsFd, BorrowedFd, OwnedFd, RawFd},
    time::Duration,
};

use rustix::{
    fs::{Mode, OFlags},
    net::{
        RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
        SendAncillaryMessage, SendFlags, recvmsg, sendmsg,
    },
    pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt},
    termios::{Winsize, tcsetwinsize},
};

use super::{Endpoint, FileId, Reached, RunAs, inherited, reach_anywhere};

/// The side of a pseudo-terminal that the program which shows it holds.
#[derive(Debug)]
pub struct Pty {
    /// It is read and written without waiting.
    pub master: OwnedFd,
    /// Which the other side is, as the processes that use it have it open.
    pub id: FileId,
}

/// As far as the system can do it in one step.
#[cfg(not(target_vendor = "apple"))]
const CLOSED_BY_EXEC: OpenptFlags = OpenptFlags::CLOEXEC;
#[cfg(target_vendor = "apple")]
const CLOSED_BY_EXEC: OpenptFlags = OpenptFlags::empty();

impl Pty {
    /// Makes one for `user`; returns with it the side of the service. It has the size that
    /// terminals always had, until it is attached to.
    ///
    /// # Errors
    ///
    /// Those of posix_openpt(3) and open(2).
    pub fn create(user: Option<&RunAs>) -> io::Result<(Self, OwnedFd)> {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | CLOSED_BY_EXEC)?;
        rustix::io::fcntl_setfd(&master, rustix::io::FdFlags::CLOEXEC)?;
        grantpt(&master)?;
        unlockpt(&master)?;
        let other = other_side(&master)?;
        if let Some(RunAs { uid, gid, .. }) = user {
            let (uid, gid) = (rustix::fs::Uid::from_raw(*uid), rustix::fs::Gid::from_raw(*gid));
            // Not ours to give away without privilege; then it is not needed either.
            let _unprivileged = rustix::fs::fchown(&other, Some(uid), Some(gid));
        }
        let size = Winsize { ws_row: 24, ws_col: 80, ws_xpixel: 0, ws_ypixel: 0 };
        tcsetwinsize(&master, size)?;
        rustix::io::ioctl_fionbio(&master, true)?;
        let id = FileId::from(&rustix::fs::fstat(&other)?);
        Ok((Self { master, id }, other))
    }

    /// Takes over one that the program before has left open under that number.
    ///
    /// # Errors
    ///
    /// `NotFound` if that is something else.
    pub fn inherit(number: RawFd, id: FileId) -> io::Result<Self> {
        match Self::is(number, id) {
            true => Ok(Self { master: inherited(number)?, id }),
            false => Err(io::ErrorKind::NotFound.into()),
        }
    }

    /// Whether the program before has left this one open under that number.
    pub fn is(number: RawFd, id: FileId) -> bool {
        // SAFETY: it is only looked at.
        let descriptor = unsafe { BorrowedFd::borrow_raw(number) };
        let other = other_side(descriptor).and_then(|other| Ok(rustix::fs::fstat(&other)?));
        other.is_ok_and(|other| FileId::from(&other) == id)
    }
}

fn other_side(master: impl AsFd) -> io::Result<OwnedFd> {
    let name = ptsname(master, Vec::new())?;
    let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
    Ok(rustix::fs::open(&*name, flags, Mode::empty())?)
}

/// Whether the next program of this process keeps a descriptor.
///
/// # Errors
///
/// Those of fcntl(2).
pub fn keep_open(descriptor: impl AsFd, keep: bool) -> io::Result<()> {
    use rustix::io::FdFlags;
    let flags = if keep { FdFlags::empty() } else { FdFlags::CLOEXEC };
    Ok(rustix::io::fcntl_setfd(descriptor, flags)?)
}

/// Gives a descriptor to the process at the other end of a socket.
///
/// # Errors
///
/// Those of sendmsg(2).
pub fn send_descriptor(socket: impl AsFd, descriptor: BorrowedFd<'_>) -> io::Result<()> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    control.push(SendAncillaryMessage::ScmRights(std::slice::from_ref(&descriptor)));
    sendmsg(socket, &[IoSlice::new(b"!")], &mut control, SendFlags::empty())?;
    Ok(())
}

/// Asks a keeper for the terminal that it gives to those who connect here.
///
/// # Errors
///
/// `ConnectionRefused` if there is no such terminal; `WouldBlock` if there is no answer for so long;
/// those of recvmsg(2).
pub fn terminal_at(endpoint: &Endpoint, patience: Duration) -> io::Result<OwnedFd> {
    let socket = match reach_anywhere(endpoint) {
        Reached::Keeper(socket, _) => socket,
        Reached::Orphan | Reached::Full | Reached::Stranger(_) | Reached::Nobody => {
            return Err(io::ErrorKind::ConnectionRefused.into());
        }
    };
    socket.set_read_timeout(Some(patience))?;
    receive_descriptor(&socket)
}

/// Takes the descriptor that the process at the other end of a socket gives.
///
/// # Errors
///
/// Those of recvmsg(2); `UnexpectedEof` if it gives none.
pub fn receive_descriptor(socket: impl AsFd) -> io::Result<OwnedFd> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let mut byte = [0];
    recvmsg(socket, &mut [IoSliceMut::new(&mut byte)], &mut control, RecvFlags::empty())?;
    let given = control.drain().find_map(|message| match message {
        RecvAncillaryMessage::ScmRights(mut descriptors) => descriptors.next(),
        _ => None,
    });
    let given = given.ok_or(io::ErrorKind::UnexpectedEof)?;
    keep_open(&given, false)?;
    Ok(given)
}
