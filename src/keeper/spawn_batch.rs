//! Starts that were asked for together.
//!
//! They are made side by side: a thread that starts a process is blocked until that executes its
//! program, and one thread alone leaves processors idle meanwhile. The main thread does everything
//! else: it makes the next ones ready, and takes care of those that were made.

use std::{
    collections::{BTreeMap, HashSet},
    ffi::OsString,
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
    io::Io,
    journal::Line,
    log_mover::LogMover,
    protocol::{FromKeeper, Part, SpawnSpec, UnitId},
    start::{Environment, Prepared, SpawnContext, Start, Started},
    units::Units,
};
use crate::{
    event::Place,
    logs::files,
    platform::{self, FolderLock},
};

/// More threads than this gain nothing: they all want the same locks of the kernel.
const MOST: usize = 4;
/// So many starts may be ready before what became of the first of them is known.
const AHEAD: usize = 8;
/// So many are told of together.
const TOGETHER: usize = 16;

/// The numbers of rotated logs, rising, by the name of the log's file.
type Rotated = BTreeMap<OsString, Vec<u64>>;

/// Starts units.
pub(super) struct Spawner {
    context: SpawnContext,
    /// What the starts have in common.
    environment: Environment,
    /// Those that are asked for and not made yet, and what they start.
    batch: Vec<Asked>,
    names: HashSet<String>,
    /// Different at each start, across keepers too.
    stamp: u64,
    /// The rotated logs, once something was started in this turn.
    rotated: Option<Rotated>,
}

/// A start, with what has to be known before any of its batch is made.
#[derive(Debug)]
struct Asked {
    spec: Box<SpawnSpec>,
    stamp: u64,
    /// Where its output will begin.
    log: Place,
}

/// Where what was started goes.
pub(super) struct Targets<'a> {
    pub(super) units: &'a mut Units,
    pub(super) logs: &'a mut LogMover,
    pub(super) io: &'a mut Io,
}

/// Starts that are told of in the order in which they were asked for.
struct Telling<'a> {
    batch: &'a [Asked],
    told: usize,
    /// What became of later ones.
    early: BTreeMap<usize, Result<Started, String>>,
}

impl Spawner {
    pub(super) fn new(lock: Arc<FolderLock>) -> Self {
        Self {
            context: SpawnContext { lock },
            environment: Environment::default(),
            batch: Vec::new(),
            names: HashSet::new(),
            stamp: 0,
            rotated: None,
        }
    }

    /// The lock on the stack's folder.
    pub(super) fn lock(&self) -> &FolderLock {
        &self.context.lock
    }

    pub(super) fn set_environment(&mut self, environment: Environment) {
        self.environment = environment;
    }

    /// The turn ends: logs may be rotated until the next one.
    pub(super) fn end_turn(&mut self) {
        self.rotated = None;
    }

    /// Takes a start into the batch, which is made before anything else is done.
    pub(super) fn ask(&mut self, spec: Box<SpawnSpec>, targets: &mut Targets<'_>) {
        let UnitId { owner, .. } = &spec.unit;
        // The two may have one log, and the second begins where the first has ended.
        if self.names.contains(&spec.unit.name()) || self.names.contains(owner) {
            self.run(targets);
        }
        if targets.units.contains(&spec.unit) {
            let error = "it has been started already".to_owned();
            return targets.io.outbox.tell(FromKeeper::SpawnFailed { unit: spec.unit, error });
        }
        // Two outputs take two numbers.
        let nanos = u64::try_from(platform::now().0.as_nanos()).unwrap_or(u64::MAX / 2);
        self.stamp = nanos.max(self.stamp + 2);
        let log = self.end_of_log(&spec, targets);
        self.names.insert(spec.unit.name());
        self.batch.push(Asked { spec, stamp: self.stamp, log });
    }

    /// Where the output of a start will begin. Starts in one turn share a look at the folder,
    /// but for those whose log may be rotated this very moment.
    fn end_of_log(&mut self, spec: &SpawnSpec, targets: &Targets<'_>) -> Place {
        let Targets { units, io, .. } = targets;
        let (UnitId { owner, part, .. }, file) =
            (&spec.unit, spec.log.file_name().unwrap_or_default());
        if units.has_any(owner, *part) || units.has_any(owner, Part::Main) {
            return files::end(&io.logs, Path::new(file));
        }
        let look = || files::all_numbers(io.logs.names().unwrap_or_default());
        let numbers = self.rotated.get_or_insert_with(look).get(file);
        files::end_after(&io.logs, Path::new(file), numbers.map_or(&[], Vec::as_slice))
    }

    /// Makes the starts of the batch.
    pub(super) fn run(&mut self, targets: &mut Targets<'_>) {
        self.names.clear();
        match mem::take(&mut self.batch).as_slice() {
            [] => {}
            [one] => {
                let prepared = self.prepare(one, targets.io);
                let made = prepared.and_then(|prepared| prepared.start(&self.context));
                targets.made(one, made);
            }
            all => self.start_side_by_side(all, targets),
        }
    }

    /// Has others start what this thread makes ready, and tells what became of it meanwhile. The
    /// processes are children of this thread when it returns.
    fn start_side_by_side(&self, batch: &[Asked], targets: &mut Targets<'_>) {
        let (ready, tasks) = mpsc::channel();
        let tasks = Mutex::new(tasks);
        let (done, outcomes) = mpsc::channel();
        thread::scope(|scope| {
            let helper = |done: Sender<_>| {
                while let Ok((index, prepared)) = next(&tasks) {
                    // The receiver is there to the end.
                    let _ = done.send((index, Prepared::start(prepared, &self.context)));
                }
                platform::own_thread()
            };
            let start = || {
                let (thread, done) =
                    (thread::Builder::new().name("starts".to_owned()), done.clone());
                thread.spawn_scoped(scope, move || helper(done))
            };
            let processors = thread::available_parallelism().map_or(1, NonZero::get);
            let most = processors.min(MOST).min(batch.len());
            let helpers: Vec<_> = (0..most).map_while(|_| start().ok()).collect();
            drop(done);

            let mut telling = Telling { batch, told: 0, early: BTreeMap::new() };
            for (index, one) in batch.iter().enumerate() {
                match self.prepare(one, targets.io) {
                    Ok(prepared) if helpers.is_empty() => {
                        telling.add(index, prepared.start(&self.context), targets);
                    }
                    // The receiver is here.
                    Ok(prepared) => _ = ready.send((index, prepared)),
                    Err(error) => telling.add(index, Err(error), targets),
                }
                let outcome = |told: usize| match index + 1 - told {
                    0..=AHEAD => outcomes.try_recv().ok(),
                    _ => outcomes.recv().ok(),
                };
                while let Some((index, made)) = outcome(telling.told) {
                    telling.add(index, made, targets);
                }
            }
            drop(ready);
            for (index, made) in outcomes {
                telling.add(index, made, targets);
            }
            for helper in helpers {
                let thread = helper.join().unwrap_or_else(|panic| panic::resume_unwind(panic));
                platform::await_thread_gone(thread);
            }
        });
    }

    /// Makes a start ready, or says in one line for a person what failed.
    fn prepare<'a>(&self, asked: &'a Asked, io: &mut Io) -> Result<Prepared<'a>, String> {
        let Asked { spec, stamp, log } = asked;
        let (paths, environment) = (&io.paths, &self.environment);
        let start = Start { paths, environment, stamp: *stamp, log: *log, now: platform::now() };
        let mut prepared = start.prepare(spec)?;
        // A keeper that takes over from one that dies now finds what it has started.
        io.journal.add(&Line::Unit(Box::new(prepared.record())));
        io.journal.write();
        for refusal in mem::take(&mut prepared.refusals) {
            io.outbox.trouble_once(refusal);
        }
        Ok(prepared)
    }
}

impl Telling<'_> {
    /// Tells what became of a start once that is told of all before it.
    fn add(&mut self, index: usize, made: Result<Started, String>, targets: &mut Targets<'_>) {
        self.early.insert(index, made);
        while let Some(made) = self.early.remove(&self.told) {
            targets.made(&self.batch[self.told], made);
            self.told += 1;
            // So that the supervisor and the log thread need not wait for the last one.
            if self.told.is_multiple_of(TOGETHER) {
                targets.flush();
            }
        }
    }
}

impl Targets<'_> {
    /// Takes care of what was started, and tells of it.
    fn made(&mut self, asked: &Asked, made: Result<Started, String>) {
        match made {
            Ok(started) => self.started(started),
            Err(error) => {
                let unit = asked.spec.unit.clone();
                self.io.journal.add(&Line::Forgotten(unit.clone()));
                self.io.outbox.tell(FromKeeper::SpawnFailed { unit, error });
            }
        }
    }

    fn started(&mut self, started: Started) {
        let Started { unit, outputs, terminal } = started;
        if let Some((key, master)) = terminal {
            self.logs.open_terminal(key, master, &unit.id().owner, self.io);
        }
        outputs.into_iter().for_each(|output| self.logs.open(output));
        let (id, origin) = (unit.id().clone(), unit.origin());
        self.io.outbox.tell(FromKeeper::Spawned {
            unit: id.clone(),
            pid: unit.main().pid,
            log: origin.log,
            at: origin.started,
        });
        self.units.add(unit, &mut self.io.sources);
        self.units.record_start(&id, &mut self.io.journal);
    }

    /// Sends what there is to say so far.
    fn flush(&mut self) {
        self.logs.wake();
        self.units.record(&mut self.io.journal);
        self.io.journal.write();
        self.io.outbox.flush(&self.io.sources);
    }
}

/// The next start to be made, for whichever thread comes first; none if there will be no more.
fn next<T>(tasks: &Mutex<Receiver<T>>) -> Result<T, RecvError> {
    tasks.lock().unwrap_or_else(PoisonError::into_inner).recv()
}
