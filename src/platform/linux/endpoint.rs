//! Where the keeper of a stack is to be reached: Unix sockets with abstract names (unix(7)).
//!
//! # Why abstract names
//!
//! A socket in the file system is found by a path, and every place for such a path comes and goes
//! with something else. `/run/user/UID` is mounted at a user's first login and taken away at the
//! last logout (pam_systemd(8)); `/dev/shm` loses a user's files then (`RemoveIPC` in
//! logind.conf(5)); `/tmp` is swept (tmpfiles.d(5)); containers have none of them, or one of their
//! own; cron and `su` see others than a login does. Two processes that choose among them by what
//! is there at the moment choose differently. An abstract name has no file: no login, mount,
//! umask, full disk or tidy person touches it, it is the same in every namespace of mounts and
//! users, and the kernel takes it back with the last process that holds the socket.
//!
//! It is one to a network namespace, as a container has one of its own; with the network of its
//! host (`--network host`) it has the host's names. The lock on the stack's folder does not know
//! such borders: a command on the wrong side finds it held, and says so.
//!
//! # Who is at the other end
//!
//! Any process may bind any abstract name. So a name ends with a number: a listener takes the
//! first one that is free, and a client tries them all and asks the kernel who listens
//! there (SO_PEERCRED: the process that called listen(2)). Another user's socket is passed over. So is that
//! of a keeper that has died, which its supervisor holds until it ends, too. When every number up
//! to [`SLOTS`] is taken the next ones are drawn at random, and found in `/proc/net/unix`, which
//! a client that finds no listener reads.
//!
//! None of that asks for more of `/proc` than one's own processes, which even `hidepid` (proc(5))
//! leaves: whether a keeper lives that is this user's. A keeper of another namespace of processes
//! has no number here (SO_PEERCRED says 0), and is taken to live as long as a process listens.

use std::{
    io,
    os::{
        linux::net::SocketAddrExt,
        unix::net::{SocketAddr, UnixListener, UnixStream},
    },
    path::Path,
};

use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, connect, socket_with};

use crate::{
    model::fnv1a,
    platform::{Peer, StackId, wall_nanos},
};

/// So many numbers are tried without a look at which are used.
const SLOTS: u64 = 4;
/// So many others are tried by a listener.
const MORE: u64 = 64;

/// Something of a stack that can be connected to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// All of the name but the number at its end.
    prefix: String,
}

/// What is found there.
#[derive(Debug)]
pub enum Found {
    /// The process that listens was this one when it began to.
    Listening(UnixStream, Peer),
    /// The process that listens has not accepted a connection for long.
    Full,
}

impl Endpoint {
    /// The supervisor of a stack. The folder for what lives as long as a keeper is not used.
    pub fn control(stack: StackId, _runtime: &Path) -> Self {
        Self { prefix: format!("{}{CONTROL}", of_stack(stack)) }
    }

    /// The terminal of one of its services.
    pub fn terminal(stack: StackId, _runtime: &Path, service: &str) -> Self {
        let service = fnv1a(service.as_bytes());
        Self { prefix: format!("{}terminal/{service:016x}/", of_stack(stack)) }
    }

    /// Listens there, beside any process that does already.
    ///
    /// # Errors
    ///
    /// Those of bind(2) and listen(2).
    pub fn listen(&self) -> io::Result<UnixListener> {
        let others = (0..MORE).map(|number| wall_nanos().wrapping_add(number) | 1 << 32);
        let mut refused = io::Error::from(io::ErrorKind::AddrInUse);
        for number in (0..SLOTS).chain(others) {
            let address = SocketAddr::from_abstract_name(self.name(number))?;
            match UnixListener::bind_addr(&address) {
                Err(error) if error.kind() == io::ErrorKind::AddrInUse => refused = error,
                result => return result,
            }
        }
        Err(refused)
    }

    /// Everybody who listens under the first few numbers.
    pub fn find(&self) -> Vec<Found> {
        (0..SLOTS).filter_map(|number| self.connect(&self.name(number))).collect()
    }

    /// Everybody who listens under another number.
    pub fn find_others(&self) -> Vec<Found> {
        let names = names_with(&self.prefix);
        let is_other = |name: &&String| (0..SLOTS).all(|number| self.name(number) != **name);
        names.iter().filter(is_other).filter_map(|name| self.connect(name)).collect()
    }

    /// The stacks that are listened for, by other users, too.
    pub fn stacks() -> Vec<StackId> {
        let names = names_with(ROOT);
        let mut stacks: Vec<StackId> = names.iter().filter_map(|name| stack_of(name)).collect();
        stacks.sort_unstable();
        stacks.dedup();
        stacks
    }

    fn name(&self, number: u64) -> String {
        format!("{}{number}", self.prefix)
    }

    /// Does not wait for a process that does not accept.
    fn connect(&self, name: &str) -> Option<Found> {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let socket = socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None).ok()?;
        let address = SocketAddrUnix::new_abstract_name(name.as_bytes()).ok()?;
        match connect(&socket, &address) {
            Ok(()) => {
                rustix::io::ioctl_fionbio(&socket, false).ok()?;
                let peer = Peer::of(&socket).ok()?;
                Some(Found::Listening(UnixStream::from(socket), peer))
            }
            Err(rustix::io::Errno::AGAIN) => Some(Found::Full),
            Err(_nobody) => None,
        }
    }
}

const ROOT: &str = "stackrun/";
const CONTROL: &str = "control/";

fn of_stack(stack: StackId) -> String {
    format!("{ROOT}{stack}/")
}

/// The stack whose supervisor is to be reached under a name.
fn stack_of(name: &str) -> Option<StackId> {
    let (stack, rest) = name.strip_prefix(ROOT)?.split_once('/')?;
    rest.starts_with(CONTROL).then(|| stack.parse().ok()).flatten()
}

/// The abstract names that begin so (proc_net_unix in proc_net(5)).
fn names_with(prefix: &str) -> Vec<String> {
    let table = std::fs::read("/proc/net/unix").unwrap_or_default();
    let names = table.split(|&byte| byte == b'\n').filter_map(|line| {
        let name = line.splitn(2, |&byte| byte == b'@').nth(1)?;
        Some(std::str::from_utf8(name).ok()?.to_owned())
    });
    let mut names: Vec<String> = names.filter(|name| name.starts_with(prefix)).collect();
    names.sort_unstable();
    names.dedup();
    names
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    fn endpoint() -> (tempfile::TempDir, StackId, Endpoint) {
        let dir = tempfile::tempdir().unwrap();
        let stack = StackId::at(dir.path()).unwrap();
        (dir, stack, Endpoint::control(stack, &PathBuf::new()))
    }

    #[test]
    fn who_comes_later_listens_beside_who_is_there() {
        let (_dir, stack, endpoint) = endpoint();
        assert!(endpoint.find().is_empty());
        let listeners: Vec<_> = (0..SLOTS + 2).map(|_| endpoint.listen().unwrap()).collect();
        let own = |found: Vec<Found>| {
            let own = |found: &Found| matches!(found, Found::Listening(_, peer) if peer.is_own());
            found.iter().filter(|found| own(found)).count()
        };
        assert_eq!(own(endpoint.find()), 4);
        assert_eq!(own(endpoint.find_others()), 2);
        assert!(Endpoint::stacks().contains(&stack));
        drop(listeners);
        assert!(endpoint.find().is_empty() && endpoint.find_others().is_empty());
        assert!(!Endpoint::stacks().contains(&stack));
    }

    #[test]
    fn who_accepts_nobody_is_not_waited_for() {
        let (_dir, _, endpoint) = endpoint();
        let listener = endpoint.listen().unwrap();
        rustix::net::listen(&listener, 0).unwrap();
        let mut found = Vec::new();
        while !found.iter().any(|found| matches!(found, Found::Full)) {
            found.extend(endpoint.find());
        }
    }

    #[test]
    fn a_name_tells_its_stack() {
        assert_eq!(
            stack_of("stackrun/00000000000000ff/control/3"),
            "00000000000000ff".parse().ok()
        );
        assert_eq!(stack_of("stackrun/00000000000000ff/terminal/1/0"), None);
        assert_eq!(stack_of("stackrun/1234/control/0"), None);
    }
}
