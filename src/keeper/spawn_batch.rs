//! Starts that were asked for in one breath.
//!
//! They are made side by side: whoever starts a process stands still until it executes its
//! program, and one thread alone leaves processors idle meanwhile. The main thread does everything
//! else: it makes the next ones ready, and takes care of those that were made.

use std::{
    collections::{BTreeMap, HashSet},
    mem,
    num::NonZero,
    panic,
    path::Path,
    sync::{
        Arc, Mutex, PoisonError,
        mpsc::{self, Receiver, RecvError, Sender},
    },
    thread,
};

use super::{
    journal::Line,
    main_loop::Keeper,
    protocol::{FromKeeper, Part, SpawnSpec, UnitId},
    start::{Prepared, SpawnContext, Start, Started},
};
use crate::{event::Place, logs::files, platform};

/// More threads than this gain nothing: they all want the same locks of the kernel.
const MOST: usize = 4;
/// So many starts may be ready before what became of the first of them is known.
const AHEAD: usize = 8;
/// So many are told of together.
const TOGETHER: usize = 16;

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

/// Starts that are told of in the order in which they were asked for.
struct Telling<'a> {
    wanted: &'a [Wanted],
    told: usize,
    /// What became of later ones.
    early: BTreeMap<usize, Result<Started, String>>,
}

impl Keeper {
    /// Takes a start into the batch, which is made before anything else is done.
    pub(super) fn want(&mut self, spec: Box<SpawnSpec>) {
        let UnitId { owner, .. } = &spec.unit;
        // The two may have one log, and the second begins where the first has ended.
        if self.batch.names.contains(&spec.unit.name()) || self.batch.names.contains(owner) {
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
        self.batch.names.insert(spec.unit.name());
        self.batch.wanted.push(Wanted { spec, stamp: self.stamp, log });
    }

    /// Where the output of a start will begin. Starts in one turn share a look at the folder,
    /// but for those whose log may be rotated this very moment.
    fn end_of_log(&mut self, spec: &SpawnSpec) -> Place {
        let (UnitId { owner, part, .. }, log) = (&spec.unit, &spec.log);
        let has_units = |part| {
            let first = UnitId { owner: owner.clone(), part, generation: 0 };
            let next = self.units.range(first..).next();
            next.is_some_and(|(unit, _)| unit.owner == *owner && unit.part == part)
        };
        let (logs, file) = (&self.stack.logs, log.file_name().unwrap_or_default());
        if has_units(*part) || has_units(Part::Main) {
            return files::end(logs, Path::new(file));
        }
        let look = || files::all_numbers(logs.names().unwrap_or_default());
        let numbers = self.rotated.get_or_insert_with(look).get(file);
        files::end_after(logs, Path::new(file), numbers.map_or(&[], Vec::as_slice))
    }

    /// Makes the starts of the batch.
    pub(super) fn start_wanted(&mut self) {
        let Batch { wanted, .. } = mem::take(&mut self.batch);
        let context = SpawnContext { lock: Arc::clone(&self.handoff.lock) };
        match wanted.as_slice() {
            [] => {}
            [one] => {
                let made = self.prepare(one).and_then(|prepared| prepared.start(&context));
                self.made(one, made);
            }
            all => self.start_side_by_side(all, &context),
        }
    }

    /// Has others start what this thread makes ready, and tells what became of it meanwhile. The
    /// processes are children of this thread when it returns.
    fn start_side_by_side(&mut self, wanted: &[Wanted], context: &SpawnContext) {
        let (ready, tasks) = mpsc::channel();
        let tasks = Mutex::new(tasks);
        let (done, outcomes) = mpsc::channel();
        thread::scope(|scope| {
            let helper = |done: Sender<_>| {
                while let Ok((index, prepared)) = next(&tasks) {
                    // Whoever listens does so to the end.
                    let _ = done.send((index, Prepared::start(prepared, context)));
                }
                platform::own_thread()
            };
            let start = || {
                let (thread, done) =
                    (thread::Builder::new().name("starts".to_owned()), done.clone());
                thread.spawn_scoped(scope, move || helper(done))
            };
            let processors = thread::available_parallelism().map_or(1, NonZero::get);
            let most = processors.min(MOST).min(wanted.len());
            let helpers: Vec<_> = (0..most).map_while(|_| start().ok()).collect();
            drop(done);

            let mut telling = Telling { wanted, told: 0, early: BTreeMap::new() };
            for (index, one) in wanted.iter().enumerate() {
                match self.prepare(one) {
                    Ok(prepared) if helpers.is_empty() => {
                        self.tell_in_order(&mut telling, index, prepared.start(context));
                    }
                    // The receiver is here.
                    Ok(prepared) => _ = ready.send((index, prepared)),
                    Err(error) => self.tell_in_order(&mut telling, index, Err(error)),
                }
                let outcome = |told: usize| match index + 1 - told {
                    0..=AHEAD => outcomes.try_recv().ok(),
                    _ => outcomes.recv().ok(),
                };
                while let Some((index, made)) = outcome(telling.told) {
                    self.tell_in_order(&mut telling, index, made);
                }
            }
            drop(ready);
            for (index, made) in outcomes {
                self.tell_in_order(&mut telling, index, made);
            }
            for helper in helpers {
                let thread = helper.join().unwrap_or_else(|panic| panic::resume_unwind(panic));
                platform::await_thread_gone(thread);
            }
        });
    }

    /// Tells what became of a start once that is told of all before it.
    fn tell_in_order(
        &mut self,
        telling: &mut Telling<'_>,
        index: usize,
        made: Result<Started, String>,
    ) {
        telling.early.insert(index, made);
        while let Some(made) = telling.early.remove(&telling.told) {
            self.made(&telling.wanted[telling.told], made);
            telling.told += 1;
            // So that the supervisor and the log thread need not wait for the last one.
            if telling.told.is_multiple_of(TOGETHER) {
                self.logs.wake();
                self.send();
            }
        }
    }

    /// Makes a start ready, or says in one line for a person what failed.
    fn prepare<'a>(&mut self, wanted: &'a Wanted) -> Result<Prepared<'a>, String> {
        let Wanted { spec, stamp, log } = wanted;
        let (places, environment) = (&self.places, &self.environment);
        let start = Start { places, environment, stamp: *stamp, log: *log, now: platform::now() };
        let mut prepared = start.prepare(spec)?;
        // Whoever takes over from a keeper that dies now finds what it has started.
        self.journal.add(&Line::Unit(Box::new(prepared.record())));
        self.journal.write();
        for refusal in mem::take(&mut prepared.refusals) {
            self.trouble_once(refusal);
        }
        Ok(prepared)
    }

    /// Takes care of what was started, and tells of it.
    fn made(&mut self, wanted: &Wanted, made: Result<Started, String>) {
        match made {
            Ok(started) => self.started(started),
            Err(error) => {
                let unit = wanted.spec.unit.clone();
                self.journal.add(&Line::Forgotten(unit.clone()));
                self.tell(FromKeeper::SpawnFailed { unit, error });
            }
        }
    }

    fn started(&mut self, started: Started) {
        let Started { mut unit, outputs, terminal } = started;
        let at = unit.started;
        if let Some((key, master)) = terminal {
            self.open_terminal(key, master, &unit.id.owner);
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

/// The next start to be made, for whichever thread comes first; none if there will be no more.
fn next<T>(tasks: &Mutex<Receiver<T>>) -> Result<T, RecvError> {
    tasks.lock().unwrap_or_else(PoisonError::into_inner).recv()
}
