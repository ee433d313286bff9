//! A socket for words of programs that are known by who they are.

use std::{
    io,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
};

/// The longest word; more of it is cut off.
#[cfg(target_os = "linux")]
const WORD_MAX: usize = 4096;

/// Who has sent a datagram, as the kernel says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sender {
    /// The process; it may have ended since.
    pub pid: u32,
    /// Its user.
    pub uid: u32,
}

/// A datagram socket that tells the process behind each datagram (unix(7), SCM_CREDENTIALS).
#[derive(Debug)]
pub struct NotifySocket(OwnedFd);

impl NotifySocket {
    /// One of this name in the abstract namespace, which has no files.
    ///
    /// # Errors
    ///
    /// Those of bind(2).
    #[cfg(target_os = "linux")]
    pub fn bind(name: &str) -> io::Result<Self> {
        use rustix::net::{
            AddressFamily, SocketAddrUnix, SocketFlags, SocketType, bind, socket_with, sockopt,
        };
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let socket = socket_with(AddressFamily::UNIX, SocketType::DGRAM, flags, None)?;
        // Before it has a name, so that no datagram comes without.
        sockopt::set_socket_passcred(&socket, true)?;
        bind(&socket, &SocketAddrUnix::new_abstract_name(name.as_bytes())?)?;
        Ok(Self(socket))
    }

    /// Not to be had: nothing tells who has sent a datagram.
    ///
    /// # Errors
    ///
    /// Always.
    #[cfg(not(target_os = "linux"))]
    pub fn bind(_name: &str) -> io::Result<Self> {
        Err(io::Error::new(io::ErrorKind::Unsupported, "this system does not tell the sender"))
    }

    /// The next datagram with its sender, if one is there.
    #[cfg(target_os = "linux")]
    pub fn receive(&self) -> Option<(Option<Sender>, Vec<u8>)> {
        use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg};
        let mut word = vec![0; WORD_MAX];
        // Room for the credentials, and for a descriptor or two, which are closed at once: a
        // sender may wait for just that.
        let mut space =
            [std::mem::MaybeUninit::uninit(); rustix::cmsg_space!(ScmCredentials(1), ScmRights(2))];
        let mut ancillary = RecvAncillaryBuffer::new(&mut space);
        let length = {
            let mut parts = [io::IoSliceMut::new(&mut word)];
            let flags = RecvFlags::CMSG_CLOEXEC;
            recvmsg(&self.0, &mut parts, &mut ancillary, flags).ok()?.bytes
        };
        word.truncate(length);
        let mut sender = None;
        for message in ancillary.drain() {
            if let RecvAncillaryMessage::ScmCredentials(credentials) = message {
                let pid = credentials.pid.as_raw_nonzero().get().cast_unsigned();
                sender = Some(Sender { pid, uid: credentials.uid.as_raw() });
            }
        }
        Some((sender, word))
    }

    /// Nothing ever comes.
    #[cfg(not(target_os = "linux"))]
    pub fn receive(&self) -> Option<(Option<Sender>, Vec<u8>)> {
        None
    }
}

impl AsFd for NotifySocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
