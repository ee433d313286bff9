//! The end of a whole stack: everything is killed until it is proved that nothing is left.
//!
//! Where this keeper was the parent of everything from the first start, the kernel proves it: there
//! is no child (ECHILD). Otherwise everything that carries the stack's mark is looked for.
//!
//! What cannot be ended (another user's, traced, stuck in the system) stays known: this keeper
//! stays, and so does a supervisor, which is told when it has ended after all; see [`super::left`].

use std::{collections::HashSet, time::Duration};

use super::{
    left::living,
    main_loop::Keeper,
    others::{is_of_another, may_become_one},
    protocol::FromKeeper,
    stale_state,
    unit::STUCK,
};
use crate::{
    event::Tick,
    model::Signal,
    platform::{self, Entry, Marked, Peek, Process, Table},
};

/// After this long it is said what cannot be ended.
const PATIENCE: Duration = Duration::from_secs(5);
/// After this long it is said that not even that can be told.
const TIRED: Duration = Duration::from_secs(15);

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
        self.gate.close();
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
        let units_gone = self.units.values().all(|unit| unit.gone);
        let logs_written = self.open_outputs.is_empty() || since >= LOGS;
        let childless = units_gone && self.end_strays(since) && self.abandoned.is_none();
        let childless = childless && self.left.end();
        if childless && self.is_proved() {
            if logs_written {
                self.tell_empty(true, Vec::new());
            }
            return;
        }
        let marked = if childless || since >= PATIENCE { self.marked() } else { None };
        if let (true, true, Some(marked)) = (childless, logs_written, &marked)
            && self.end_marked(marked)
        {
            return self.tell_empty(false, stale_state::unproved(marked));
        }
        if since >= PATIENCE {
            let left = self.left(marked.as_ref());
            if !left.is_empty() {
                self.keep_left(&left);
            } else if since >= TIRED {
                let why = "something that cannot be looked at now (out of descriptors?)";
                self.give_up(vec![why.to_owned()]);
            }
        }
    }

    /// Whether the kernel says that nothing is left.
    fn is_proved(&self) -> bool {
        !self.adopted && matches!(platform::peek_any(), Ok(Peek::NoChild))
    }

    /// Kills and reaps every child that is of this stack; whether none of them is left.
    fn end_strays(&mut self, since: Duration) -> bool {
        let mut of_others = HashSet::new();
        for pid in platform::children() {
            if !matches!(platform::reap(pid), Ok(None)) {
                continue;
            }
            let Some(child) = Entry::read(pid) else { continue };
            if is_of_another(&child, &self.places) {
                of_others.insert(pid);
                continue;
            }
            if since < STUCK && may_become_one(&child, &self.places) {
                continue;
            }
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
        platform::children().iter().all(|pid| of_others.contains(pid))
    }

    /// What carries the stack's mark, or may; none where processes cannot be looked at now.
    fn marked(&self) -> Option<Marked> {
        let table = Table::read().ok()?;
        let mut marked = Marked::of(&self.places, &table);
        // What is older than the stack is not of it.
        let oldest = self.units.values().map(|unit| unit.main.start).min();
        marked.unseen.retain(|entry| oldest.is_none_or(|oldest| entry.id.start >= oldest));
        Some(marked)
    }

    /// Kills what carries the mark; whether there was nothing.
    fn end_marked(&self, marked: &Marked) -> bool {
        for process in marked.ids().filter_map(Process::open) {
            let _ended = process.signal(Signal::KILL);
        }
        marked.processes.is_empty()
    }

    fn tell_empty(&mut self, proved: bool, unproved: Vec<String>) {
        self.tell(FromKeeper::Empty { proved, unproved });
        if let Some(finish) = &mut self.finish {
            finish.told = true;
            finish.next = None;
        }
    }

    /// Everybody who cannot be ended.
    fn left(&self, marked: Option<&Marked>) -> Vec<Entry> {
        let units = self.units.values().filter(|unit| !unit.gone);
        let known = units.flat_map(|unit| unit.known.iter().copied());
        let known = known.chain(self.abandoned.iter().flat_map(|search| search.living.clone()));
        let known = known.chain(self.left.ids());
        let known = known.chain(marked.into_iter().flat_map(Marked::ids));
        let known = known.filter_map(living);
        let children = platform::children().into_iter().filter_map(Entry::read);
        let own = |child: &Entry| !is_of_another(child, &self.places);
        let mut left: Vec<Entry> = known.chain(children.filter(own)).collect();
        left.retain(|entry| !entry.is_dead());
        left.sort_by_key(|entry| entry.id);
        left.dedup_by_key(|entry| entry.id);
        left
    }
}
