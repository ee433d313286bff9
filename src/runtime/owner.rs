//! Whose listener is on a port: the service's own, or somebody else's.

use std::{
    collections::BTreeSet,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::{Arc, Mutex, PoisonError},
};

use crate::platform::{self, FileId, Holder, ProcId, Table};

/// Where a local connection is made, in the order in which checks try it.
pub(super) const LOOPBACK: [IpAddr; 2] =
    [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];

/// One generation of a service, as the owner of listening sockets. Clones share what has been
/// proved already.
#[derive(Debug, Clone)]
pub(super) struct Owner {
    /// The main process.
    pub(super) main: u32,
    /// Sockets that were found to be its own: they stay so for as long as they listen.
    proved: Arc<Mutex<BTreeSet<u64>>>,
}

impl Owner {
    pub(super) fn new(main: u32) -> Self {
        Self { main, proved: Arc::default() }
    }

    /// A process of this generation listens on the port.
    pub(super) fn listens_on(&self, port: u16) -> Result<(), String> {
        // Asked a thousand times a second: whoever takes a connection here is known already.
        let here = LOOPBACK.map(|ip| SocketAddr::new(ip, port));
        if here.into_iter().filter_map(platform::listener_at).any(|inode| self.is_proved(inode)) {
            return Ok(());
        }
        let listeners = platform::listeners(&[port]).map_err(|error| error.to_string())?;
        if listeners.is_empty() {
            return Err(format!("nothing listens on port {port}"));
        }
        if listeners.iter().any(|listener| self.is_proved(listener.inode)) {
            return Ok(());
        }
        let inodes: Vec<u64> = listeners.iter().map(|listener| listener.inode).collect();
        let families = trees(&[self.main]);
        let own = platform::holders(&inodes, families.first().map(Vec::as_slice));
        if own.is_empty() {
            let holder = Holder::of(port).map_err(|error| error.to_string())?;
            return Err(format!("port {port} is held by {holder}, not by this service"));
        }
        self.proved.lock().unwrap_or_else(PoisonError::into_inner).extend(own.keys());
        Ok(())
    }

    fn is_proved(&self, inode: u64) -> bool {
        self.proved.lock().unwrap_or_else(PoisonError::into_inner).contains(&inode)
    }
}

/// The processes of each of these trees, by their main processes, from one look at the system.
pub(super) fn trees(mains: &[u32]) -> Vec<Vec<u32>> {
    // With nothing running there is nothing to look for.
    if mains.is_empty() {
        return Vec::new();
    }
    let Ok(table) = Table::read() else { return vec![Vec::new(); mains.len()] };
    let seeds: Vec<_> = mains.iter().map(|main| Seed::of(&table, *main)).collect();
    let trees: Vec<_> = seeds.iter().map(Seed::tree).collect();
    let families = platform::members(&table, &trees, &[]);
    let pids = |family: platform::Family| family.iter().map(|entry| entry.id.pid).collect();
    families.into_iter().map(pids).collect()
}

/// What is known of a tree by its main process.
struct Seed {
    main: ProcId,
    pipes: Vec<FileId>,
    mark: Vec<u8>,
}

impl Seed {
    fn of(table: &Table, main: u32) -> Self {
        let Some(entry) = table.get(main) else {
            return Self {
                main: ProcId { pid: main, start: 0 },
                pipes: Vec::new(),
                mark: Vec::new(),
            };
        };
        // Without its first: stdin is `/dev/null`, which everybody has.
        let pipes = entry.pipes().into_iter().skip(1).collect();
        Self { main: entry.id, pipes, mark: entry.mark().unwrap_or_default() }
    }

    fn tree(&self) -> platform::Tree<'_> {
        platform::Tree { main: self.main, known: &[], pipes: &self.pipes, mark: &self.mark }
    }
}
