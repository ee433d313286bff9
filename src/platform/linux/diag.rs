//! The kernel's list of listening sockets (sock_diag(7), linux/inet_diag.h).

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    os::fd::OwnedFd,
};

use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, netlink, recv, send, socket_with,
};

use crate::platform::Listener;

const SOCK_DIAG_BY_FAMILY: u16 = 20;
const NLM_F_REQUEST: u16 = 0x001;
const NLM_F_DUMP: u16 = 0x300;
const NLMSG_ERROR: u16 = 2;
const NLMSG_DONE: u16 = 3;
const IPPROTO_TCP: u8 = 6;
/// The set of states that holds TCP_LISTEN alone.
const LISTEN: u32 = 1 << TCP_LISTEN;
const TCP_LISTEN: u8 = 10;

/// Length of a message's header, of our request, and of an answer without attributes.
const HEADER: usize = 16;
const REQUEST: usize = HEADER + 56;
const ANSWER: usize = 72;
/// Where the address is that is asked for.
const SOURCE: usize = HEADER + 12;

/// Up to this many ports are asked for one by one, the kernel leaving the others out.
const ONE_BY_ONE: usize = 4;

/// The sockets that listen on these ports.
pub(super) fn listeners(ports: &[u16]) -> io::Result<Vec<Listener>> {
    let mut found = if ports.len() <= ONE_BY_ONE { dump(ports)? } else { all_listeners()? };
    found.retain(|listener| ports.contains(&listener.port));
    found.dedup();
    Ok(found)
}

/// All sockets that listen.
pub(super) fn all_listeners() -> io::Result<Vec<Listener>> {
    dump(&[0])
}

/// The sockets that listen on each of these ports; 0 stands for all.
fn dump(ports: &[u16]) -> io::Result<Vec<Listener>> {
    let socket = connection()?;
    let mut found = Vec::new();
    for family in [libc::AF_INET, libc::AF_INET6] {
        for &port in ports {
            send(&socket, &request(family, port, NLM_F_DUMP), SendFlags::empty())?;
            read_dump(&socket, &mut found)?;
        }
    }
    Ok(found)
}

/// The socket that takes the connections to this address, be it bound to it or to all. The kernel
/// looks it up as it does for a connection, which costs a hundredth of a walk through them all.
pub(super) fn listener_at(address: SocketAddr) -> io::Result<Option<Listener>> {
    let socket = connection()?;
    let family = if address.is_ipv4() { libc::AF_INET } else { libc::AF_INET6 };
    let mut request = request(family, address.port(), 0);
    match address.ip() {
        IpAddr::V4(ip) => request[SOURCE..SOURCE + 4].copy_from_slice(&ip.octets()),
        IpAddr::V6(ip) => request[SOURCE..SOURCE + 16].copy_from_slice(&ip.octets()),
    }
    send(&socket, &request, SendFlags::empty())?;
    let mut buffer = [0; 4096];
    let (count, _) = recv(&socket, &mut buffer, RecvFlags::empty())?;
    let answer = split_message(&buffer[..count]).filter(|(kind, ..)| *kind == SOCK_DIAG_BY_FAMILY);
    // Anything else is an error: that there is none, most likely.
    let listens = |body: &&[u8]| body.get(1) == Some(&TCP_LISTEN);
    Ok(answer.map(|(_, body, _)| body).filter(listens).and_then(parse))
}

fn connection() -> io::Result<OwnedFd> {
    let (family, flags) = (AddressFamily::NETLINK, SocketFlags::CLOEXEC);
    Ok(socket_with(family, SocketType::DGRAM, flags, Some(netlink::SOCK_DIAG))?)
}

/// `struct nlmsghdr`, then `struct inet_diag_req_v2`; the port in network order.
fn request(family: i32, port: u16, flags: u16) -> [u8; REQUEST] {
    let mut bytes = [0; REQUEST];
    bytes[0..4].copy_from_slice(&(REQUEST as u32).to_ne_bytes());
    bytes[4..6].copy_from_slice(&SOCK_DIAG_BY_FAMILY.to_ne_bytes());
    bytes[6..8].copy_from_slice(&(NLM_F_REQUEST | flags).to_ne_bytes());
    // Both families are small numbers.
    bytes[HEADER] = family as u8;
    bytes[HEADER + 1] = IPPROTO_TCP;
    bytes[HEADER + 4..HEADER + 8].copy_from_slice(&LISTEN.to_ne_bytes());
    bytes[HEADER + 8..HEADER + 10].copy_from_slice(&port.to_be_bytes());
    // INET_DIAG_NOCOOKIE: any socket.
    bytes[REQUEST - 8..].fill(0xff);
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
