//! Whose listener is on a port: the service's own, or somebody else's.

use std::{cell::RefCell, collections::BTreeSet, rc::Rc};

use crate::platform::{self, Listener};

/// One generation of a service, as the owner of listening sockets. Clones share what has been
/// proved already.
#[derive(Debug, Clone)]
pub(super) struct Owner {
    /// The main process.
    pub(super) main: u32,
    /// The cookie in the environment of every process of this generation.
    pub(super) cookie: String,
    /// Sockets that were found to be its own: they stay so for as long as they listen.
    proved: Rc<RefCell<BTreeSet<u64>>>,
}

impl Owner {
    pub(super) fn new(main: u32, cookie: String) -> Self {
        Self { main, cookie, proved: Rc::default() }
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
        let pids = platform::tree_of(self.main, &self.cookie);
        let own = platform::holders(&inodes, Some(&pids));
        if own.is_empty() {
            let holder = describe_holder(&listeners);
            return Err(format!("port {port} is held by {holder}, not by this service"));
        }
        self.proved.borrow_mut().extend(own.keys());
        Ok(())
    }
}

/// Who holds these sockets, for a person: `pid 812 (nginx: master), user www-data`.
pub(super) fn describe_holder(listeners: &[Listener]) -> String {
    let inodes: Vec<u64> = listeners.iter().map(|listener| listener.inode).collect();
    match platform::holders(&inodes, None).values().next() {
        Some(pid) => platform::describe_process(*pid),
        None => match listeners.first() {
            Some(listener) => format!("a process of {}", platform::user_name(listener.uid)),
            None => "nobody any more".into(),
        },
    }
}
