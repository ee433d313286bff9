//! The kernel's list of listening sockets (sock_diag(7), linux/inet_diag.h).

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    os::fd::OwnedFd,
};

use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, netlink, recv, send, socket_with,
};

use crate::platform::Listener;

const SOCK_DIAG_BY_FAMILY: u16 = 20;
const NLM_F_REQUEST_DUMP: u16 = 0x001 | 0x300;
const NLMSG_ERROR: u16 = 2;
const NLMSG_DONE: u16 = 3;
const IPPROTO_TCP: u8 = 6;
/// The set of states that holds TCP_LISTEN alone.
const LISTEN: u32 = 1 << 10;

/// Length of a message's header, of our request, and of an answer without attributes.
const HEADER: usize = 16;
const REQUEST: usize = HEADER + 56;
const ANSWER: usize = 72;

/// Up to this many ports are asked for one by one, the kernel leaving the others out.
const ONE_BY_ONE: usize = 4;

/// The sockets that listen on these ports.
pub(super) fn listeners(ports: &[u16]) -> io::Result<Vec<Listener>> {
    let kind = SocketType::DGRAM;
    let socket =
        socket_with(AddressFamily::NETLINK, kind, SocketFlags::CLOEXEC, Some(netlink::SOCK_DIAG))?;
    let filters = if ports.len() <= ONE_BY_ONE { ports } else { &[0] };
    let mut found = Vec::new();
    for family in [libc::AF_INET, libc::AF_INET6] {
        let family = u8::try_from(family).map_err(io::Error::other)?;
        for &port in filters {
            send(&socket, &request(family, port), SendFlags::empty())?;
            read_dump(&socket, &mut found)?;
        }
    }
    found.retain(|listener| ports.contains(&listener.port));
    found.dedup();
    Ok(found)
}

/// `struct nlmsghdr`, then `struct inet_diag_req_v2`; the port in network order.
fn request(family: u8, port: u16) -> [u8; REQUEST] {
    let mut bytes = [0; REQUEST];
    bytes[0..4].copy_from_slice(&(REQUEST as u32).to_ne_bytes());
    bytes[4..6].copy_from_slice(&SOCK_DIAG_BY_FAMILY.to_ne_bytes());
    bytes[6..8].copy_from_slice(&NLM_F_REQUEST_DUMP.to_ne_bytes());
    bytes[HEADER] = family;
    bytes[HEADER + 1] = IPPROTO_TCP;
    bytes[HEADER + 4..HEADER + 8].copy_from_slice(&LISTEN.to_ne_bytes());
    bytes[HEADER + 8..HEADER + 10].copy_from_slice(&port.to_be_bytes());
    bytes
}

/// Reads messages until the dump says that it is done.
fn read_dump(socket: &OwnedFd, found: &mut Vec<Listener>) -> io::Result<()> {
    let mut buffer = vec![0; 32 * 1024];
    loop {
        let (count, _) = recv(socket, &mut buffer, RecvFlags::empty())?;
        let mut rest = &buffer[..count];
        while let Some((kind, body, next)) = split_message(rest) {
            match kind {
                NLMSG_DONE => return Ok(()),
                NLMSG_ERROR => return Err(io::ErrorKind::Unsupported.into()),
                _ => found.extend(parse(body)),
            }
            rest = next;
        }
    }
}

/// The first message: its kind, its body, and what comes after it, aligned to four bytes.
fn split_message(bytes: &[u8]) -> Option<(u16, &[u8], &[u8])> {
    let length = u32::from_ne_bytes(bytes.get(0..4)?.try_into().ok()?) as usize;
    let kind = u16::from_ne_bytes(bytes.get(4..6)?.try_into().ok()?);
    let body = bytes.get(HEADER..length)?;
    let next = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
    Some((kind, body, next))
}

/// `struct inet_diag_msg`.
fn parse(body: &[u8]) -> Option<Listener> {
    let body = body.get(..ANSWER)?;
    let address: [u8; 16] = body[8..24].try_into().ok()?;
    let addr: IpAddr = if i32::from(body[0]) == libc::AF_INET {
        Ipv4Addr::new(address[0], address[1], address[2], address[3]).into()
    } else {
        Ipv6Addr::from(address).into()
    };
    Some(Listener {
        port: u16::from_be_bytes(body[4..6].try_into().ok()?),
        addr,
        inode: u64::from(u32::from_ne_bytes(body[68..72].try_into().ok()?)),
        uid: u32::from_ne_bytes(body[64..68].try_into().ok()?),
    })
}
