//! The end of a whole stack: everything is killed until it is proved that nothing is left.
//!
//! Where this keeper was the parent of everything from the first start, the kernel proves it: there
//! is no child (ECHILD). Otherwise everything that carries the stack's mark is looked for.
//!
//! What cannot be ended (another user's, traced, stuck in the system) stays known: this keeper
//! stays, and so does a supervisor, which is told when it has exited after all; see [`super::left`].

use std::{collections::HashSet, sync::Arc, time::Duration};

use super::{
    abandoned_checks::AbandonedChecks,
    io::Io,
    journal::Line,
    left::{Left, living},
    log_mover::LogMover,
    others::{is_of_another, may_become_one},
    protocol::FromKeeper,
    stale_state,
    supervisor_process::Gate,
    units::{STUCK, Unit, Units},
};
use crate::{
    event::Tick,
    model::Signal,
    platform::{self, Entry, Marked, Peek, ProcId, Process, StackPaths, Table},
};

/// After this long it is said what cannot be ended.
const PATIENCE: Duration = Duration::from_secs(5);
/// After this long it is said that not even that can be told.
const TIRED: Duration = Duration::from_secs(15);

/// The logs' last bytes are waited for this long.
const LOGS: Duration = Duration::from_millis(500);

const FIRST_PAUSE: Duration = Duration::from_millis(2);
const LONGEST_PAUSE: Duration = Duration::from_millis(100);

/// Ending the stack, and what could not be ended.
pub(super) struct Shutdown {
    /// Closed to supervisors while the stack is being ended.
    gate: Arc<Gate>,
    attempt: Option<Attempt>,
    left: Left,
    /// Whether trees were taken over that are not our children.
    inherited: bool,
}

/// An attempt to end the stack, and how far it is.
#[derive(Debug)]
struct Attempt {
    since: Tick,
    pause: Duration,
    next: Option<Tick>,
    /// Every child that was killed.
    killed: HashSet<u32>,
    /// `Empty` was told.
    told: bool,
}

impl Shutdown {
    pub(super) fn new(gate: Arc<Gate>) -> Self {
        Self { gate, attempt: None, left: Left::default(), inherited: false }
    }

    pub(super) fn is_under_way(&self) -> bool {
        self.attempt.is_some()
    }

    /// Whether it has been told that nothing is left.
    pub(super) fn is_over(&self) -> bool {
        self.attempt.as_ref().is_some_and(|attempt| attempt.told)
    }

    pub(super) fn deadline(&self) -> Option<Tick> {
        let attempt = self.attempt.as_ref().and_then(|attempt| attempt.next);
        attempt.into_iter().chain(self.left.deadline()).min()
    }

    /// What could not be ended, in a line each.
    pub(super) fn left(&self) -> Vec<String> {
        self.left.texts()
    }

    /// Whether trees were taken over that are not our children.
    pub(super) fn has_inherited(&self) -> bool {
        self.inherited
    }

    pub(super) fn set_inherited(&mut self, inherited: bool) {
        self.inherited = inherited;
    }

    /// What a new journal says of it.
    pub(super) fn lines(&self) -> impl Iterator<Item = Line> {
        [self.left.line()].into_iter().chain(self.inherited.then_some(Line::Adopted))
    }

    /// Waits for the end of what the keeper before could not end.
    pub(super) fn resume(&mut self, left: Vec<ProcId>, io: &mut Io) {
        self.left.watch(left, io);
    }

    /// Begins to end the stack; asked again, answers again.
    pub(super) fn begin(&mut self, units: &mut Units, now: Tick) {
        if let Some(attempt) = &mut self.attempt {
            attempt.told = false;
            attempt.next = Some(now);
            return;
        }
        units.kill_all(now);
        self.gate.close();
        self.attempt = Some(Attempt {
            since: now,
            pause: FIRST_PAUSE,
            next: Some(now),
            killed: HashSet::new(),
            told: false,
        });
    }

    /// Takes note of the end of what could not be ended; whether the token was of that.
    pub(super) fn left_ended(&mut self, token: u64, io: &mut Io) -> bool {
        self.left.ended(token, io)
    }

    /// Takes the next step, if it is due.
    pub(super) fn run(
        &mut self,
        units: &Units,
        logs: &LogMover,
        checks: &AbandonedChecks,
        io: &mut Io,
        now: Tick,
    ) {
        self.left.look_if_due(io, now);
        let Some(attempt) = &mut self.attempt else { return };
        if attempt.told || attempt.next.is_some_and(|next| now < next) {
            return;
        }
        attempt.next = Some(now + attempt.pause);
        attempt.pause = (attempt.pause * 2).min(LONGEST_PAUSE);
        let since = now.since(attempt.since);
        let are_logs_written = logs.are_complete() || since >= LOGS;
        let are_units_gone = units.living().next().is_none();
        let is_childless =
            are_units_gone && attempt.end_children(since, &io.paths) && checks.are_over();
        let is_childless = is_childless && self.left.end();
        if is_childless && !self.inherited && matches!(platform::peek_any(), Ok(Peek::NoChild)) {
            if are_logs_written {
                attempt.tell_empty(true, Vec::new(), io);
            }
            return;
        }
        let is_late = since >= PATIENCE;
        let marked = if is_childless || is_late { marked(units, &io.paths) } else { None };
        if let (true, true, Some(marked)) = (is_childless, are_logs_written, &marked)
            && end_marked(marked)
        {
            return attempt.tell_empty(false, stale_state::unproved(marked), io);
        }
        if is_late {
            let left = self.find_left(units, checks, marked.as_ref(), &io.paths);
            if !left.is_empty() {
                self.keep_left(&left, io);
            } else if since >= TIRED {
                let why = "something that cannot be looked at now (out of descriptors?)";
                self.give_up(vec![why.to_owned()], io);
            }
        }
    }

    /// Everybody who cannot be ended.
    fn find_left(
        &self,
        units: &Units,
        checks: &AbandonedChecks,
        marked: Option<&Marked>,
        own: &StackPaths,
    ) -> Vec<Entry> {
        let known = units.living().flat_map(Unit::known).copied();
        let known = known.chain(checks.living()).chain(self.left.ids());
        let known = known.chain(marked.into_iter().flat_map(Marked::ids));
        let known = known.filter_map(living);
        let children = platform::children().into_iter().filter_map(Entry::read);
        let children = children.filter(|child| !is_of_another(child, own));
        let mut left: Vec<Entry> = known.chain(children).collect();
        left.retain(|entry| !entry.is_dead());
        left.sort_by_key(|entry| entry.id);
        left.dedup_by_key(|entry| entry.id);
        left
    }

    /// The stack cannot be ended now, unless these have exited just now. It stays as it is, and
    /// their end is waited for.
    fn keep_left(&mut self, left: &[Entry], io: &mut Io) {
        self.left.watch(left.iter().map(|entry| entry.id), io);
        if !self.left.is_empty() {
            self.give_up(self.left.texts(), io);
        }
    }

    /// The stack stays as it is, and may be ended later.
    fn give_up(&mut self, processes: Vec<String>, io: &mut Io) {
        self.attempt = None;
        self.gate.open();
        io.outbox.tell(FromKeeper::Left { processes, gave_up: true });
    }
}

impl Attempt {
    /// Kills and reaps every child that is of this stack; whether none of them is left.
    fn end_children(&mut self, since: Duration, own: &StackPaths) -> bool {
        let mut of_others = HashSet::new();
        for pid in platform::children() {
            if !matches!(platform::reap(pid), Ok(None)) {
                continue;
            }
            let Some(child) = Entry::read(pid) else { continue };
            if is_of_another(&child, own) {
                of_others.insert(pid);
                continue;
            }
            if since < STUCK && may_become_one(&child, own) {
                continue;
            }
            // An unreaped child of ours: its number is its own.
            let _ended = platform::kill_process(pid, Signal::KILL);
            let _lives = platform::reap(pid);
            // As long as there are new ones it is a race.
            if self.killed.insert(pid) {
                self.next = Some(platform::now() + FIRST_PAUSE);
                self.pause = FIRST_PAUSE;
            }
        }
        platform::children().iter().all(|pid| of_others.contains(pid))
    }

    fn tell_empty(&mut self, proved: bool, unproved: Vec<String>, io: &mut Io) {
        io.outbox.tell(FromKeeper::Empty { proved, unproved });
        self.told = true;
        self.next = None;
    }
}

/// What carries the stack's mark, or may; none where processes cannot be looked at now.
fn marked(units: &Units, own: &StackPaths) -> Option<Marked> {
    let table = Table::read().ok()?;
    let mut marked = Marked::of(own, &table);
    // What is older than the stack is not of it.
    let oldest = units.all().map(|unit| unit.main().start).min();
    marked.unseen.retain(|entry| oldest.is_none_or(|oldest| entry.id.start >= oldest));
    Some(marked)
}

/// Kills what carries the mark; whether there was nothing.
fn end_marked(marked: &Marked) -> bool {
    for process in marked.ids().filter_map(Process::open) {
        let _ended = process.signal(Signal::KILL);
    }
    marked.processes.is_empty()
}
