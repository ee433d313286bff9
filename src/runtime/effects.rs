//! What each effect of the core means in the world.

use std::{path::Path, time::Duration};

use super::{
    Internal, cleanup, excerpt,
    watch::Reaction,
    world::{World, hook_unit, main_unit},
};
use crate::{
    event::{Cause, Event},
    keeper::protocol::{SpawnSpec, ToKeeper, UnitId, UnitReport},
    lifecycle::{self, Hook, PortsAnswer},
    model::{Service, StopTo, WatchThen},
    platform,
    supervisor::{Command, Effect, Input, OpId, Outcome},
};

/// How often a port that is to be released is looked at.
const RELEASE: Duration = Duration::from_millis(10);

impl World {
    /// Carries out effects, in order.
    pub(super) fn carry_out(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Unit { name, generation, effect } => {
                    self.unit_effect(&name, generation, effect);
                }
                Effect::Publish(event, cause) => self.publish(None, None, event, cause),
                Effect::Settled { op, outcome } => self.settled(op, outcome),
                Effect::Save => self.save(),
            }
        }
    }

    /// Carries out what a supervisor before may or may not have got done: a start only where the
    /// keeper does not have the process already.
    pub(super) fn carry_out_missing(&mut self, effects: Vec<Effect>, units: &[UnitReport]) {
        let known = |unit: &UnitId| units.iter().any(|report| report.unit == *unit);
        let (done, missing): (Vec<_>, Vec<_>) =
            effects.into_iter().partition(|effect| match effect {
                Effect::Unit { name, generation, effect } => match effect {
                    lifecycle::Effect::Spawn { .. } => known(&main_unit(name, *generation)),
                    lifecycle::Effect::RunHook(hook) => known(&hook_unit(name, *hook, *generation)),
                    _ => false,
                },
                Effect::Publish(..) | Effect::Settled { .. } | Effect::Save => false,
            });
        tracing::debug!(done = done.len(), missing = missing.len(), "took over");
        self.carry_out(missing);
    }

    fn unit_effect(&mut self, name: &str, generation: u64, effect: lifecycle::Effect) {
        match effect {
            lifecycle::Effect::CheckPorts => {
                self.make_data_folder(name);
                self.find_ports(name, generation, Vec::new());
            }
            lifecycle::Effect::CheckReleased => self.check_released(name, generation),
            lifecycle::Effect::Cleanup => self.clean_up(name, generation),
            lifecycle::Effect::RunHook(hook) => self.run_hook(name, generation, hook),
            lifecycle::Effect::KillHook(hook) => {
                let unit = hook_unit(name, hook, generation);
                self.link.send(ToKeeper::Kill { unit });
            }
            lifecycle::Effect::Spawn { args } => {
                self.make_data_folder(name);
                self.spawn(name, generation, &args);
            }
            lifecycle::Effect::CheckInputs => self.check_inputs(name, generation),
            lifecycle::Effect::TaskSucceeded => self.task_succeeded(name),
            lifecycle::Effect::StartReady => self.start_ready(name, generation),
            lifecycle::Effect::StartAlive => self.start_alive(name, generation),
            lifecycle::Effect::StopProbes => self.prober.stop(name),
            lifecycle::Effect::SignalStop => self.signal_stop(name, generation),
            lifecycle::Effect::KillTree => {
                let unit = main_unit(name, generation);
                self.link.send(ToKeeper::Kill { unit });
            }
            lifecycle::Effect::Publish(event, cause) => {
                let event = self.with_evidence(name, generation, event);
                self.publish(Some(name), Some(generation), event, cause);
            }
        }
    }

    /// Reports back to the core once this effect and those after it have been carried out.
    pub(super) fn tell(&self, name: &str, generation: u64, input: lifecycle::Input) {
        let name = name.to_owned();
        // The receiver is the loop itself, which is running.
        let _ = self.internal.send(Internal::Unit { name, generation, input });
    }

    /// Sees to it that a service that is about to start has its ports; `claimed` are those that
    /// somebody was stopped for already.
    pub(super) fn find_ports(&mut self, name: &str, generation: u64, claimed: Vec<u16>) {
        let Some(service) = self.service(name).cloned() else { return };
        match self.ports.find(&service) {
            Some(busy) => self.claim(name, generation, busy, claimed),
            None => self.tell(name, generation, lifecycle::Input::Ports(PortsAnswer::Free)),
        }
    }

    fn check_released(&self, name: &str, generation: u64) {
        let Some(service) = self.service(name) else { return };
        let Some(port) = self.ports.first_busy(service) else {
            return self.tell(name, generation, lifecycle::Input::Ports(PortsAnswer::Free));
        };
        // Not released yet: the core is told, and asks again if it still cares.
        let holder = "what is left of it, or somebody else".to_owned();
        let input = lifecycle::Input::Ports(PortsAnswer::Busy { port, holder });
        let (internal, name) = (self.internal.clone(), name.to_owned());
        tokio::task::spawn_local(async move {
            tokio::time::sleep(RELEASE).await;
            let _ = internal.send(Internal::Unit { name, generation, input });
        });
    }

    fn clean_up(&mut self, name: &str, generation: u64) {
        let Some(service) = self.service(name) else { return };
        if service.cleanup.is_empty() {
            self.tell(name, generation, lifecycle::Input::Cleaned(Ok(())));
            return;
        }
        let (dir, patterns) = (self.places.folder.clone(), service.cleanup.clone());
        let (internal, name) = (self.internal.clone(), name.to_owned());
        tokio::task::spawn_local(async move {
            let deleting = tokio::task::spawn_blocking(move || cleanup::delete(&dir, &patterns));
            let result = deleting.await.unwrap_or_else(|error| Err(error.to_string()));
            let input = lifecycle::Input::Cleaned(result);
            let _ = internal.send(Internal::Unit { name, generation, input });
        });
    }

    fn run_hook(&mut self, name: &str, generation: u64, hook: Hook) {
        let unit = hook_unit(name, hook, generation);
        let spec = match self.service(name) {
            Some(service) => self.launcher().hook(service, hook, unit),
            None => Ok(None),
        };
        let failed = |exit| lifecycle::Input::HookEnded { hook, exit };
        match spec {
            Ok(Some(spec)) => self.link.send(ToKeeper::Spawn(Box::new(spec))),
            // Nothing to run is a success.
            Ok(None) => self.tell(name, generation, failed(Ok(crate::model::Exit::SUCCESS))),
            Err(error) => self.tell(name, generation, failed(Err(error))),
        }
    }

    fn spawn(&mut self, name: &str, generation: u64, args: &[String]) {
        match self.spec(name, generation, args) {
            Ok(spec) => self.link.send(ToKeeper::Spawn(Box::new(spec))),
            Err(error) => self.tell(name, generation, lifecycle::Input::SpawnFailed(error)),
        }
    }

    fn spec(&self, name: &str, generation: u64, args: &[String]) -> Result<SpawnSpec, String> {
        let unit = main_unit(name, generation);
        let launcher = self.launcher();
        match (self.service(name), self.task(name)) {
            (Some(service), _) => launcher.service(service, unit),
            (None, Some(task)) => launcher.task(task, args, unit),
            (None, None) => Err("the stack has it no more".into()),
        }
    }

    fn start_ready(&mut self, name: &str, generation: u64) {
        let Some(service) = self.service(name).cloned() else { return };
        let unit = self.units.get(&main_unit(name, generation)).cloned();
        let probe =
            super::prober::ready(&self.launcher(), &service, generation, unit, &self.internal);
        self.prober.start(name, probe.until_ready());
    }

    fn start_alive(&mut self, name: &str, generation: u64) {
        let Some(service) = self.service(name).cloned() else { return };
        let Some(alive) = service.alive.clone() else { return };
        let unit = self.units.get(&main_unit(name, generation)).cloned();
        let launcher = self.launcher();
        let probe =
            super::prober::alive(&launcher, &service, &alive, generation, unit, &self.internal);
        self.prober.start(name, probe.while_alive());
    }

    fn signal_stop(&mut self, name: &str, generation: u64) {
        let Some(stop) = self.service(name).map(|service: &Service| service.stop.clone()) else {
            return;
        };
        let tree = match stop.to {
            StopTo::Tree => true,
            StopTo::Main => false,
        };
        let unit = main_unit(name, generation);
        self.link.send(ToKeeper::Signal { unit, signal: stop.signal, tree });
    }

    /// Adds the last lines of the log to what tells of a failure.
    fn with_evidence(&self, name: &str, generation: u64, mut event: Event) -> Event {
        if let Event::Exited { expected: false, tail, .. } | Event::Failed { tail, .. } = &mut event
            && tail.is_empty()
        {
            *tail = self.last_lines(name, generation);
        }
        event
    }

    /// The last lines that a generation wrote; of its `before-start`, if it got no further.
    pub(super) fn last_lines(&self, name: &str, generation: u64) -> Vec<String> {
        let before = hook_unit(name, Hook::BeforeStart, generation);
        // A tree that is gone is forgotten; its lines are still the last ones.
        let latest = [main_unit(name, generation), before].into_iter().find_map(|unit| {
            let (latest, offset) = *self.log_offsets.get(&unit.name)?;
            (latest == generation).then_some((unit.name, offset))
        });
        let Some((unit, offset)) = latest else { return Vec::new() };
        let lines = excerpt::last_lines(&self.places.log(&unit.replace(':', ".")), offset);
        lines.into_iter().map(|line| self.desk.conceal(line)).collect()
    }

    fn save(&mut self) {
        self.watch();
        self.watch_memory();
        self.adopt_schedules();
        self.desk.applied();
    }

    /// Watches what the stack in force says.
    pub(super) fn watch(&mut self) {
        if let Err(error) = self.watches.adopt(self.core.stack(), &self.internal) {
            let text = format!("some files are not watched: {error}");
            self.publish(None, None, Event::Notice { text }, Cause::Supervisor);
        }
    }

    /// Does what a `watch` says about a change.
    pub(super) fn watched(&mut self, watch: usize, path: &Path) {
        let Some(name) = self.watches.service(watch).map(str::to_owned) else { return };
        let views = self.core.services(platform::now());
        let view = views.iter().find(|view| view.name == name && view.pid.is_some());
        let (generation, started) = view.map_or((0, None), |view| (view.generation, view.started));
        let shown = path.strip_prefix(&self.places.folder).unwrap_or(path).display().to_string();
        let cause = Cause::Watch { path: shown.clone() };
        let command = match self.watches.react(watch, started) {
            Reaction::Nothing => return,
            Reaction::Paused => {
                let text = format!(
                    "{name} changes what it watches ({shown}): it is not restarted for that any \
                     more; leave the file out with `ignore`"
                );
                self.publish(Some(&name), None, Event::Notice { text }, cause);
                return;
            }
            Reaction::Do(WatchThen::Signal(signal)) => {
                let unit = main_unit(&name, generation);
                self.link.send(ToKeeper::Signal { unit, signal, tree: false });
                let event = Event::Signalled { signal: signal.to_string(), tree: false };
                self.publish(Some(&name), Some(generation), event, cause);
                return;
            }
            Reaction::Do(WatchThen::Restart) => {
                Command::Restart { stack: None, names: vec![name], with_dependents: false }
            }
            Reaction::Do(WatchThen::Task(task)) => {
                let stack = Box::new(self.core.stack().clone());
                Command::Run { stack, task, args: Vec::new(), force: true }
            }
        };
        let op = self.next_op();
        self.command(op, command, cause);
    }

    fn settled(&mut self, op: OpId, outcome: Outcome) {
        if self.clients.is_whole_down(op) && outcome.refused.is_none() && !outcome.superseded {
            self.clients.await_proof(op, outcome);
            self.finish();
        } else {
            self.clients.answer(op, outcome, None);
        }
    }

    /// Feeds a command whose client is known to [`super::requests`].
    pub(super) fn command(&mut self, op: OpId, command: Command, cause: Cause) {
        self.used = true;
        self.feed(Input::Command { op, command, cause });
    }
}
