//! Whose listener is on a port: the service's own, or somebody else's.

use std::{cell::RefCell, collections::BTreeSet, rc::Rc};

use crate::platform::{self, FileId, Holder, Listener, ProcId, Table};

/// One generation of a service, as the owner of listening sockets. Clones share what has been
/// proved already.
#[derive(Debug, Clone)]
pub(super) struct Owner {
    /// The main process.
    pub(super) main: u32,
    /// Sockets that were found to be its own: they stay so for as long as they listen.
    proved: Rc<RefCell<BTreeSet<u64>>>,
}

impl Owner {
    pub(super) fn new(main: u32) -> Self {
        Self { main, proved: Rc::default() }
    }

    /// A process of this generation listens on the port.
    pub(super) fn listens_on(&self, port: u16) -> Result<(), String> {
        let listeners = platform::listeners(&[port]).map_err(|error| error.to_string())?;
        if listeners.is_empty() {
            return Err(format!("nothing listens on port {port}"));
        }
        let known = |listener: &Listener| self.proved.borrow().contains(&listener.inode);
        if listeners.iter().any(known) {
            return Ok(());
        }
        let inodes: Vec<u64> = listeners.iter().map(|listener| listener.inode).collect();
        let families = trees(&[self.main]);
        let own = platform::holders(&inodes, families.first().map(Vec::as_slice));
        if own.is_empty() {
            let holder = Holder::of(port).map_err(|error| error.to_string())?;
            return Err(format!("port {port} is held by {holder}, not by this service"));
        }
        self.proved.borrow_mut().extend(own.keys());
        Ok(())
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
