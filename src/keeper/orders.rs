//! What the supervisor asks for.

use std::os::fd::AsFd;

use super::{
    journal::Line,
    keep::Keeper,
    look::Sending,
    protocol::{FromKeeper, SpawnSpec, ToKeeper, UnitId},
    start::{Environment, Started, Starts},
};
use crate::{
    event::{Place, Tick},
    logs::files,
    platform,
};

impl Keeper {
    pub(super) fn asked(&mut self, message: ToKeeper) {
        let now = platform::now();
        match message {
            ToKeeper::Environment { variables } => match Environment::of(variables) {
                Ok(environment) => self.environment = environment,
                Err(error) => self.trouble(error),
            },
            ToKeeper::Spawn(spec) => self.spawn(&spec, now),
            // What the supervisor noted comes first: whoever takes over from a keeper that is killed
            // now must know why a process ended.
            ToKeeper::Signal { unit, signal, tree } => {
                self.journal.write();
                self.signal(Sending { unit, signal, tree, stop: false });
            }
            ToKeeper::Stop { unit, signal, tree } => {
                self.journal.write();
                self.signal(Sending { unit, signal, tree, stop: true });
            }
            ToKeeper::Kill { unit } => {
                self.journal.write();
                match self.units.get_mut(&unit) {
                    Some(unit) => unit.kill(now),
                    // The keeper before was killed before it could start it.
                    None => self.tell(FromKeeper::Gone { unit, swept: 0 }),
                }
            }
            ToKeeper::Forget { unit } => self.forget(unit),
            ToKeeper::Upgrade { program } => self.upgrade(&program),
            ToKeeper::Keep { paper, text } => self.keep_paper(paper, text),
            ToKeeper::KeepAlso { paper, text } => self.keep_also(paper, text),
            ToKeeper::Finish => self.begin_finish(now),
        }
    }

    fn spawn(&mut self, spec: &SpawnSpec, now: Tick) {
        let id = spec.unit.clone();
        if self.units.contains_key(&id) {
            let error = "it has been started already".to_owned();
            return self.tell(FromKeeper::SpawnFailed { unit: id, error });
        }
        // The proof that nothing is left must hold for whatever comes after it.
        if self.finish.is_some() {
            let error = "the stack is being ended".to_owned();
            return self.tell(FromKeeper::SpawnFailed { unit: id, error });
        }
        // Two outputs take two numbers.
        let nanos = u64::try_from(now.0.as_nanos()).unwrap_or(u64::MAX / 2);
        self.stamp = nanos.max(self.stamp + 2);
        let end_of_log = self.end_of_log(spec);
        let starts = Starts {
            places: &self.places,
            environment: &self.environment,
            lock: self.estate.lock.as_fd(),
            open_files: self.open_files,
            stamp: self.stamp,
            log: end_of_log,
            now,
        };
        let mut refusals = Vec::new();
        let started = starts.prepare(spec).and_then(|mut prepared| {
            refusals.append(&mut prepared.refusals);
            // Whoever takes over from a keeper that dies now finds what it has started.
            self.journal.add(&Line::Unit(Box::new(starts.record(&prepared))));
            self.journal.write();
            starts.start(prepared)
        });
        for refusal in refusals {
            self.trouble_once(refusal);
        }
        match started {
            Ok(started) => self.started(started, now),
            Err(error) => {
                self.journal.add(&Line::Forgotten(id.clone()));
                self.tell(FromKeeper::SpawnFailed { unit: id, error });
            }
        }
    }

    /// Where the output of a start will begin. Starts in one turn share a look at the folder,
    /// but for those whose log may be rotated this very moment.
    fn end_of_log(&mut self, spec: &SpawnSpec) -> Place {
        let (UnitId { name, .. }, log) = (&spec.unit, &spec.log);
        let service = name.split(':').next().unwrap_or(name);
        let has_units = |name: &str| {
            let first = UnitId { name: name.to_owned(), generation: 0 };
            self.units.range(first..).next().is_some_and(|(unit, _)| unit.name == name)
        };
        match (log.parent(), log.file_name()) {
            (Some(folder), Some(file)) if !has_units(name) && !has_units(service) => {
                if !self.rotated.contains_key(folder) {
                    self.rotated.insert(folder.to_owned(), files::all_numbers(folder));
                }
                let numbers = self.rotated.get(folder).and_then(|rotated| rotated.get(file));
                files::end_after(log, numbers.map_or(&[], Vec::as_slice))
            }
            _ => files::end(log),
        }
    }

    fn started(&mut self, started: Started, now: Tick) {
        let Started { mut unit, outputs, terminal } = started;
        if let Some((key, master)) = terminal {
            self.open_terminal(key, master, &self.places.terminal(&unit.id.name));
        }
        for output in outputs {
            self.open_outputs.insert(output.key);
            self.logs.open(output);
        }
        self.tell(FromKeeper::Spawned {
            unit: unit.id.clone(),
            pid: unit.main.pid,
            log: unit.log,
            at: now,
        });
        unit.look = unit.remember(now);
        let id = unit.id.clone();
        self.hold(unit);
        self.record_start(&id);
    }

    /// Sends a signal to the main process at once; to a tree after a look at who is in it. What
    /// comes after such a one waits too.
    fn signal(&mut self, sending: Sending) {
        let Some(unit) = self.units.get_mut(&sending.unit) else { return };
        if sending.tree || self.looks.signals.iter().any(|waiting| waiting.unit == sending.unit) {
            unit.look = Some(platform::now());
            self.looks.signals.push(sending);
        } else {
            self.deliver(&sending);
        }
    }
}
