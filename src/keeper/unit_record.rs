//! What a keeper that takes over has to know, and the take-over itself.
//!
//! A record is a hint. Whether a process still is the one that was recorded is for its identity to
//! tell. A unit is recorded before it is started, so that one whose keeper died in between is
//! found by the labels that it was to get: its pipes and its mark.

use std::{
    collections::{HashMap, HashSet},
    os::fd::RawFd,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use super::{
    journal::{self, Line},
    logs::Output,
    main_loop::Keeper,
    notify::{self, Notify},
    protocol::{CheckpointPart, UnitId},
    stale_supervisors::end_stale_supervisors,
    unit::{OutputPipe, Unit},
};
use crate::{
    event::{Place, Tick},
    model::{Exit, LogPolicy, is_default},
    platform::{self, Cgroup, Entry, Fifo, ProcId, Process, Pty, Table},
};

/// A unit as it is recorded.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Record {
    pub(super) unit: UnitId,
    /// `None`: it was about to be started.
    #[serde(default, skip_serializing_if = "is_default")]
    pub(super) main: Option<ProcId>,
    pub(super) started: Tick,
    #[serde(default, skip_serializing_if = "is_default")]
    pub(super) log: Place,
    #[serde(default, skip_serializing_if = "is_default")]
    pub(super) log_policy: LogPolicy,
    pub(super) outputs: Vec<OutputPipe>,
    pub(super) mark: String,
    #[serde(default, skip_serializing_if = "is_default")]
    pub(super) notify: Option<notify::Record>,
    #[serde(
        default,
        skip_serializing_if = "is_default",
        with = "crate::model::path_text::optional"
    )]
    pub(super) cgroup: Option<PathBuf>,
    #[serde(default, skip_serializing_if = "is_default")]
    pub(super) known: Vec<ProcId>,
    #[serde(default)]
    pub(super) asked_to_end: bool,
    #[serde(default, skip_serializing_if = "is_default")]
    pub(super) exit: Option<Exit>,
    #[serde(default)]
    pub(super) out_of_memory: bool,
    #[serde(default, skip_serializing_if = "is_default")]
    pub(super) told: bool,
    #[serde(default, skip_serializing_if = "is_default")]
    pub(super) gone: bool,
    /// It was found by its mark.
    #[serde(default, skip_serializing_if = "is_default")]
    pub(super) found: bool,
}

impl Record {
    fn of(unit: &Unit) -> Self {
        Self {
            unit: unit.id.clone(),
            main: Some(unit.main),
            started: unit.started,
            log: unit.log,
            log_policy: unit.log_policy.clone(),
            outputs: unit.outputs.clone(),
            mark: String::from_utf8_lossy(&unit.mark).into_owned(),
            notify: unit.notify.as_ref().map(Notify::record),
            cgroup: unit.group.as_ref().map(|group| group.folder().to_owned()),
            known: unit.known.clone(),
            asked_to_end: unit.asked_to_end,
            exit: unit.end.as_ref().map(|end| end.exit),
            out_of_memory: unit.end.as_ref().is_some_and(|end| end.out_of_memory),
            told: unit.end.as_ref().is_some_and(|end| end.told),
            gone: unit.gone,
            found: unit.found,
        }
    }

    /// The unit, unless it never came to be.
    pub(super) fn into_unit(self, now: Tick) -> Option<Unit> {
        let main = self.main.or_else(|| self.find_main())?;
        let process = Process::open(main);
        // After an upgrade they still are our children; after a take-over nobody is.
        let own = Some(std::process::id());
        let child = process.is_some() && Entry::read(main.pid).map(|e| e.parent) == own;
        let ended = self.exit.is_some() || process.is_none();
        let mut unit = Unit {
            id: self.unit,
            main,
            process: process.filter(|_| !ended),
            child,
            started: self.started,
            log: self.log,
            log_policy: self.log_policy,
            outputs: self.outputs,
            mark: self.mark.into_bytes(),
            known: if self.known.is_empty() { vec![main] } else { self.known },
            notify: self.notify.and_then(Notify::take_over),
            group: self.cgroup.map(Cgroup::resume),
            asked_to_end: self.asked_to_end,
            end: None,
            kill: None,
            killed: HashSet::new(),
            refused: HashSet::new(),
            watched: HashMap::new(),
            look: None,
            remembered: 0,
            changed: true,
            gone: self.gone,
            found: self.found,
        };
        unit.look = unit.remember(now);
        if ended {
            unit.ended(self.exit.unwrap_or(Exit::UNKNOWN), now);
        }
        if let Some(end) = &mut unit.end {
            end.told = self.told;
            end.out_of_memory = self.out_of_memory;
        }
        Some(unit)
    }

    /// Who was started by the keeper before in its last moment: the oldest leader of a session
    /// that has the unit's labels. The lock on the stack is held by it, too, until it executes
    /// its program: by now it has its labels, or is none.
    fn find_main(&self) -> Option<ProcId> {
        let table = Table::read().ok()?;
        let labelled = |entry: &&Entry| {
            entry.session == entry.id.pid
                && (entry.pipes().iter().any(|pipe| self.outputs.iter().any(|out| out.id == *pipe))
                    || entry.mark().is_some_and(|mark| mark == self.mark.as_bytes()))
        };
        let living = table.entries().iter().filter(|entry| !entry.is_dead());
        living.filter(labelled).map(|entry| entry.id).min_by_key(|id| id.start)
    }
}

impl Keeper {
    /// Brings the journal up to date.
    pub(super) fn record(&mut self) {
        for unit in self.units.values_mut().filter(|unit| unit.changed) {
            unit.changed = false;
            self.journal.add(&Line::Unit(Box::new(Record::of(unit))));
        }
        self.write_journal();
    }

    /// Notes one unit for the journal's next write, without a look at the others.
    pub(super) fn record_unit(&mut self, id: &UnitId) {
        if let Some(unit) = self.units.get_mut(id) {
            unit.changed = false;
            self.journal.add(&Line::Unit(Box::new(Record::of(unit))));
        }
    }

    /// Notes for the journal's next write that a unit runs which was recorded before its start.
    /// Until then it is found by its labels.
    pub(super) fn record_start(&mut self, id: &UnitId) {
        if let Some(unit) = self.units.get_mut(id) {
            unit.changed = false;
            self.journal.add(&Line::Started(id.clone(), unit.main));
        }
    }

    pub(super) fn write_journal(&mut self) {
        if self.journal.wants_to_be_new() {
            self.rewrite_journal();
        }
        self.journal.write();
    }

    pub(super) fn forget(&mut self, id: UnitId) {
        if self.units.get(&id).is_some_and(|unit| unit.gone) {
            self.units.remove(&id);
            self.journal.add(&Line::Forgotten(id));
        }
    }

    /// Keeps a part of the checkpoint of the supervisor's.
    pub(super) fn keep_part(&mut self, part: CheckpointPart, text: String) {
        if part.outlives_the_keeper() {
            self.journal.add(&Line::CheckpointPart(part, text.clone()));
        }
        self.checkpoint.insert(part, text);
    }

    /// Adds to a part of the checkpoint.
    pub(super) fn append_to_part(&mut self, part: CheckpointPart, text: String) {
        self.checkpoint.entry(part).or_default().push_str(&text);
        if part.outlives_the_keeper() {
            self.journal.add(&Line::CheckpointPartAppended(part, text));
        }
    }

    pub(super) fn rewrite_journal(&mut self) {
        let lasting = self.checkpoint.iter().filter(|(part, _)| part.outlives_the_keeper());
        let checkpoint = lasting.map(|(part, text)| Line::CheckpointPart(*part, text.clone()));
        let units = self.units.values().map(|unit| Line::Unit(Box::new(Record::of(unit))));
        let first = [Line::Boot(platform::boot_id()), Line::Begun(platform::now())];
        let adopted = self.adopted.then_some(Line::Adopted);
        let first = first.into_iter().chain([self.line_of_left()]).chain(adopted);
        let lines = first.chain(checkpoint).chain(units);
        if let Err(error) = self.journal.replace(lines) {
            let folder = self.places.runtime.display();
            self.trouble(format!(
                "cannot write to {folder} ({error}): everything goes on, but if stackrun's keeper \
                 is killed now, nobody can take over from it"
            ));
        }
    }

    /// Takes over what a keeper that is dead has left, or (`resumed`) the program before this one.
    /// The dead one's supervisor has held the `terminals` meanwhile.
    pub(super) fn take_over(&mut self, resumed: bool, terminals: &[RawFd]) {
        let mut terminals = terminals.to_vec();
        let now = platform::now();
        let told = journal::read_newest(&self.places).unwrap_or_default();
        // Of what another process has started, this one is not the parent.
        self.adopted = if resumed { told.adopted } else { !told.is_empty() };
        self.checkpoint.extend(told.checkpoint);
        for unit in told.records.into_values().filter_map(|record| record.into_unit(now)) {
            self.take_on(unit, &mut terminals);
        }
        if !resumed {
            end_stale_supervisors(self.places.id);
            self.find_unrecorded(now);
        }
        self.watch_left(told.left);
        // Where there was nothing before, nobody has left anything.
        if resumed || self.adopted {
            self.look_for_abandoned(now);
        }
        // Their services have ended.
        terminals.into_iter().for_each(|number| drop(platform::inherited(number)));
        self.logs.wake();
        // Zombies of strangers may wait from before.
        self.orphans = Some(now);
        self.rewrite_journal();
        let outputs = self.units.values().flat_map(|unit| &unit.outputs);
        let used = outputs.map(|output| output.path.clone()).collect();
        remove_unused(&self.places.runtime, &used);
    }

    /// Takes care of a unit that somebody else has started.
    pub(super) fn take_on(&mut self, mut unit: Unit, terminals: &mut Vec<RawFd>) {
        let mut outputs = std::mem::take(&mut unit.outputs);
        for output in &mut outputs {
            self.reopen(&unit, output, terminals);
        }
        unit.outputs = outputs;
        self.hold(unit);
    }

    /// Goes on with the log of an output. What its pipe holds has been waiting there.
    fn reopen(&mut self, unit: &Unit, output: &mut OutputPipe, terminals: &mut Vec<RawFd>) {
        if let Some(number) = output.terminal {
            let handed = terminals.extract_if(.., |number| Pty::is(*number, output.id)).last();
            output.terminal = handed.or(Some(number));
            return self.reopen_terminal(unit, output);
        }
        let by_name = Fifo::open(output.path.clone()).ok().filter(|fifo| fifo.id == output.id);
        let held = || unit.known.iter().find_map(|id| platform::held_pipe(id.pid, output.id));
        let Some(pipe) = by_name.map(|fifo| fifo.reader).or_else(held) else { return };
        self.open_outputs.insert(output.key);
        self.logs.open(Output {
            key: output.key,
            pipe,
            path: output.log.clone(),
            policy: unit.log_policy.clone(),
        });
    }

    /// Goes on with a terminal that the program before, or the supervisor of the keeper before,
    /// has left open. With both of these dead the terminal is gone, too.
    fn reopen_terminal(&mut self, unit: &Unit, output: &OutputPipe) {
        let Some(number) = output.terminal else { return };
        let Ok(Pty { master, .. }) = Pty::inherit(number, output.id) else { return };
        let Ok(pipe) = master.try_clone() else { return };
        self.open_outputs.insert(output.key);
        self.open_terminal(output.key, master, &unit.id.owner);
        self.logs.open(Output {
            key: output.key,
            pipe,
            path: output.log.clone(),
            policy: unit.log_policy.clone(),
        });
    }
}

/// Removes pipes that are nobody's any more.
fn remove_unused(folder: &Path, used: &HashSet<PathBuf>) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for path in entries.flatten().map(|entry| entry.path()) {
        if path.extension().is_some_and(|extension| extension == "pipe") && !used.contains(&path) {
            let _gone_already = std::fs::remove_file(path);
        }
    }
}
