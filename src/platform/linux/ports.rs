//! Who listens on a port.

use std::{
    collections::{HashMap, HashSet},
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
};

use super::diag;
use crate::platform::Listener;

/// The TCP sockets that listen on these ports, of both families, in this network namespace
/// (sock_diag(7); `/proc/net/tcp` where that is not to be had).
///
/// # Errors
///
/// Those of reading `/proc/net/tcp`.
pub fn listeners(ports: &[u16]) -> io::Result<Vec<Listener>> {
    if ports.is_empty() {
        return Ok(Vec::new());
    }
    diag::listeners(ports).or_else(|_not_built_in| from_tables(ports))
}

/// All TCP sockets that listen, as [`listeners`] finds them.
///
/// # Errors
///
/// As [`listeners`].
pub fn all_listeners() -> io::Result<Vec<Listener>> {
    diag::all_listeners().or_else(|_not_built_in| tables())
}

/// The inode of the socket that takes the connections to this address, where that can be told
/// without looking at all of them.
pub fn listener_at(address: SocketAddr) -> Option<u64> {
    Some(diag::listener_at(address).ok()??.inode)
}

/// Which process holds each of these sockets: the first of `candidates` that does, or of all
/// processes without any. Descriptors that may not be looked at are left out.
pub fn holders(inodes: &[u64], candidates: Option<&[u32]>) -> HashMap<u64, u32> {
    let mut wanted: HashSet<u64> = inodes.iter().copied().collect();
    let mut found = HashMap::new();
    let all;
    let candidates = if let Some(candidates) = candidates {
        candidates
    } else {
        all = all_pids();
        &all
    };
    for &pid in candidates {
        if wanted.is_empty() {
            break;
        }
        for inode in sockets(pid).filter(|inode| wanted.remove(inode)).collect::<Vec<_>>() {
            found.insert(inode, pid);
        }
    }
    found
}

fn all_pids() -> Vec<u32> {
    let Ok(entries) = std::fs::read_dir("/proc") else { return Vec::new() };
    entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect()
}

/// The inodes of a process's sockets (proc_pid_fd(5)).
fn sockets(pid: u32) -> impl Iterator<Item = u64> {
    let entries = std::fs::read_dir(format!("/proc/{pid}/fd")).ok();
    entries.into_iter().flatten().flatten().filter_map(|entry| {
        let target = std::fs::read_link(entry.path()).ok()?;
        target.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok()
    })
}

fn from_tables(ports: &[u16]) -> io::Result<Vec<Listener>> {
    Ok(tables()?.into_iter().filter(|found| ports.contains(&found.port)).collect())
}

fn tables() -> io::Result<Vec<Listener>> {
    let four = std::fs::read_to_string("/proc/net/tcp")?;
    // Without IPv6 there is no such file.
    let six = std::fs::read_to_string("/proc/net/tcp6").unwrap_or_default();
    let lines = four.lines().skip(1).chain(six.lines().skip(1));
    Ok(lines.filter_map(parse_line).collect())
}

/// A line of `/proc/net/tcp` (proc_pid_net(5)) that is in state 0A, LISTEN.
fn parse_line(line: &str) -> Option<Listener> {
    let fields: Vec<&str> = line.split_ascii_whitespace().collect();
    if *fields.get(3)? != "0A" {
        return None;
    }
    let (address, port) = fields.get(1)?.split_once(':')?;
    Some(Listener {
        port: u16::from_str_radix(port, 16).ok()?,
        addr: parse_address(address)?,
        inode: fields.get(9)?.parse().ok()?,
        uid: fields.get(7)?.parse().ok()?,
    })
}

/// Each group of eight digits is a word in the machine's own order of bytes.
fn parse_address(digits: &str) -> Option<IpAddr> {
    let word = |index: usize| {
        let digits = digits.get(index * 8..index * 8 + 8)?;
        Some(u32::from_str_radix(digits, 16).ok()?.to_ne_bytes())
    };
    if digits.len() == 8 {
        return Some(Ipv4Addr::from(word(0)?).into());
    }
    let mut bytes = [0; 16];
    for (index, place) in bytes.chunks_exact_mut(4).enumerate() {
        place.copy_from_slice(&word(index)?);
    }
    Some(Ipv6Addr::from(bytes).into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    #[test]
    fn a_listener_is_found_both_ways_and_is_ours() {
        let sockets: Vec<TcpListener> = ["127.0.0.1:0", "[::1]:0"]
            .iter()
            .filter_map(|address| TcpListener::bind(address).ok())
            .collect();
        let ports: Vec<u16> = sockets.iter().map(|s| s.local_addr().unwrap().port()).collect();
        let mut by_diag = diag::listeners(&ports).unwrap();
        let mut by_table = from_tables(&ports).unwrap();
        by_diag.sort_by_key(|found| found.port);
        by_table.sort_by_key(|found| found.port);
        assert_eq!(by_diag, by_table);
        assert_eq!(by_diag.len(), sockets.len());
        let inodes: Vec<u64> = by_diag.iter().map(|found| found.inode).collect();
        let all = all_listeners().unwrap();
        assert!(by_diag.iter().all(|found| all.contains(found)));
        let own = holders(&inodes, Some(&[std::process::id()]));
        assert_eq!(own.len(), sockets.len());
    }

    #[test]
    fn a_listener_is_found_by_its_address_or_by_all_addresses() {
        for (bound, asked) in [
            ("127.0.0.1:0", "127.0.0.1"),
            ("0.0.0.0:0", "127.0.0.1"),
            ("[::1]:0", "::1"),
            ("[::]:0", "::1"),
            // It takes those of IPv4 too.
            ("[::]:0", "127.0.0.1"),
        ] {
            let Ok(socket) = TcpListener::bind(bound) else { continue };
            let port = socket.local_addr().unwrap().port();
            let address = |ip: &str| SocketAddr::new(ip.parse().unwrap(), port);
            let inode = listeners(&[port]).unwrap()[0].inode;
            assert_eq!(listener_at(address(asked)), Some(inode), "{bound}");
            let other = if asked == "::1" { "127.0.0.1" } else { "::1" };
            if !bound.starts_with("[::]") {
                assert_eq!(listener_at(address(other)), None, "{bound}");
            }
            // A connection to it is no listener.
            let client = std::net::TcpStream::connect(address(asked)).unwrap();
            assert_eq!(listener_at(client.local_addr().unwrap()), None);
            drop(socket);
            assert_eq!(listener_at(address(asked)), None, "{bound}");
        }
    }

    #[test]
    fn a_free_port_has_no_listener() {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        assert_eq!(listeners(&[port]).unwrap(), []);
    }
}
