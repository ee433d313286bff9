//! How a task runs: the steps of its life.

use std::time::Duration;

use super::{
    Effect, Exited, Input, KILL_WITHIN, RunPhase, StepNews, TaskMachine, TaskStep, millis,
};
use crate::{
    event::{Cause, Event, Tick},
    model::{Exit, Hook, Signal},
    reason::{Failure, HookFailure, Notice, Reason},
};

/// How long a cancelled task may take to end by itself.
const CANCEL_GRACE: Duration = Duration::from_secs(10);
/// How a task is asked to end.
const SIGNAL_STOP: Effect = Effect::SignalStop { signal: Signal::TERM, tree: true };
/// How long a success may take to be written down. A disk that stalls keeps nobody for ever.
const RECORD_WITHIN: Duration = Duration::from_secs(10);
/// How long `on-failure` may take after a cancel, where the task has no `timeout`.
const RESCUE_WITHIN: Duration = Duration::from_secs(60);

impl TaskMachine {
    /// Begins a run, if none is on its way. All needs hold: the supervisor has seen to that.
    pub fn start(&mut self, args: Vec<String>, force: bool, cause: Cause, step: &mut TaskStep<'_>) {
        if self.is_live() {
            return;
        }
        self.retried = 0;
        self.args = args;
        self.cancelled = false;
        self.cause = cause;
        self.began = step.now;
        self.exit = None;
        self.begin_generation(step);
        if step.task.inputs.is_empty() || force {
            self.has_to_run(step);
        } else {
            self.enter(RunPhase::Inputs, step.now);
            self.emit(Effect::CheckInputs, step);
        }
    }

    /// Everything that it runs `without` is down.
    pub fn go(&mut self, step: &mut TaskStep<'_>) {
        if self.phase == RunPhase::Window {
            self.spawn(step);
        }
    }

    /// What it runs `without` cannot be stopped, or what it needs is gone: it does not run.
    pub fn refuse(&mut self, failure: Failure, step: &mut TaskStep<'_>) {
        if self.phase == RunPhase::Window {
            self.fail(failure.into(), step);
        }
    }

    /// Ends a run: gently, then not.
    pub fn cancel(&mut self, cause: Cause, step: &mut TaskStep<'_>) {
        if self.cancelled || !self.is_live() {
            return;
        }
        self.cancelled = true;
        // What has ended well already cannot be called off.
        if matches!(self.phase, RunPhase::Recording { .. }) {
            return;
        }
        self.cause = cause;
        self.publish(Event::Stopping, step);
        let failed = Some(Failure::Cancelled);
        match &mut self.phase {
            RunPhase::Inputs | RunPhase::Window => self.fail(Failure::Cancelled.into(), step),
            RunPhase::Spawn => self.end(failed, false, CANCEL_GRACE, step),
            RunPhase::Running { .. } => {
                self.end(failed, false, CANCEL_GRACE, step);
                self.emit(SIGNAL_STOP, step);
                self.publish(Event::Signalled { signal: Signal::TERM, tree: true }, step);
            }
            RunPhase::Ending { failed, .. } => {
                // It is ending anyway; but there will be no retry.
                failed.get_or_insert(Failure::Cancelled);
            }
            RunPhase::Rescue { until, killed: false, .. } => {
                let within = step.task.timeout.unwrap_or(RESCUE_WITHIN);
                until.get_or_insert(step.now + within);
            }
            RunPhase::Rescue { .. }
            | RunPhase::Recording { .. }
            | RunPhase::Idle
            | RunPhase::Done { .. }
            | RunPhase::Skipped
            | RunPhase::Failed { .. } => {}
        }
    }

    /// Takes in what happened in the present generation.
    pub fn input(&mut self, input: Input, step: &mut TaskStep<'_>) {
        match (&mut self.phase, input) {
            (RunPhase::Inputs, Input::Unchanged(true)) => {
                self.enter(RunPhase::Skipped, step.now);
                self.publish(Event::Skipped, step);
            }
            (RunPhase::Inputs, Input::Unchanged(false)) => self.has_to_run(step),
            // Before its process is known to run this comes too early: it is told again.
            (
                RunPhase::Running { .. } | RunPhase::Ending { .. } | RunPhase::Rescue { .. },
                Input::Stepped { line, step: name, on_failure, news },
            ) => self.stepped(line, name, on_failure, news, step),
            (RunPhase::Spawn, Input::Spawned { pid, at }) => {
                let until = step.task.timeout.map(|timeout| step.now + timeout);
                self.enter(RunPhase::Running { until }, step.now);
                self.spawned(pid, at, step);
            }
            (RunPhase::Spawn, Input::SpawnFailed(error)) => {
                self.conclude(Some(Failure::NotStarted { error }), step);
            }
            (RunPhase::Spawn | RunPhase::Running { .. }, Input::Exited(exited)) => {
                self.ended(exited, step);
            }
            (RunPhase::Spawn | RunPhase::Running { .. }, Input::TreeGone { swept }) => {
                self.ended(Exited::new(Exit::UNKNOWN, step.now), step);
                self.gone(swept, step);
            }
            // Cancelled before it was seen to run.
            (RunPhase::Ending { .. }, Input::Spawned { pid, at }) => {
                self.spawned(pid, at, step);
                self.kill(step);
            }
            (RunPhase::Ending { failed, .. }, Input::SpawnFailed(_)) => {
                let failed = failed.clone();
                self.conclude(failed, step);
            }
            (RunPhase::Ending { .. }, Input::Exited(Exited { exit, .. })) => {
                self.exited(exit);
                let event = Event::Exited { exit, expected: true, tail: Vec::new() };
                self.publish(event, step);
                self.kill(step);
            }
            (RunPhase::Ending { .. }, Input::TreeGone { swept }) => self.gone(swept, step),
            (RunPhase::Ending { stuck, .. }, Input::Stuck(processes)) => {
                stuck.clone_from(&processes);
                self.publish(Event::Stuck { processes }, step);
            }
            (RunPhase::Recording { .. }, Input::Recorded) => self.done(step),
            (RunPhase::Rescue { .. }, Input::HookEnded { hook: Hook::OnFailure, exit }) => {
                self.rescued(&exit, step);
            }
            // Answers that this phase did not ask for: they belong to an earlier one.
            (
                RunPhase::Idle
                | RunPhase::Inputs
                | RunPhase::Window
                | RunPhase::Spawn
                | RunPhase::Running { .. }
                | RunPhase::Ending { .. }
                | RunPhase::Recording { .. }
                | RunPhase::Rescue { .. }
                | RunPhase::Done { .. }
                | RunPhase::Skipped
                | RunPhase::Failed { .. },
                _,
            ) => {}
        }
    }

    /// Does what is due.
    pub fn tick(&mut self, step: &mut TaskStep<'_>) {
        if self.deadline().is_none_or(|deadline| deadline > step.now) {
            return;
        }
        match &mut self.phase {
            RunPhase::Running { .. } => {
                let within_ms = millis(step.task.timeout.unwrap_or_default());
                let failed = Failure::TooLong { within_ms, step: self.step.clone() };
                self.end(Some(failed), false, KILL_WITHIN, step);
                self.kill(step);
            }
            RunPhase::Ending { killed: false, .. } => self.kill(step),
            RunPhase::Ending { until, .. } => *until = None,
            RunPhase::Recording { .. } => {
                self.publish(Event::Notice { notice: Notice::NotRecorded }, step);
                self.done(step);
            }
            // What it does must be over before the window closes: its end is waited for.
            RunPhase::Rescue { killed: killed @ false, until, .. } => {
                *killed = true;
                *until = Some(step.now + KILL_WITHIN);
                self.emit(Effect::KillHook(Hook::OnFailure), step);
            }
            RunPhase::Rescue { .. } => self.conclude_rescue(Some(HookFailure::Stuck), step),
            RunPhase::Idle
            | RunPhase::Inputs
            | RunPhase::Window
            | RunPhase::Spawn
            | RunPhase::Done { .. }
            | RunPhase::Skipped
            | RunPhase::Failed { .. } => {}
        }
    }

    /// What was asked of the world and may have been lost with the one who asked: to ask again
    /// must be harmless.
    pub fn resume(&self, step: &mut TaskStep<'_>) {
        let lost = match &self.phase {
            RunPhase::Inputs => Some(Effect::CheckInputs),
            RunPhase::Spawn => Some(Effect::Spawn { args: self.args.clone() }),
            RunPhase::Ending { killed: true, .. } => Some(Effect::KillTree),
            RunPhase::Recording { .. } => Some(Effect::TaskSucceeded),
            RunPhase::Ending { killed: false, .. } => Some(match self.pid {
                Some(_) => SIGNAL_STOP,
                None => Effect::CheckSpawned,
            }),
            RunPhase::Rescue { killed: false, .. } => Some(Effect::RunHook(Hook::OnFailure)),
            RunPhase::Rescue { killed: true, .. } => Some(Effect::KillHook(Hook::OnFailure)),
            RunPhase::Window
            | RunPhase::Running { .. }
            | RunPhase::Idle
            | RunPhase::Done { .. }
            | RunPhase::Skipped
            | RunPhase::Failed { .. } => None,
        };
        if let Some(effect) = lost {
            self.emit(effect, step);
        }
    }

    /// Its last run is found to be this one; that it goes on is told next, as of any run.
    pub fn find(&mut self, generation: u64, runs: bool, now: Tick) {
        self.generation = generation;
        self.began = now;
        if runs {
            self.enter(RunPhase::Spawn, now);
        }
    }

    /// A new run, or a new try of it.
    fn begin_generation(&mut self, step: &mut TaskStep<'_>) {
        self.generation += 1;
        self.background = None;
        self.told = 0;
        self.step = None;
        self.failure = None;
        self.publish(Event::Starting, step);
    }

    fn has_to_run(&mut self, step: &mut TaskStep<'_>) {
        if step.task.without.is_empty() {
            self.spawn(step);
        } else {
            self.enter(RunPhase::Window, step.now);
        }
    }

    /// Takes in what a step has to tell, once.
    fn stepped(
        &mut self,
        line: u32,
        name: String,
        on_failure: bool,
        news: StepNews,
        step: &mut TaskStep<'_>,
    ) {
        if line < self.told {
            return;
        }
        self.told = line + 1;
        let event = match news {
            StepNews::Began => {
                self.step = Some(name.clone());
                Event::Step { step: name, on_failure }
            }
            StepNews::Ended { exit, after_ms, failed } => {
                if let (Some(error), false) = (failed.clone(), on_failure) {
                    self.failure = Some(Failure::Step { step: name.clone(), error });
                }
                Event::StepEnded { step: name, on_failure, exit, after_ms, failed }
            }
        };
        self.publish(event, step);
    }

    fn spawned(&mut self, pid: u32, at: Tick, step: &mut TaskStep<'_>) {
        (self.pid, self.started) = (Some(pid), Some(at));
        self.publish(Event::Running { pid, log: None }, step);
    }

    fn exited(&mut self, exit: Exit) {
        (self.pid, self.started) = (None, None);
        self.exit = Some(exit);
    }

    fn spawn(&mut self, step: &mut TaskStep<'_>) {
        self.enter(RunPhase::Spawn, step.now);
        self.emit(Effect::Spawn { args: self.args.clone() }, step);
    }

    /// Its main process ended by itself: what it left behind goes before anything follows. What
    /// went on in the background may be a server, and is asked to end before it is killed.
    fn ended(&mut self, exited: Exited, step: &mut TaskStep<'_>) {
        let Exited { exit, background, .. } = exited;
        let good = exit.is_success(&step.task.succeeds_with);
        self.exited(exit);
        self.publish(Event::Exited { exit, expected: good, tail: Vec::new() }, step);
        let exited = Failure::Exited { exit, early: None };
        let failed = (!good).then(|| self.failure.take().unwrap_or(exited));
        let Some(left) = background else {
            self.end(failed, false, KILL_WITHIN, step);
            return self.kill(step);
        };
        let notice = Notice::Background { hook: None, process: left.clone() };
        self.publish(Event::Notice { notice }, step);
        self.background = Some(left);
        self.end(failed, false, CANCEL_GRACE, step);
        self.emit(SIGNAL_STOP, step);
    }

    fn end(
        &mut self,
        failed: Option<Failure>,
        killed: bool,
        within: Duration,
        step: &TaskStep<'_>,
    ) {
        let until = Some(step.now + within);
        self.enter(RunPhase::Ending { failed, killed, until, stuck: Vec::new() }, step.now);
    }

    fn kill(&mut self, step: &mut TaskStep<'_>) {
        if let RunPhase::Ending { killed, until, .. } = &mut self.phase {
            if !*killed {
                *killed = true;
                *until = Some(step.now + KILL_WITHIN);
            }
            self.emit(Effect::KillTree, step);
        }
    }

    fn gone(&mut self, swept: usize, step: &mut TaskStep<'_>) {
        let RunPhase::Ending { failed, .. } = &mut self.phase else { return };
        let failed = failed.take();
        (self.pid, self.started) = (None, None);
        if swept > 0 {
            self.publish(Event::Swept { processes: swept }, step);
        }
        self.conclude(failed, step);
    }

    fn conclude(&mut self, failed: Option<Failure>, step: &mut TaskStep<'_>) {
        let Some(failure) = failed else {
            if step.task.inputs.is_empty() && step.task.keep.is_empty() {
                return self.done(step);
            }
            self.enter(RunPhase::Recording { until: Some(step.now + RECORD_WITHIN) }, step.now);
            self.emit(Effect::TaskSucceeded, step);
            return;
        };
        if self.retried < step.task.retries && !self.cancelled && !step.called_off {
            self.retried += 1;
            self.begin_generation(step);
            self.spawn(step);
        } else if step.task.on_failure.is_empty() {
            self.fail(failure.into(), step);
        } else {
            let within = step.task.timeout.or(self.cancelled.then_some(RESCUE_WITHIN));
            let until = within.map(|within| step.now + within);
            self.enter(RunPhase::Rescue { failure, until, killed: false }, step.now);
            self.emit(Effect::RunHook(Hook::OnFailure), step);
        }
    }

    fn done(&mut self, step: &mut TaskStep<'_>) {
        let after_ms = millis(step.now.since(self.began));
        self.enter(RunPhase::Done { after_ms }, step.now);
        self.publish(Event::Done { after_ms }, step);
    }

    fn fail(&mut self, reason: Reason, step: &mut TaskStep<'_>) {
        self.enter(RunPhase::Failed { reason: reason.clone() }, step.now);
        self.publish(Event::Failed { reason, tail: Vec::new() }, step);
    }

    /// `on-failure` is over.
    fn rescued(&mut self, exit: &Result<Exit, String>, step: &mut TaskStep<'_>) {
        let RunPhase::Rescue { killed, .. } = &self.phase else { return };
        let how = match exit {
            Ok(_) if *killed => Some(HookFailure::TooLong),
            Ok(_) | Err(_) => HookFailure::of(exit),
        };
        if let Ok(exit) = exit {
            let event = Event::Hook { hook: Hook::OnFailure, commands: None, exit: *exit };
            self.publish(event, step);
        }
        self.conclude_rescue(how, step);
    }

    /// `on-failure` is over, or given up: its own failure is part of the reason.
    fn conclude_rescue(&mut self, on_failure: Option<HookFailure>, step: &mut TaskStep<'_>) {
        let RunPhase::Rescue { failure, .. } = &self.phase else { return };
        self.fail(Reason { on_failure, ..failure.clone().into() }, step);
    }

    fn enter(&mut self, phase: RunPhase, now: Tick) {
        let before = self.state();
        self.phase = phase;
        if self.state() != before {
            self.since = now;
        }
    }

    fn emit(&self, effect: Effect, step: &mut TaskStep<'_>) {
        step.effects.push((self.generation, effect));
    }

    fn publish(&self, event: Event, step: &mut TaskStep<'_>) {
        self.emit(Effect::Publish(event, self.cause.clone()), step);
    }
}
