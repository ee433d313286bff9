//! One unit: a process tree, from its start until none of it is left.

use std::time::Duration;

use super::{
    end::End,
    notify::{Notify, Senders},
    origin::{Origin, OutputPipe},
    record::Record,
    sweep::Sweep,
};
use crate::{
    event::Tick,
    keeper::protocol::{FromKeeper, UnitId, UnitReport},
    model::{Background, Exit},
    platform::{self, Cgroup, Entry, FileId, KernelTag, ProcId, Process, Table, Tree},
};

/// How long those who are left after a successful exit may take to exit by themselves: what
/// still is there then was meant to stay.
const LINGER: Duration = Duration::from_millis(150);

/// A main process that has exited so soon after its start, with others left, has put them into the
/// background.
const BRIEF: Duration = Duration::from_secs(5);

/// A process tree.
#[derive(Debug)]
pub(in crate::keeper) struct Unit {
    origin: Origin,
    /// The main process; a zombie from its exit until the whole tree is gone.
    main: ProcId,
    /// The same, to be signalled and waited for; none if it had exited before it was taken over.
    process: Option<Process>,
    /// Whether it is a child of this keeper, not one taken over.
    is_child: bool,
    /// Every process that the last scan found.
    known: Vec<ProcId>,
    /// Where its processes may say that they are ready.
    notify: Option<Notify>,
    /// The cgroup that it runs in, where it has one.
    cgroup: Option<Cgroup>,
    /// Whether it was asked to exit.
    is_asked_to_end: bool,
    pub(super) end: Option<End>,
    pub(super) sweep: Sweep,
    /// Whether its record on disk is out of date.
    is_changed: bool,
    /// Nothing of it is left, and the supervisor knows.
    is_gone: bool,
}

impl Unit {
    /// One that this keeper has just started.
    pub(in crate::keeper) fn started(
        origin: Origin,
        process: Process,
        notify: Option<Notify>,
        cgroup: Option<Cgroup>,
    ) -> Self {
        let mut unit = Self {
            main: process.id(),
            known: vec![process.id()],
            process: Some(process),
            is_child: true,
            notify,
            cgroup,
            is_asked_to_end: false,
            end: None,
            sweep: Sweep::default(),
            is_changed: true,
            is_gone: false,
            origin,
        };
        unit.sweep.remember(unit.origin.started);
        unit
    }

    /// One that was started by another keeper, or by the program before this one; `None` if it was
    /// never started after all.
    pub(in crate::keeper) fn resume(record: Record, now: Tick) -> Option<Self> {
        let Record { origin, main, notify, known, asked_to_end, exit, out_of_memory, told, gone } =
            record;
        let main = main.or_else(|| origin.find_main())?;
        let process = Process::open(main);
        // After an upgrade they still are our children; after a take-over none is.
        let own = Some(std::process::id());
        let is_child = process.is_some() && Entry::read(main.pid).map(|e| e.parent) == own;
        let has_ended = exit.is_some() || process.is_none();
        let mut unit = Self {
            main,
            process: process.filter(|_| !has_ended),
            is_child,
            known: if known.is_empty() { vec![main] } else { known },
            notify: notify.and_then(Notify::take_over),
            cgroup: origin.cgroup.clone().map(Cgroup::resume),
            is_asked_to_end: asked_to_end,
            end: None,
            sweep: Sweep::default(),
            is_changed: true,
            is_gone: gone,
            origin,
        };
        unit.sweep.remember(now);
        if has_ended {
            unit.ended(exit.unwrap_or(Exit::UNKNOWN), out_of_memory, now);
        }
        if let (Some(end), true) = (&mut unit.end, told) {
            end.set_told();
        }
        Some(unit)
    }

    pub(in crate::keeper) fn id(&self) -> &UnitId {
        &self.origin.unit
    }

    pub(in crate::keeper) fn origin(&self) -> &Origin {
        &self.origin
    }

    pub(in crate::keeper) fn main(&self) -> ProcId {
        self.main
    }

    /// The main process, until it has exited.
    pub(super) fn process(&self) -> Option<&Process> {
        self.process.as_ref()
    }

    pub(in crate::keeper) fn known(&self) -> &[ProcId] {
        &self.known
    }

    /// The pid of the main process, if it is ours to reap.
    pub(in crate::keeper) fn child(&self) -> Option<u32> {
        self.is_child.then_some(self.main.pid)
    }

    pub(in crate::keeper) fn is_gone(&self) -> bool {
        self.is_gone
    }

    pub(in crate::keeper) fn is_being_killed(&self) -> bool {
        self.sweep.kill.is_some() && !self.is_gone
    }

    pub(super) fn notify(&self) -> Option<&Notify> {
        self.notify.as_ref()
    }

    pub(super) fn cgroup(&self) -> Option<&Cgroup> {
        self.cgroup.as_ref()
    }

    /// The processes that its cgroup has now.
    pub(in crate::keeper) fn in_cgroup(&self) -> Vec<u32> {
        self.cgroup.as_ref().map(Cgroup::pids).unwrap_or_default()
    }

    pub(in crate::keeper) fn pipes(&self) -> Vec<FileId> {
        self.origin.outputs.iter().map(|output| output.id).collect()
    }

    /// Changes its outputs, once they have been opened again.
    pub(in crate::keeper) fn reopen_outputs(&mut self, reopen: impl FnMut(&Self, &mut OutputPipe)) {
        let mut reopen = reopen;
        let mut outputs = std::mem::take(&mut self.origin.outputs);
        outputs.iter_mut().for_each(|output| reopen(self, output));
        self.origin.outputs = outputs;
    }

    /// What the process table is searched for.
    pub(in crate::keeper) fn tree<'a>(
        &'a self,
        pipes: &'a [FileId],
        known: &'a [ProcId],
    ) -> Tree<'a> {
        let mark = self.origin.mark.as_bytes();
        Tree { main: self.main, known, pipes, mark, tag: Some(self.tag()) }
    }

    /// What the kernel hands on to everything that it starts.
    pub(in crate::keeper) fn tag(&self) -> KernelTag {
        KernelTag::of_mark(self.origin.mark.as_bytes())
    }

    pub(in crate::keeper) fn has_mark(&self, mark: &[u8]) -> bool {
        self.origin.mark.as_bytes() == mark
    }

    /// Every process that the last scan found, and those that its cgroup has now.
    pub(in crate::keeper) fn known_and_grouped(&self, table: &Table) -> Vec<ProcId> {
        let grouped = self.in_cgroup().into_iter();
        let grouped = grouped.filter_map(|pid| table.get(pid).map(|entry| entry.id));
        self.known.iter().copied().chain(grouped).collect()
    }

    /// What a new supervisor is told: exactly what the old one was, and what it missed.
    pub(super) fn report(&self) -> UnitReport {
        let told = self.end.as_ref().filter(|end| end.is_told());
        UnitReport {
            unit: self.id().clone(),
            pid: self.main.pid,
            started: self.origin.started,
            log: self.origin.log,
            notified: self.notify.as_ref().is_some_and(Notify::is_ready),
            exit: told.map(End::exit),
            background: told.and_then(End::background),
            out_of_memory: told.is_some_and(End::is_out_of_memory),
            gone: self.is_gone,
            found: self.origin.found,
        }
    }

    /// How it is recorded now; from here on its record is up to date.
    pub(super) fn record(&mut self) -> Record {
        self.is_changed = false;
        self.to_record()
    }

    pub(super) fn to_record(&self) -> Record {
        let end = self.end.as_ref();
        Record {
            origin: self.origin.clone(),
            main: Some(self.main),
            notify: self.notify.as_ref().map(Notify::record),
            known: self.known.clone(),
            asked_to_end: self.is_asked_to_end,
            exit: end.map(End::exit),
            out_of_memory: end.is_some_and(End::is_out_of_memory),
            told: end.is_some_and(End::is_told),
            gone: self.is_gone,
        }
    }

    pub(super) fn is_changed(&self) -> bool {
        self.is_changed
    }

    /// That it runs has been recorded, and nothing else has changed.
    pub(super) fn set_recorded(&mut self) {
        self.is_changed = false;
    }

    /// Its main process has exited.
    pub(super) fn ended(&mut self, exit: Exit, out_of_memory: bool, now: Tick) {
        self.end = Some(End::new(exit, out_of_memory, now));
        self.sweep.look_at(now);
        self.is_changed = true;
    }

    pub(in crate::keeper) fn has_ended(&self) -> bool {
        self.end.is_some()
    }

    /// Whether its end is known and will be told in a moment.
    pub(in crate::keeper) fn has_untold_end(&self) -> bool {
        self.end.as_ref().is_some_and(|end| !end.is_told())
    }

    /// Begins to ask it to exit; whether it had not been asked before.
    pub(super) fn ask_to_end(&mut self) -> bool {
        !std::mem::replace(&mut self.is_asked_to_end, true)
    }

    /// Begins to kill it; a second time changes nothing.
    pub(in crate::keeper) fn kill(&mut self, now: Tick) {
        if !self.is_gone {
            self.sweep.kill(now);
        }
    }

    /// Takes in which processes it has now.
    pub(super) fn set_known(&mut self, known: Vec<ProcId>) {
        self.is_changed |= known != self.known;
        self.known = known;
    }

    /// One of its processes has sent `READY=1`; whether that is news.
    pub(super) fn take_ready(&mut self) -> bool {
        let mark = self.origin.mark.as_bytes();
        let senders = Senders { main: self.main, known: &self.known, mark };
        let is_news = self.notify.as_mut().is_some_and(|notify| notify.take_ready(senders));
        self.is_changed |= is_news;
        is_news
    }

    /// When something is to be done for it without anything happening.
    pub(super) fn deadline(&self) -> Option<Tick> {
        if self.is_gone {
            return None;
        }
        let end = self.end.as_ref().and_then(End::deadline);
        self.sweep.next_look().into_iter().chain(end).min()
    }

    /// Takes in who is left of an ended unit, once that is known for good; when to look again,
    /// if it is not.
    pub(super) fn count_left(&mut self, others: &[&Entry], now: Tick) -> Option<Tick> {
        let is_asked_for = self.is_asked_to_end || self.sweep.kill.is_some();
        let end = self.end.as_mut().filter(|end| !end.is_counted())?;
        let may_stay = end.exit() == Exit::SUCCESS && !is_asked_for && !others.is_empty();
        if may_stay && now.since(end.at()) < LINGER {
            return Some(end.at() + LINGER);
        }
        let is_brief = end.at().since(self.origin.started) < BRIEF;
        let has_left = |entry: &&&Entry| is_brief || entry.session != self.main.pid;
        let first = others.iter().filter(has_left).min_by_key(|entry| entry.id.start);
        let background = first.filter(|_| may_stay).map(|entry| Background {
            pid: entry.id.pid,
            command: platform::command_line(entry.id.pid).unwrap_or_else(|| entry.name.clone()),
        });
        end.set_left(others.len(), background);
        None
    }

    /// How its main process exited, if that was not known: the kernel tells others than the parent
    /// once the parent has reaped it.
    fn ask_exit_again(&mut self) {
        let Some(end) = self.end.as_mut().filter(|end| end.exit() == Exit::UNKNOWN) else { return };
        let process = self.process.as_ref().filter(|_| !self.is_child);
        if let Some(exit) = process.and_then(Process::exit_seen_by_others) {
            end.set_exit(exit);
        }
    }

    /// What the supervisor is to be told of its end now, if anything.
    pub(super) fn news(&mut self, now: Tick) -> Vec<FromKeeper> {
        let mut news = Vec::new();
        if self.is_gone {
            return news;
        }
        self.ask_exit_again();
        let Some(end) = &mut self.end else { return news };
        let unit = &self.origin.unit;
        if end.is_tellable(now) {
            news.push(end.tell(unit.clone()));
            self.is_changed = true;
        }
        if end.is_over(now) {
            let swept = self.sweep.count_swept();
            news.push(FromKeeper::Gone { unit: unit.clone(), swept });
            self.is_gone = true;
            self.is_changed = true;
        }
        news
    }

    /// Nothing of it is left: its main process is reaped, and its pipes lose their names. Returns
    /// its socket, which is of no use any more.
    pub(super) fn release(&mut self) -> Option<Notify> {
        if self.is_child {
            let _taken_over = platform::reap(self.main.pid);
        }
        for output in &self.origin.outputs {
            let _gone_already = std::fs::remove_file(&output.path);
        }
        self.cgroup.iter().for_each(Cgroup::remove);
        self.sweep.forget_watched();
        self.notify.take()
    }
}
