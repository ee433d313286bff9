//! A TCP port that is reserved.

use std::{
    io,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
    ops::RangeInclusive,
    os::fd::OwnedFd,
};

use rustix::net::{AddressFamily, SocketType, bind, socket, sockopt};

/// A TCP port that nothing else can bind as long as this lives. It is bound and does not listen:
/// connections are refused, and no table of listeners shows it.
#[derive(Debug)]
pub struct Reserved {
    _socket: OwnedFd,
}

/// Keeps a port, on all addresses of both families.
///
/// # Errors
///
/// It is in use (EADDRINUSE), or may not be given it.
pub fn reserve(port: u16) -> io::Result<Reserved> {
    // Without the permission to share it, two who reserve it at once cannot both have it. What
    // lingers of closed connections (TIME_WAIT) is in the way then, and only then.
    match bound(port, false) {
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => bound(port, true),
        result => result,
    }
}

fn bound(port: u16, share: bool) -> io::Result<Reserved> {
    let six = SocketAddr::from((Ipv6Addr::UNSPECIFIED, port));
    let four = SocketAddr::from((Ipv4Addr::UNSPECIFIED, port));
    match bound_to(AddressFamily::INET6, six, share) {
        // A machine without IPv6 lacks the family, or its addresses.
        Err(error) if error.kind() != io::ErrorKind::AddrInUse => {
            bound_to(AddressFamily::INET, four, share)
        }
        result => result,
    }
}

fn bound_to(family: AddressFamily, address: SocketAddr, share: bool) -> io::Result<Reserved> {
    let socket = socket(family, SocketType::STREAM, None)?;
    rustix::io::fcntl_setfd(&socket, rustix::io::FdFlags::CLOEXEC)?;
    if family == AddressFamily::INET6 {
        sockopt::set_ipv6_v6only(&socket, false)?;
    }
    sockopt::set_socket_reuseaddr(&socket, share)?;
    bind(&socket, &address)?;
    Ok(Reserved { _socket: socket })
}

/// The ports that the system gives to outgoing connections, and to those who ask for any.
pub fn ephemeral_ports() -> RangeInclusive<u16> {
    // ip(7); elsewhere as IANA has it.
    let text = std::fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range");
    let text = text.unwrap_or_default();
    let mut ends = text.split_ascii_whitespace().filter_map(|end| end.parse().ok());
    match (ends.next(), ends.next()) {
        (Some(first), Some(last)) => first..=last,
        (_, _) => 49152..=u16::MAX,
    }
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream};

    use super::*;

    fn free() -> u16 {
        TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
    }

    #[test]
    fn what_is_reserved_is_nobody_elses_and_free_afterwards() {
        // A program that asks the system for any port may be given this one before it is reserved.
        let mut ports = std::iter::repeat_with(free).take(20);
        let (port, reserved) =
            ports.find_map(|port| Some((port, reserve(port).ok()?))).expect("a free port");
        assert_eq!(
            TcpListener::bind(("127.0.0.1", port)).unwrap_err().kind(),
            io::ErrorKind::AddrInUse
        );
        assert!(reserve(port).is_err());
        assert!(TcpStream::connect(("127.0.0.1", port)).is_err());
        drop(reserved);
        TcpListener::bind(("127.0.0.1", port)).unwrap();
    }

    #[test]
    fn what_is_listened_on_cannot_be_reserved_but_what_lingers_can() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        assert!(reserve(port).is_err());
        let client = TcpStream::connect(("127.0.0.1", port)).unwrap();
        // The side that closes first lingers.
        drop(listener.accept().unwrap());
        drop((client, listener));
        reserve(port).unwrap();
    }
}
