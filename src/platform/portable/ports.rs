//! Who listens on a port, as `lsof` shows it. Its device numbers stand for inodes.

use std::{
    collections::HashMap,
    hash::{DefaultHasher, Hash, Hasher},
    io,
    net::{IpAddr, Ipv4Addr, SocketAddr},
};

use super::output;
use crate::platform::Listener;

/// A listener and its process.
struct Found {
    listener: Listener,
    pid: u32,
}

/// The TCP sockets that listen on these ports, as far as they may be looked at.
///
/// # Errors
///
/// Those of running `lsof`.
pub fn listeners(ports: &[u16]) -> io::Result<Vec<Listener>> {
    let found = all_listeners()?.into_iter();
    Ok(found.filter(|listener| ports.contains(&listener.port)).collect())
}

/// All TCP sockets that listen, as far as they may be looked at.
///
/// # Errors
///
/// As [`listeners`].
pub fn all_listeners() -> io::Result<Vec<Listener>> {
    Ok(all()?.into_iter().map(|found| found.listener).collect())
}

/// The inode of the socket that takes the connections to this address, where that can be told
/// without looking at all of them: never.
pub fn listener_at(_: SocketAddr) -> Option<u64> {
    None
}

/// Which process holds each of these sockets: one of `candidates`, or of all without any.
pub fn holders(inodes: &[u64], candidates: Option<&[u32]>) -> HashMap<u64, u32> {
    let found = all().unwrap_or_default().into_iter();
    let wanted = found.filter(|found| inodes.contains(&found.listener.inode));
    let wanted = wanted.filter(|found| candidates.is_none_or(|pids| pids.contains(&found.pid)));
    wanted.map(|found| (found.listener.inode, found.pid)).collect()
}

/// Lines of one letter and a value: `p` process, `u` user, `d` device, `n` `address:port`.
fn all() -> io::Result<Vec<Found>> {
    let lines = output("lsof", &["-nP", "-iTCP", "-sTCP:LISTEN", "-Fpudn"])?;
    let (mut pid, mut uid, mut inode) = (0, 0, 0);
    let mut found = Vec::new();
    for line in lines.lines() {
        let Some((kind, value)) = line.split_at_checked(1) else { continue };
        match kind {
            "p" => pid = value.parse().unwrap_or(0),
            "u" => uid = value.parse().unwrap_or(0),
            "d" => {
                let mut device = DefaultHasher::new();
                value.hash(&mut device);
                inode = device.finish();
            }
            "n" => {
                found.extend(address(value).map(|(addr, port)| Found {
                    listener: Listener { port, addr, inode, uid },
                    pid,
                }));
            }
            _ => {}
        }
    }
    Ok(found)
}

fn address(text: &str) -> Option<(IpAddr, u16)> {
    let (host, port) = text.rsplit_once(':')?;
    let host = host.trim_matches(['[', ']']);
    let addr = if host == "*" { Ipv4Addr::UNSPECIFIED.into() } else { host.parse().ok()? };
    Some((addr, port.parse().ok()?))
}
