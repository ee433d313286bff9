//! A datagram socket that tells who sends.

use std::{
    io,
    mem::MaybeUninit,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
};

use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SocketAddrUnix,
    SocketFlags, SocketType, bind, recvmsg, socket_with, sockopt,
};

use crate::platform::Sender;

/// The longest datagram, in bytes; more of it is cut off.
const LONGEST: usize = 4096;

/// A datagram socket that tells the process behind each datagram (unix(7), SCM_CREDENTIALS).
#[derive(Debug)]
pub struct NotifySocket(OwnedFd);

impl NotifySocket {
    /// One of this name in the abstract namespace, which has no files.
    ///
    /// # Errors
    ///
    /// Those of bind(2).
    pub fn bind(name: &str) -> io::Result<Self> {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let socket = socket_with(AddressFamily::UNIX, SocketType::DGRAM, flags, None)?;
        // Before it has a name, so that no datagram comes without.
        sockopt::set_socket_passcred(&socket, true)?;
        bind(&socket, &SocketAddrUnix::new_abstract_name(name.as_bytes())?)?;
        Ok(Self(socket))
    }

    /// The next datagram with its sender, if one is there.
    pub fn receive(&self) -> Option<(Option<Sender>, Vec<u8>)> {
        let mut datagram = vec![0; LONGEST];
        // Room for the credentials, and for a descriptor or two, which are closed at once: a
        // sender may wait for just that.
        let mut space =
            [MaybeUninit::uninit(); rustix::cmsg_space!(ScmCredentials(1), ScmRights(2))];
        let mut ancillary = RecvAncillaryBuffer::new(&mut space);
        let length = {
            let mut parts = [io::IoSliceMut::new(&mut datagram)];
            let flags = RecvFlags::CMSG_CLOEXEC;
            recvmsg(&self.0, &mut parts, &mut ancillary, flags).ok()?.bytes
        };
        datagram.truncate(length);
        let mut sender = None;
        for message in ancillary.drain() {
            if let RecvAncillaryMessage::ScmCredentials(credentials) = message {
                let pid = credentials.pid.as_raw_nonzero().get().cast_unsigned();
                sender = Some(Sender { pid, uid: credentials.uid.as_raw() });
            }
        }
        Some((sender, datagram))
    }
}

impl AsFd for NotifySocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
