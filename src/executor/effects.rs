//! What each effect of the core means in the world.

use std::{path::Path, time::Duration};

use super::{
    Internal, cleanup,
    launch::Launcher,
    log_tail,
    state::{Executor, Unit},
    watch::Reaction,
};
use crate::{
    core::lifecycle::{self, PortsAnswer},
    core::stack::{Command, Effect, Input, OpId, Outcome},
    event::{Cause, Event, Place, Tick},
    keeper::protocol::{SpawnSpec, ToKeeper, UnitId, UnitReport},
    logs::Log,
    model::{Exit, Hook, Service, Signal, WatchThen},
    platform,
    reason::LastLine,
    secrets,
    status::ServiceState,
};

/// How often a port that is to be released is looked at.
const RELEASE: Duration = Duration::from_millis(10);

/// The name of the log of a service's stderr, where that is apart.
pub(super) fn errors_of(name: &str) -> String {
    format!("{name}.err")
}

impl Executor {
    /// Carries out effects, in order.
    pub(super) fn carry_out(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Unit { name, generation, effect } => {
                    self.unit_effect(&name, generation, effect);
                }
                Effect::Publish(event, cause) => self.publish(None, None, event, cause),
                Effect::CommandEnded { op, outcome } => self.settled(op, outcome),
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
                    lifecycle::Effect::Spawn { .. } | lifecycle::Effect::CheckSpawned => {
                        known(&UnitId::main(name, *generation))
                    }
                    lifecycle::Effect::RunHook(hook) => {
                        known(&UnitId::hook(name, *hook, *generation))
                    }
                    _ => false,
                },
                Effect::Publish(..) | Effect::CommandEnded { .. } | Effect::Save => false,
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
            lifecycle::Effect::RunHook(hook) => {
                self.make_data_folder(name);
                self.run_hook(name, generation, hook);
            }
            // Not the signal of the service: it is another program.
            lifecycle::Effect::EndHook(hook) => {
                let unit = UnitId::hook(name, hook, generation);
                self.link.send(ToKeeper::Stop { unit, signal: Signal::TERM, tree: true });
            }
            lifecycle::Effect::KillHook(hook) => {
                let unit = UnitId::hook(name, hook, generation);
                self.link.send(ToKeeper::Kill { unit });
            }
            lifecycle::Effect::Spawn { args } => {
                self.make_data_folder(name);
                self.ports.give(name);
                self.spawn(name, generation, &args);
            }
            lifecycle::Effect::CheckSpawned => {
                let error = "its start was called off".to_owned();
                self.tell(name, generation, lifecycle::Input::SpawnFailed(error));
            }
            lifecycle::Effect::CheckInputs => self.check_inputs(name, generation),
            lifecycle::Effect::TaskSucceeded => self.task_succeeded(name, generation),
            lifecycle::Effect::StartReady => self.start_ready(name, generation),
            lifecycle::Effect::StartAlive => self.start_alive(name, generation),
            lifecycle::Effect::StopProbes => self.prober.stop(name),
            lifecycle::Effect::SignalStop { signal, tree } => {
                let unit = UnitId::main(name, generation);
                self.link.send(ToKeeper::Stop { unit, signal, tree });
            }
            lifecycle::Effect::KillTree => {
                let unit = UnitId::main(name, generation);
                self.link.send(ToKeeper::Kill { unit });
            }
            lifecycle::Effect::Publish(event, cause) => {
                if matches!(event, Event::Failed { .. }) && self.task(name).is_some() {
                    self.sweep_after_run(name);
                }
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
            Some(busy) if self.is_being_left(name, busy.number) => {
                let internal = self.internal.clone();
                let name = name.to_owned();
                tokio::task::spawn_local(async move {
                    tokio::time::sleep(RELEASE).await;
                    let _ = internal.send(Internal::FindPorts { name, generation, claimed });
                });
            }
            // What an earlier run has left is swept; for whoever else it is, it gives way.
            Some(busy) if busy.may_move && claimed.contains(&busy.number) => {
                match self.ports.move_on(&service, busy.number) {
                    true => self.find_ports(name, generation, claimed),
                    false => self.claim(name, generation, busy.number, claimed),
                }
            }
            Some(busy) => self.claim(name, generation, busy.number, claimed),
            None => self.tell(name, generation, lifecycle::Input::Ports(PortsAnswer::Free)),
        }
    }

    /// Whether another service of this stack has this port and is about to let go of it: an edit
    /// may have moved it from one to the other, or given the one another name.
    fn is_being_left(&self, name: &str, port: u16) -> bool {
        let has = |service: &Service| service.port(port).is_some();
        let views = self.core.services(platform::now());
        views.iter().filter(|view| view.name != name).any(|view| {
            let stops = view.state == ServiceState::Stopping;
            let keeps = || self.core.stack().service(&view.name).is_some_and(has);
            (stops || view.pid.is_some() && !keeps())
                && self.core.service(&view.name).is_some_and(has)
        })
    }

    fn check_released(&self, name: &str, generation: u64) {
        let Some(service) = self.service(name) else { return };
        let free = !self.ports.is_any_busy(service);
        self.tell(name, generation, lifecycle::Input::Released(free));
    }

    fn clean_up(&mut self, name: &str, generation: u64) {
        let Some(service) = self.service(name) else { return };
        if service.cleanup.is_empty() {
            self.tell(name, generation, lifecycle::Input::Cleaned(Ok(())));
            return;
        }
        let (dir, patterns) = (self.core.stack().dir.clone(), service.cleanup.clone());
        let root = self.stack_dir.root().clone();
        let (internal, name) = (self.internal.clone(), name.to_owned());
        tokio::task::spawn_local(async move {
            let deleting =
                tokio::task::spawn_blocking(move || cleanup::delete(&root, &dir, &patterns));
            let result = deleting.await.unwrap_or_else(|error| Err(error.to_string()));
            let input = lifecycle::Input::Cleaned(result);
            let _ = internal.send(Internal::Unit { name, generation, input });
        });
    }

    fn run_hook(&mut self, name: &str, generation: u64, hook: Hook) {
        let unit = UnitId::hook(name, hook, generation);
        let stamp = self.task(name).is_some().then(|| self.stamp_of_run(name));
        let launcher = Launcher { stamp: stamp.as_deref(), ..self.launcher() };
        let spec = match (self.service(name), self.task(name)) {
            (Some(service), _) => launcher.hook(service, hook, unit),
            (None, Some(task)) => launcher.on_failure(task, unit).map(Some),
            (None, None) => Ok(None),
        };
        let failed = |exit| lifecycle::Input::HookEnded { hook, exit };
        match spec {
            Ok(Some(spec)) => self.link.spawn(spec, &self.caller),
            // Nothing to run is a success.
            Ok(None) => self.tell(name, generation, failed(Ok(Exit::SUCCESS))),
            Err(error) => self.tell(name, generation, failed(Err(error))),
        }
    }

    fn spawn(&mut self, name: &str, generation: u64, args: &[String]) {
        match self.spec(name, generation, args) {
            Ok(spec) => {
                if spec.log_policy.split {
                    // The keeper tells of the other one.
                    let end = Log::new(&self.stack_dir.logs, &errors_of(name)).end();
                    self.log_places.insert(errors_of(name), (generation, end));
                }
                self.link.spawn(spec, &self.caller);
            }
            Err(error) => self.tell(name, generation, lifecycle::Input::SpawnFailed(error)),
        }
    }

    fn spec(&mut self, name: &str, generation: u64, args: &[String]) -> Result<SpawnSpec, String> {
        let unit = UnitId::main(name, generation);
        let stamp = self.task(name).is_some().then(|| self.stamp_of_run(name));
        let launcher = Launcher { stamp: stamp.as_deref(), ..self.launcher() };
        match (self.service(name), self.task(name)) {
            (Some(service), _) => launcher.service(service, unit),
            (None, Some(task)) => launcher.task(task, args, unit),
            (None, None) => Err("the stack has it no more".into()),
        }
    }

    /// The main process of a service, and since when it runs.
    fn running_unit(&self, name: &str, generation: u64) -> Option<(&Unit, Tick)> {
        let unit = self.units.get(&UnitId::main(name, generation))?;
        Some((unit, self.core.started(name)?))
    }

    fn start_ready(&mut self, name: &str, generation: u64) {
        let Some(service) = self.service(name).cloned() else { return };
        let unit = self.running_unit(name, generation);
        let probe = super::probe_spec::ready(&self.launcher(), &service, generation, unit);
        if probe.attempts.is_empty() {
            // Started is ready.
            self.tell(name, generation, lifecycle::Input::Probed(lifecycle::ProbeAnswer::Holds));
        } else {
            self.prober.start(probe);
        }
    }

    fn start_alive(&mut self, name: &str, generation: u64) {
        let Some(service) = self.service(name).cloned() else { return };
        let Some(alive) = service.alive.clone() else { return };
        // What cannot be asked says nothing of the service.
        if let Err(lost) = self.launcher().all_known(&(&alive, &service.env)) {
            let text = format!("its `alive` is not asked: {lost}");
            let event = Event::notice(text);
            return self.publish(Some(name), Some(generation), event, Cause::Supervisor);
        }
        let unit = self.running_unit(name, generation);
        let probe = super::probe_spec::alive(&self.launcher(), &service, &alive, generation, unit);
        self.prober.start(probe);
    }

    /// Adds what only the world knows of it: where in its log a start begins, where to find what
    /// is ready, and the last lines to what tells of a failure.
    fn with_evidence(&self, name: &str, generation: u64, mut event: Event) -> Event {
        match &mut event {
            Event::Exited { expected: false, tail, .. } | Event::Failed { tail, .. }
                if tail.is_empty() =>
            {
                *tail = self.last_lines(name, generation);
            }
            Event::Spawned { log, .. } | Event::Running { log, .. } => {
                *log = self.log_of(name, generation);
            }
            Event::Ready { address, .. } => {
                *address = self.service(name).and_then(|service| self.address(service));
            }
            _ => {}
        }
        event
    }

    /// What a service that failed printed last, which is often why it ended.
    pub(super) fn last_line(&self, unit: &UnitId, exit: Exit) -> Option<LastLine> {
        let service = self.service(&unit.owner)?;
        let failed = !exit.is_success(&service.succeeds_with);
        failed.then(|| log_tail::last_line(&self.last_lines(&unit.owner, unit.generation)))?
    }

    /// Where in the log of this name the output of a start begins. A tree that is gone is
    /// forgotten; its lines are still there.
    pub(super) fn log_of(&self, log: &str, generation: u64) -> Option<Place> {
        let (latest, place) = *self.log_places.get(log)?;
        (latest == generation).then_some(place)
    }

    /// The last lines that a generation wrote, of its stderr if that is apart; of its
    /// `before-start`, if it got no further.
    pub(super) fn last_lines(&self, name: &str, generation: u64) -> Vec<String> {
        // A secret whose value is lost cannot be found in them.
        if self.has_lost_secrets(name) {
            return Vec::new();
        }
        let before = UnitId::hook(name, Hook::BeforeStart, generation).log_name();
        let logs = match self.log_of(name, generation) {
            Some(_) => vec![errors_of(name), name.to_owned()],
            None => vec![before],
        };
        let folder = self.stack_dir.logs_in_use(self.places.id);
        let folder = folder.as_ref().unwrap_or(&self.stack_dir.logs);
        let lines = logs.into_iter().find_map(|log| {
            let place = self.log_of(&log, generation)?;
            let log = Log::new(folder, &log);
            Some(log_tail::last_lines(&log, place)).filter(|lines| !lines.is_empty())
        });
        // Before they are cut to fit somewhere: half a secret is not found any more.
        let masker = secrets::masker();
        let mut lines = lines.unwrap_or_default();
        lines.iter_mut().for_each(|line| masker.hide(line));
        lines
    }

    fn save(&mut self) {
        self.know_secrets();
        self.watch();
        self.watch_memory();
        self.adopt_schedules();
        self.checkpointer.applied();
    }

    /// Watches what the stack in force says.
    pub(super) fn watch(&mut self) {
        if let Err(error) = self.watches.adopt(self.core.stack(), &self.internal) {
            let text = format!("some files are not watched: {error}");
            self.publish(None, None, Event::notice(text), Cause::Supervisor);
        }
    }

    /// Does what a `watch` says about a change.
    pub(super) fn watched(&mut self, watch: usize, path: &Path) {
        let Some(name) = self.watches.service(watch).map(str::to_owned) else { return };
        let shown = path.strip_prefix(&self.places.folder).unwrap_or(path).display().to_string();
        let cause = Cause::Watch { path: shown.clone() };
        if let Some(task) = self.core.held_by(&name) {
            let text = format!("{shown} changed; not acted upon: held by task {task}");
            self.publish(Some(&name), None, Event::notice(text), cause);
            return;
        }
        let Some(view) = self.view_of(&name).filter(|view| heeds(view.state)) else { return };
        // Of one that does not run: since it failed.
        let (generation, started) = (view.generation, view.started.or(view.since));
        let command = match self.watches.react(watch, started) {
            Reaction::Nothing => return,
            Reaction::Later(delay) => {
                return self.watches.put_off(watch, path.to_owned(), delay, &self.internal);
            }
            Reaction::Paused => {
                let text = format!(
                    "it changes what it watches ({shown}): it is left alone until that has been \
                     quiet for a while; leave the file out with `ignore`"
                );
                self.publish(Some(&name), None, Event::notice(text), cause);
                return;
            }
            Reaction::Do(WatchThen::Signal(_)) if view.pid.is_none() => return,
            Reaction::Do(WatchThen::Signal(signal)) => {
                let unit = UnitId::main(name.clone(), generation);
                self.link.send(ToKeeper::Signal { unit, signal, tree: false });
                let event = Event::Signalled { signal, tree: false };
                self.publish(Some(&name), Some(generation), event, cause);
                return;
            }
            Reaction::Do(WatchThen::Restart) => {
                let names = vec![name];
                Command::Restart { stack: None, names, with_dependents: false, asked: None }
            }
            // One that has not begun yet will see this change, too.
            Reaction::Do(WatchThen::Task(_)) if self.watches.has_run_ahead(watch) => return,
            Reaction::Do(WatchThen::Task(task)) => {
                let stack = Box::new(self.core.stack().clone());
                Command::Run { stack, task, args: Vec::new(), force: true, again: false }
            }
        };
        let op = self.next_op();
        if matches!(command, Command::Run { .. }) {
            self.watches.runs(watch, op);
        }
        self.command(op, command, cause);
    }

    fn settled(&mut self, op: OpId, outcome: Outcome) {
        self.watches.ran(op);
        if self.clients.is_whole_down(op) && outcome.refused.is_none() && !outcome.superseded {
            self.clients.await_proof(op, outcome);
            self.finish();
        } else {
            let tells = self.clients.waits_for_end(op) && !self.left.is_empty();
            let left = tells.then(|| self.what_is_left());
            let status = self.clients.is_up(op).then(|| Box::new(self.status()));
            self.clients.answer(op, outcome, left, status);
        }
    }

    /// Feeds a command whose client is known to [`super::requests`].
    pub(super) fn command(&mut self, op: OpId, command: Command, cause: Cause) {
        if self.finishing {
            return;
        }
        self.used = true;
        self.feed(Input::Command { op, command, cause });
    }
}

/// Whether a change of a watched file means anything to a service: not if it will be started
/// later anyway, or is not wanted. One that has failed may have been waiting for just this.
fn heeds(state: ServiceState) -> bool {
    match state {
        ServiceState::Starting
        | ServiceState::Ready
        | ServiceState::Unhealthy
        | ServiceState::Backoff
        | ServiceState::Exited
        | ServiceState::Failed => true,
        ServiceState::Idle | ServiceState::Waiting | ServiceState::Stopping => false,
    }
}
