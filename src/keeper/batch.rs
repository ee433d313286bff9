//! Starts that were asked for in one breath.
//!
//! They are made side by side: whoever starts a process stands still until it executes its
//! program, and one thread alone leaves processors idle meanwhile.

use std::{
    collections::HashSet,
    mem,
    num::NonZero,
    os::fd::AsFd,
    panic,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use super::{
    journal::{Journal, Line},
    keep::Keeper,
    protocol::{FromKeeper, SpawnSpec, UnitId},
    start::{Started, Starts},
};
use crate::{
    event::{Place, Tick},
    logs::files,
    platform,
};

/// More threads than this gain nothing: they all want the same locks of the kernel.
const MOST: usize = 4;

/// The starts that are wanted and not made yet.
#[derive(Debug, Default)]
pub(super) struct Batch {
    wanted: Vec<Wanted>,
    names: HashSet<String>,
}

/// A start, with what has to be known before any of its batch is made.
#[derive(Debug)]
struct Wanted {
    spec: Box<SpawnSpec>,
    stamp: u64,
    /// Where its output will begin.
    log: Place,
}

/// What became of one.
struct Outcome {
    /// When it was made.
    at: Tick,
    /// What runs, or in one line for a person what failed.
    started: Result<Started, String>,
    /// Limits that are not in force, and why.
    refusals: Vec<String>,
}

impl Keeper {
    /// Takes a start into the batch, which is made before anything else is done.
    pub(super) fn want(&mut self, spec: Box<SpawnSpec>) {
        let name = &spec.unit.name;
        // The two may have one log, and the second begins where the first has ended.
        if self.batch.names.contains(name) || self.batch.names.contains(service_of(name)) {
            self.start_wanted();
        }
        let refused = if self.units.contains_key(&spec.unit) {
            Some("it has been started already")
        } else if self.finish.is_some() {
            // The proof that nothing is left must hold for whatever comes after it.
            Some("the stack is being ended")
        } else {
            None
        };
        if let Some(error) = refused {
            return self.tell(FromKeeper::SpawnFailed { unit: spec.unit, error: error.to_owned() });
        }
        // Two outputs take two numbers.
        let nanos = u64::try_from(platform::now().0.as_nanos()).unwrap_or(u64::MAX / 2);
        self.stamp = nanos.max(self.stamp + 2);
        let log = self.end_of_log(&spec);
        self.batch.names.insert(spec.unit.name.clone());
        self.batch.wanted.push(Wanted { spec, stamp: self.stamp, log });
    }

    /// Where the output of a start will begin. Starts in one turn share a look at the folder,
    /// but for those whose log may be rotated this very moment.
    fn end_of_log(&mut self, spec: &SpawnSpec) -> Place {
        let (UnitId { name, .. }, log) = (&spec.unit, &spec.log);
        let has_units = |name: &str| {
            let first = UnitId { name: name.to_owned(), generation: 0 };
            self.units.range(first..).next().is_some_and(|(unit, _)| unit.name == name)
        };
        match (log.parent(), log.file_name()) {
            (Some(folder), Some(file)) if !has_units(name) && !has_units(service_of(name)) => {
                if !self.rotated.contains_key(folder) {
                    self.rotated.insert(folder.to_owned(), files::all_numbers(folder));
                }
                let numbers = self.rotated.get(folder).and_then(|rotated| rotated.get(file));
                files::end_after(log, numbers.map_or(&[], Vec::as_slice))
            }
            _ => files::end(log),
        }
    }

    /// Makes the starts of the batch.
    pub(super) fn start_wanted(&mut self) {
        let Batch { wanted, .. } = mem::take(&mut self.batch);
        if wanted.is_empty() {
            return;
        }
        let outcomes = self.make(&wanted);
        for (Wanted { spec, .. }, Outcome { at, started, refusals }) in wanted.iter().zip(outcomes)
        {
            for refusal in refusals {
                self.trouble_once(refusal);
            }
            match started {
                Ok(started) => self.started(started, at),
                Err(error) => {
                    let unit = spec.unit.clone();
                    self.journal.add(&Line::Forgotten(unit.clone()));
                    self.tell(FromKeeper::SpawnFailed { unit, error });
                }
            }
        }
    }

    fn make(&mut self, wanted: &[Wanted]) -> Vec<Outcome> {
        let journal = Mutex::new(&mut self.journal);
        let (places, environment) = (&self.places, &self.environment);
        let (lock, open_files) = (self.estate.lock.as_fd(), self.open_files);
        side_by_side(wanted, |&Wanted { ref spec, stamp, log }| {
            let now = platform::now();
            let starts = Starts { places, environment, lock, open_files, stamp, log, now };
            let mut refusals = Vec::new();
            let started = starts.prepare(spec).and_then(|mut prepared| {
                refusals.append(&mut prepared.refusals);
                // Whoever takes over from a keeper that dies now finds what it has started.
                note(&journal, &Line::Unit(Box::new(starts.record(&prepared))));
                starts.start(prepared)
            });
            Outcome { at: now, started, refusals }
        })
    }

    fn started(&mut self, started: Started, at: Tick) {
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
            at,
        });
        unit.look = unit.remember(at);
        let id = unit.id.clone();
        self.hold(unit);
        self.record_start(&id);
    }
}

/// The service that a unit, its hook perhaps, belongs to.
fn service_of(unit: &str) -> &str {
    unit.split(':').next().unwrap_or(unit)
}

/// Writes a line at once.
fn note(journal: &Mutex<&mut Journal>, line: &Line) {
    // A line that a panic has cut short is no line.
    let mut journal = journal.lock().unwrap_or_else(PoisonError::into_inner);
    journal.add(line);
    journal.write();
}

/// Does the same to all items, on all processors; the results come in the order of the items.
/// Processes that were started meanwhile are children of the calling thread when it returns.
fn side_by_side<T: Sync, R: Send>(items: &[T], work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    if let [item] = items {
        return vec![work(item)];
    }
    let next = AtomicUsize::new(0);
    let share = || {
        let mut done = Vec::new();
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let Some(item) = items.get(index) else { return done };
            done.push((index, work(item)));
        }
    };
    let processors = thread::available_parallelism().map_or(1, NonZero::get);
    let helpers = processors.min(MOST).min(items.len()) - 1;
    let mut done = thread::scope(|scope| {
        let helper = || (platform::own_thread(), share());
        let start = || thread::Builder::new().name("starts".to_owned()).spawn_scoped(scope, helper);
        // Who cannot have a thread does it alone.
        let helpers: Vec<_> = (0..helpers).map_while(|_| start().ok()).collect();
        let mut done = share();
        for helper in helpers {
            let (thread, theirs) =
                helper.join().unwrap_or_else(|panic| panic::resume_unwind(panic));
            platform::await_thread_gone(thread);
            done.extend(theirs);
        }
        done
    });
    done.sort_unstable_by_key(|&(index, _)| index);
    done.into_iter().map(|(_, result)| result).collect()
}
