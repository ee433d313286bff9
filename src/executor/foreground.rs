//! Whether what was started stays: a program that puts a server into the background ends as soon as
//! that answers, and what it has started is ready for no longer than that.

use std::time::Duration;

use crate::{
    event::Tick,
    platform::{self, Entry},
};

/// How long a main process must stay once a process of its tree has left its session. One that only
/// waits for the server to answer looks for that a few times a second.
const STAYS: Duration = Duration::from_millis(500);

/// The main process of a service, which is to stay.
#[derive(Debug)]
pub(super) struct Foreground {
    main: u32,
    /// Since when a descendant is known to have left its session.
    left: Option<Tick>,
}

impl Foreground {
    pub(super) fn new(main: u32) -> Self {
        Self { main, left: None }
    }

    /// It runs, and not only until what it has started runs.
    pub(super) fn holds(&mut self) -> Result<(), String> {
        if Entry::read(self.main).is_none_or(|main| main.is_dead()) {
            return Err("its main process has ended".into());
        }
        let descendants = platform::descendants(self.main).into_iter();
        let mut entries = descendants.filter_map(|id| Entry::read(id.pid));
        let Some(left) = entries.find(|entry| entry.session != self.main) else {
            return Ok(());
        };
        let now = platform::now();
        if now.since(*self.left.get_or_insert(now)) >= STAYS {
            return Ok(());
        }
        let (pid, name) = (left.id.pid, left.name);
        Err(format!("pid {pid} ({name}) may be in the background: does its main process stay?"))
    }
}
