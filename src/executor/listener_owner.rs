//! Whose listener is on a port: the service's own, or somebody else's.

use std::{
    collections::BTreeSet,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use crate::{
    event::Tick,
    platform::{self, FileId, Holder, KernelTag, Listener, ProcId, Table},
    reason::CheckAnswer,
};

/// Where a local connection is made, in the order in which checks try it.
pub(super) const LOOPBACK: [IpAddr; 2] =
    [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];

/// A service that does not listen after so long may listen elsewhere.
const SLOW: Duration = Duration::from_secs(1);

/// One generation of a service, as the owner of listening sockets. Clones share what has been
/// proved already.
#[derive(Debug, Clone)]
pub(super) struct Owner {
    /// The main process.
    pub(super) main: u32,
    /// Sockets that were found to be its own: they stay so for as long as they listen.
    proved: Arc<Mutex<BTreeSet<u64>>>,
    elsewhere: Arc<Mutex<Elsewhere>>,
}

/// The ports on which a service listens, whatever it declares.
#[derive(Debug)]
struct Elsewhere {
    ports: BTreeSet<u16>,
    /// When they are looked for again: it takes a walk through all processes.
    due: Tick,
    pause: Duration,
}

impl Owner {
    pub(super) fn new(main: u32) -> Self {
        let due = platform::now() + SLOW;
        let elsewhere = Elsewhere { ports: BTreeSet::new(), due, pause: SLOW };
        Self { main, proved: Arc::default(), elsewhere: Arc::new(Mutex::new(elsewhere)) }
    }

    /// A process of this generation listens on the port, at `host` where one is given.
    pub(super) fn listens_on(&self, port: u16, host: Option<IpAddr>) -> Result<(), CheckAnswer> {
        // Asked a thousand times a second: whoever takes a connection here is known already.
        let here = host.map_or(LOOPBACK.to_vec(), |host| vec![host]).into_iter();
        let here = here.filter_map(|ip| platform::listener_at(SocketAddr::new(ip, port)));
        if here.into_iter().any(|inode| self.is_proved(inode)) {
            return Ok(());
        }
        let mut listeners = platform::listeners(&[port]).map_err(|error| error.to_string())?;
        if listeners.is_empty() {
            // One that takes its time may have been given another port than its file says.
            let instead = self.listens().into_iter().collect();
            return Err(CheckAnswer::NothingListens { port, instead });
        }
        let elsewhere = listeners.first().map(|listener| listener.addr);
        listeners.retain(|listener| listener.is_in_the_way_of(host));
        if let (true, Some(host), Some(elsewhere)) = (listeners.is_empty(), host, elsewhere) {
            return Err(CheckAnswer::OtherAddress {
                port,
                host: host.to_string(),
                instead: elsewhere.to_string(),
            });
        }
        if listeners.iter().any(|listener| self.is_proved(listener.inode)) {
            return Ok(());
        }
        let own = self.own_of(&listeners);
        if own.is_empty() {
            let holder = Holder::of(port).map_err(|error| error.to_string())?.to_string();
            return Err(CheckAnswer::HeldByOther { port, holder });
        }
        self.proved.lock().unwrap_or_else(PoisonError::into_inner).extend(own);
        Ok(())
    }

    fn listens(&self) -> BTreeSet<u16> {
        let mut elsewhere = self.elsewhere.lock().unwrap_or_else(PoisonError::into_inner);
        let now = platform::now();
        if now >= elsewhere.due {
            elsewhere.ports = self.look_for_ports();
            elsewhere.pause *= 2;
            elsewhere.due = now + elsewhere.pause;
        }
        elsewhere.ports.clone()
    }

    fn look_for_ports(&self) -> BTreeSet<u16> {
        let listeners = platform::all_listeners().unwrap_or_default();
        let own = self.own_of(&listeners);
        let own = listeners.iter().filter(|listener| own.contains(&listener.inode));
        own.map(|listener| listener.port).collect()
    }

    /// The sockets among these that processes of this generation hold.
    fn own_of(&self, listeners: &[Listener]) -> BTreeSet<u64> {
        let inodes: Vec<u64> = listeners.iter().map(|listener| listener.inode).collect();
        let families = trees(&[self.main]);
        platform::holders(&inodes, families.first().map(Vec::as_slice)).into_keys().collect()
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
    tag: Option<KernelTag>,
}

impl Seed {
    fn of(table: &Table, main: u32) -> Self {
        let Some(entry) = table.get(main) else {
            return Self {
                main: ProcId { pid: main, start: 0 },
                pipes: Vec::new(),
                mark: Vec::new(),
                tag: None,
            };
        };
        // Without its first: stdin is `/dev/null`, which everybody has.
        let pipes = entry.pipes().into_iter().skip(1).collect();
        // It may have overwritten its environment.
        let (mark, tag) = (entry.mark().unwrap_or_default(), entry.tag());
        Self { main: entry.id, pipes, mark, tag }
    }

    fn tree(&self) -> platform::Tree<'_> {
        platform::Tree {
            main: self.main,
            known: &[],
            pipes: &self.pipes,
            mark: &self.mark,
            tag: self.tag,
        }
    }
}
