//! Taking up where the supervisor before left off.

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    time::Duration,
};

use tokio::sync::mpsc;

use super::{checkpoint::Left, relocate::Relocation, state::Executor};
use crate::{
    core::stack::{Recovered, Supervisor},
    event::{Cause, Event},
    keeper::protocol::{Checkpoint, FromKeeper, Part, UnitId, UnitReport},
    model::{Exit, Stack},
    platform,
};

/// How long the keeper may take to tell of an end that it has found.
const HEARING: Duration = Duration::from_millis(500);

/// What became of what the supervisor before knew.
enum Restored {
    /// There was none.
    Nothing,
    /// All of it is known.
    Whole,
    /// The stack is known, what runs of it was found, and the rest is lost: why.
    Recovered(String),
    /// Not even the stack is known: why.
    Lost(String),
}

impl Executor {
    /// Takes up where the supervisor before left off, if there was one.
    pub(super) fn take_over(&mut self, units: Vec<UnitReport>, checkpoint: &Checkpoint) {
        let now = platform::now();
        let restored = self.restore(checkpoint, &units);
        let event = Event::SupervisorStarted {
            pid: std::process::id(),
            version: env!("CARGO_PKG_VERSION").into(),
            took_over: matches!(restored, Restored::Whole),
        };
        self.publish(None, None, event, Cause::Supervisor);
        if let Some(text) = self.tell_lost(&restored, units.iter().any(|unit| !unit.gone)) {
            self.publish(None, None, Event::notice(text), Cause::Supervisor);
        }
        for report in &units {
            self.remember(&report.unit, report.pid, report.log);
            if report.unit.is_main() {
                self.ports.give(&report.unit.owner);
            }
        }
        let vanished = self.vanished(&units);
        let effects = self.core.resume(now);
        self.carry_out_missing(effects, &units);
        for unit in vanished {
            let exit = Exit::UNKNOWN;
            let (left, background, out_of_memory) = (0, None, false);
            let (gone, at) = (unit.clone(), now);
            self.keeper_says(FromKeeper::Exited {
                unit,
                exit,
                left,
                background,
                out_of_memory,
                at,
            });
            self.keeper_says(FromKeeper::Gone { unit: gone, swept: 0 });
        }
        for report in units {
            self.catch_up(report);
        }
        self.hear_steps(|_| true);
        if !self.core.running_tasks().is_empty() {
            self.watch_journals();
        }
    }

    /// What has a process by what the supervisor before knew, and is unknown to the keeper: its
    /// record was lost, and the process has ended since.
    fn vanished(&self, units: &[UnitReport]) -> Vec<UnitId> {
        let known: HashSet<&UnitId> = units.iter().map(|report| &report.unit).collect();
        let expected = self.core.with_process().into_iter();
        let expected = expected.map(|(name, generation)| UnitId::main(name, generation));
        expected.filter(|unit| !known.contains(unit)).collect()
    }

    /// Hears of the ends that nobody has been told of yet, before anybody may ask: what has ended
    /// while there was no keeper must not be said to be up.
    pub(super) async fn hear_of_ends(&mut self, news: &mut mpsc::UnboundedReceiver<FromKeeper>) {
        let has_ended = |pid| platform::Entry::read(pid).is_none_or(|entry| entry.is_dead());
        let untold = self.units.iter().filter(|(_, unit)| unit.exit.is_none());
        let mut untold: HashSet<UnitId> = untold
            .filter(|(_, unit)| has_ended(unit.owner.main))
            .map(|(id, _)| id.clone())
            .collect();
        let until = tokio::time::Instant::now() + HEARING;
        while !untold.is_empty() {
            let Ok(Some(message)) = tokio::time::timeout_at(until, news.recv()).await else {
                return;
            };
            if let FromKeeper::Exited { unit, .. } | FromKeeper::Gone { unit, .. } = &message {
                untold.remove(unit);
            }
            self.keeper_says(message);
        }
    }

    /// Takes up the stack last applied, and everything else from the checkpoint.
    fn restore(&mut self, checkpoint: &Checkpoint, units: &[UnitReport]) -> Restored {
        let left = match self.checkpointer.take_over(checkpoint) {
            Ok(Some(left)) => left,
            Ok(None) if units.is_empty() => return Restored::Nothing,
            Ok(None) => {
                self.core = found_core(Stack::of_folder(&self.places.folder), units);
                self.checkpointer.applied();
                return Restored::Lost("the keeper's record is gone".to_owned());
            }
            Err(error) => return self.not_understood(&error, units),
        };
        let left = match self.relocated(left) {
            Ok(left) => left,
            Err(error) => return self.not_understood(&error, units),
        };
        self.ports.adopt(&left.stack, &BTreeSet::new(), |_| true);
        let core =
            left.snapshot.and_then(|snapshot| Supervisor::restore(left.stack.clone(), &snapshot));
        let (core, restored) = match core {
            Ok(core) => match unheard_of(&core, units) {
                None => (core, Restored::Whole),
                Some(name) => {
                    let why = format!("the keeper's record knows nothing of the start of {name}");
                    (found_core(left.stack, units), Restored::Recovered(why))
                }
            },
            Err(error) => (found_core(left.stack, units), Restored::Recovered(error.to_string())),
        };
        self.core = core;
        self.know_secrets();
        self.caller = left.env;
        self.used = true;
        self.watch();
        self.watch_memory();
        self.adopt_schedules();
        restored
    }

    /// What could not be understood is kept for one who can.
    fn not_understood(&mut self, error: &serde_json::Error, units: &[UnitReport]) -> Restored {
        self.core = found_core(Stack::of_folder(&self.places.folder), units);
        self.lost = true;
        Restored::Lost(error.to_string())
    }

    /// What was left, as it is where the folder is now.
    fn relocated(&mut self, left: Left) -> serde_json::Result<Left> {
        let Some(relocation) = Relocation::between(&left.stack.dir, &self.places.folder) else {
            return Ok(left);
        };
        let Left { mut stack, mut env, snapshot } = left;
        relocation.stack(&mut stack)?;
        relocation.environment(&mut env);
        let snapshot = snapshot.and_then(|snapshot| relocation.snapshot(&snapshot));
        // Who comes after us, in another place perhaps, is to find one name for the folder.
        self.checkpointer.applied();
        Ok(Left { stack, env, snapshot })
    }

    /// Draws the conclusions of a loss; what there is to say about it.
    fn tell_lost(&mut self, restored: &Restored, lives: bool) -> Option<String> {
        let (Restored::Recovered(why) | Restored::Lost(why)) = restored else { return None };
        let is_found = matches!(restored, Restored::Recovered(_));
        let so = match (lives, is_found) {
            (false, _) => "nothing runs; `stackrun up` starts it again",
            (true, true) => "what runs goes on, and `stackrun up` starts what does not",
            (true, false) => {
                "what runs goes on; how it was started and what was wanted is not known, so that \
                 `stackrun up` restarts it; `stackrun down` stops it"
            }
        };
        self.lost &= lives;
        // Where nothing is left, whoever comes next begins anew.
        self.used = lives || !self.left.is_empty();
        Some(format!("what the last supervisor knew is lost ({why}): {so}"))
    }

    /// A stack is applied again: what could not be understood of the one before is of no use any
    /// more.
    pub(super) fn take_on(&mut self) {
        self.lost = false;
        self.know_secrets();
        self.checkpointer.applied();
    }

    /// What became of a process tree while nobody was there to be told.
    fn catch_up(&mut self, report: UnitReport) {
        let UnitReport { unit, pid, log, started, notified, exit, background, .. } = report;
        let (out_of_memory, gone) = (report.out_of_memory, report.gone);
        self.keeper_says(FromKeeper::Spawned { unit: unit.clone(), pid, log, at: started });
        if notified {
            self.keeper_says(FromKeeper::Notified { unit: unit.clone() });
        }
        if let Some(exit) = exit {
            let at = platform::now();
            self.keeper_says(FromKeeper::Exited {
                unit: unit.clone(),
                exit,
                left: usize::from(!gone),
                background,
                out_of_memory,
                at,
            });
        }
        if gone {
            self.keeper_says(FromKeeper::Gone { unit, swept: 0 });
        }
    }
}

/// A start that lives and that the core knows nothing of.
fn unheard_of(core: &Supervisor, units: &[UnitReport]) -> Option<String> {
    let now = platform::now();
    let services = core.services(now).into_iter().map(|view| (view.name, view.generation));
    let known: HashMap<String, u64> = services.chain(core.running_tasks()).collect();
    let is_unheard_of = |report: &&UnitReport| {
        let UnitId { owner, generation, .. } = &report.unit;
        let known = known.get(owner).filter(|_| report.unit.is_main());
        report.found && !report.gone && known.is_none_or(|known| known < generation)
    };
    units.iter().find(is_unheard_of).map(|report| report.unit.name())
}

/// A core that knows of what runs only that it does; each may run or not.
fn found_core(stack: Stack, units: &[UnitReport]) -> Supervisor {
    let found = units.iter().map(|report| {
        let UnitId { owner: name, part, generation } = report.unit.clone();
        // A hook tells of the start that it belongs to, not that this has a process.
        let runs = part == Part::Main && !report.gone;
        let is_task = runs && runs_steps(report.pid);
        Recovered { name, generation, runs, is_task, is_known: !report.found }
    });
    let mut found: Vec<Recovered> = found.collect();
    found.sort_by_key(|found| (found.generation, found.runs));
    Supervisor::find(stack, u64::from(std::process::id()), found, platform::now())
}

/// Whether a process is the helper that runs the steps of a task.
fn runs_steps(pid: u32) -> bool {
    platform::command_line(pid).is_some_and(|line| line.starts_with("stackrun step"))
}
