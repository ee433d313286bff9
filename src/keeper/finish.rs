//! The end of a whole stack: every child is killed until the kernel says that there is none.

use std::{collections::HashSet, sync::atomic::Ordering, time::Duration};

use super::{keep::Keeper, protocol::FromKeeper};
use crate::{
    event::Tick,
    model::Signal,
    platform::{self, Entry, Peek},
};

/// After this long it is said what cannot be ended.
const PATIENCE: Duration = Duration::from_secs(5);

/// The logs' last bytes are waited for this long.
const LOGS: Duration = Duration::from_millis(500);

const FIRST_PAUSE: Duration = Duration::from_millis(2);
const LONGEST_PAUSE: Duration = Duration::from_millis(100);

/// How far it is.
#[derive(Debug)]
pub(super) struct Finish {
    since: Tick,
    pause: Duration,
    next: Option<Tick>,
    /// Every child that was killed.
    killed: HashSet<u32>,
    /// `Empty` was told, or there was nobody to tell.
    told: bool,
}

impl Finish {
    pub(super) fn deadline(&self) -> Option<Tick> {
        self.next
    }
}

impl Keeper {
    pub(super) fn begin_finish(&mut self, now: Tick) {
        if let Some(finish) = &mut self.finish {
            finish.told = false;
            finish.next = Some(now);
            return;
        }
        for unit in self.units.values_mut() {
            unit.kill(now);
        }
        self.finishing.store(true, Ordering::Relaxed);
        self.finish = Some(Finish {
            since: now,
            pause: FIRST_PAUSE,
            next: Some(now),
            killed: HashSet::new(),
            told: false,
        });
    }

    /// Whether the keeper's work is over.
    pub(super) fn is_done(&self) -> bool {
        self.finish.as_ref().is_some_and(|finish| finish.told) && self.line.is_none()
    }

    pub(super) fn settle_finish(&mut self, now: Tick) {
        let Some(finish) = &mut self.finish else { return };
        if finish.told || finish.next.is_some_and(|next| now < next) {
            return;
        }
        finish.next = Some(now + finish.pause);
        finish.pause = (finish.pause * 2).min(LONGEST_PAUSE);
        let since = now.since(finish.since);
        let logs_written = self.open_outputs.is_empty() || since >= LOGS;
        let units_gone = self.units.values().all(|unit| unit.gone);
        let childless = units_gone && self.end_strays() && self.abandoned.is_none();
        if childless && logs_written {
            self.tell_empty(Vec::new());
        } else if since >= PATIENCE {
            self.tell_empty(self.left());
        }
    }

    /// Kills and reaps every child; whether none is left.
    fn end_strays(&mut self) -> bool {
        for pid in platform::children() {
            // An unreaped child of ours: its number is its own.
            let _ended = platform::kill_process(pid, Signal::KILL);
            let _lives = platform::reap(pid);
            // As long as there are new ones it is a race.
            if let Some(finish) = &mut self.finish
                && finish.killed.insert(pid)
            {
                finish.next = Some(platform::now() + FIRST_PAUSE);
                finish.pause = FIRST_PAUSE;
            }
        }
        platform::children().is_empty()
    }

    fn tell_empty(&mut self, left: Vec<String>) {
        let by_kernel = matches!(platform::peek_any(), Ok(Peek::NoChild));
        let proved = by_kernel && !self.adopted;
        self.tell(FromKeeper::Empty { left, proved });
        if let Some(finish) = &mut self.finish {
            finish.told = true;
            finish.next = None;
        }
    }

    /// Everybody who cannot be ended, for a person.
    fn left(&self) -> Vec<String> {
        let units = self.units.values().filter(|unit| !unit.gone);
        let known = units.flat_map(|unit| &unit.known);
        let known = known.chain(self.abandoned.iter().flat_map(|search| &search.living));
        let known = known.map(|id| id.pid);
        let mut pids: Vec<u32> = known.chain(platform::children()).collect();
        pids.sort_unstable();
        pids.dedup();
        pids.into_iter()
            .filter_map(Entry::read)
            .map(|entry| platform::predicament(&entry))
            .collect()
    }
}
