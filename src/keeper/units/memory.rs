//! Whether the kernel has killed a unit because memory ran out.
//!
//! A unit's cgroup tells for certain, where it has one, and so does the kernel's log. Where neither
//! may be read nothing is said: the count of all such kills on the machine proves nothing about
//! one.

use std::time::Duration;

use super::Unit;
use crate::{
    event::Tick,
    model::{Exit, Signal},
    platform::{self, Cgroup},
};

/// Of a kill that was counted, more ends may be heard of so much later.
const RECENT: Duration = Duration::from_secs(10);

/// How often the kernel has killed a process because memory ran out.
#[derive(Debug)]
pub(super) struct OomKills {
    count: u64,
    grew: Option<Tick>,
}

impl OomKills {
    pub(super) fn so_far() -> Self {
        Self { count: platform::oom_kills(), grew: None }
    }

    /// Whether this end of a unit's main process is one of them.
    pub(super) fn has_ended(&mut self, unit: &Unit, exit: Exit, now: Tick) -> bool {
        // A shell reports the end of its child as its own.
        if exit.shell_status() != Exit::Signal(Signal::KILL).shell_status() {
            return false;
        }
        if unit.cgroup().map_or(0, Cgroup::oom_kills) > 0 {
            return true;
        }
        let count = platform::oom_kills();
        if count > std::mem::replace(&mut self.count, count) {
            self.grew = Some(now);
        }
        let is_recent = self.grew.is_some_and(|grew| now.since(grew) < RECENT);
        is_recent && platform::oom_killed(unit.main().pid) == Some(true)
    }
}
