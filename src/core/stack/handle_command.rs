//! Requests: what each command does to intent, and which request is then waited for.

use std::collections::BTreeSet;

use super::{
    Command, Effect, ItemOutcome, OpId, Outbox, Outcome, Refusal, Supervisor, Until,
    dry_run::Accepted,
    intent::Root,
    names::{resolve, task_only},
    node::{Order, Unit},
    operation::{Kind, Operation},
    restart::RestartScope,
};
use crate::{
    core::lifecycle::Phase,
    core::plan::Action,
    event::{Cause, Event},
    graph::Id,
    model::Stack,
    reason::Failure,
    status::Asked,
};

impl Supervisor {
    pub(super) fn accept(
        &mut self,
        op: OpId,
        command: Command,
        cause: &Cause,
        outbox: &mut Outbox,
    ) {
        match self.obey(op, command, cause, outbox) {
            Ok(accepted) if accepted.applied => {
                let plan = self.outlook(&accepted);
                let steps = plan.steps.into_iter().filter(|step| step.action != Action::Keep);
                let event = Event::Applied { steps: steps.collect() };
                outbox.effects.push(Effect::Publish(event, cause.clone()));
            }
            Ok(_) => {}
            Err(refusal) => {
                let outcome = Outcome { refused: Some(refusal), ..Outcome::default() };
                outbox.effects.push(Effect::CommandEnded { op, outcome });
            }
        }
    }

    /// Makes a command the intent. Nothing is driven yet.
    pub(super) fn obey(
        &mut self,
        op: OpId,
        command: Command,
        cause: &Cause,
        outbox: &mut Outbox,
    ) -> Result<Accepted, Refusal> {
        match command {
            Command::Up { stack, names, no_deps, moved_ports: _ } => {
                let root = if no_deps { Root::Bare } else { Root::Whole };
                self.up(op, *stack, &names, root, cause, outbox)
            }
            Command::Down { names } => self.down(op, &names, cause, outbox),
            Command::Restart { stack, names, with_dependents, asked } => {
                let stack = stack.map(|stack| *stack);
                let again = RestartScope { with_dependents, since: self.believable(asked) };
                self.restart(op, stack, &names, again, cause, outbox)
            }
            Command::Run { stack, task, args, force, again } => {
                let order = Order { op, args, force, cause: cause.clone() };
                match again.then(|| self.rejoin(&task, &order)).flatten() {
                    Some(accepted) => Ok(accepted),
                    None => self.run(*stack, &task, order, outbox),
                }
            }
            Command::Wait { names, until } => self.wait_for(op, &names, until),
        }
    }

    fn up(
        &mut self,
        op: OpId,
        stack: Stack,
        names: &[String],
        root: Root,
        cause: &Cause,
        outbox: &mut Outbox,
    ) -> Result<Accepted, Refusal> {
        let named = self.targets_of_up(&stack, names)?;
        let earlier = self.asked_before(&stack, names);
        self.refuse_held(&[&*named, &*earlier].concat(), root)?;
        outbox.effects.push(Effect::Save);
        let applied = self.take_on(stack);
        self.intent.revision += 1;
        let removed = self.let_go(cause);
        for name in &named {
            self.intent.add(name, root);
        }
        let before: Vec<bool> = self.nodes.iter().map(|node| node.wanted).collect();
        self.want();
        let (restarted, updated) = self.apply_edits(outbox);
        let named = named.iter().chain(&earlier).filter_map(|name| self.graph.id(name));
        let named: BTreeSet<Id> = named.collect();
        let mut targets = match root {
            Root::Whole => self.graph.closure(named.iter().copied()),
            Root::Bare => named.clone(),
        };
        for &id in &targets {
            self.renew(id, before[id], &named, cause);
            if !names.is_empty() && named.contains(&id) {
                self.ask_task(id, cause);
            }
        }
        targets.extend(self.followers(restarted));
        // What has ended already and is gone from the file concerns nobody.
        targets.extend(removed.into_iter().filter(|&id| self.nodes[id].is_live()));
        self.open(Operation::new(op, Kind::Up), &targets);
        Ok(Accepted { targets, updated, applied })
    }

    /// Takes on another stack; says whether it is another.
    pub(super) fn take_on(&mut self, stack: Stack) -> bool {
        let another = self.stack != stack;
        if another {
            self.adopt(stack);
        }
        another
    }

    fn targets_of_up(&self, stack: &Stack, names: &[String]) -> Result<Vec<String>, Refusal> {
        if names.is_empty() {
            let all = stack.services.iter().filter(|service| service.autostart);
            return Ok(all.map(|service| service.name.clone()).collect());
        }
        resolve(stack, names)
    }

    /// What an earlier command asked for by name, and an `up` of everything is about, too.
    fn asked_before(&self, stack: &Stack, names: &[String]) -> Vec<String> {
        let roots = self.intent.roots.keys().filter(|_| names.is_empty());
        let is_there = |name: &&String| stack.names().any(|other| other == name.as_str());
        roots.filter(is_there).cloned().collect()
    }

    /// Whether one of these, or of what they need, is held down by a task's window.
    pub(super) fn refuse_held(&self, names: &[String], root: Root) -> Result<(), Refusal> {
        let named: Vec<Id> = names.iter().filter_map(|name| self.graph.id(name)).collect();
        let needed = match root {
            Root::Whole => self.graph.closure(named.iter().copied()),
            Root::Bare => BTreeSet::new(),
        };
        match self.held(named.into_iter().chain(needed)) {
            Some((id, task)) => {
                Err(Refusal::Window { name: self.nodes[id].name.clone(), task: task.to_owned() })
            }
            None => Ok(()),
        }
    }

    /// Stops wanting what the file no longer has; returns it.
    fn let_go(&mut self, cause: &Cause) -> Vec<Id> {
        let gone: Vec<Id> = (0..self.nodes.len()).filter(|&id| self.nodes[id].gone).collect();
        for &id in &gone {
            self.intent.roots.remove(&self.nodes[id].name);
            self.nodes[id].schedule.stop_because = cause.clone();
            self.nodes[id].schedule.restart = None;
        }
        gone
    }

    /// Makes ready for a start what is not on its way: earlier failures are forgotten, tasks
    /// that it needs run (again).
    pub(super) fn renew(&mut self, id: Id, was_wanted: bool, named: &BTreeSet<Id>, cause: &Cause) {
        let revision = self.intent.revision;
        let because = if named.contains(&id) { cause.clone() } else { self.need_of(id) };
        let node = &mut self.nodes[id];
        let blocked = node.schedule.blocked.is_some();
        let Unit::Service(unit) = &mut node.unit else { return };
        let over = matches!(unit.machine.phase, Phase::Exited { .. } | Phase::Failed { .. });
        unit.machine.reset(self.now);
        if over || blocked || !was_wanted {
            node.schedule.because = because;
            node.schedule.revision = revision;
            node.rest();
        }
        self.touch(id);
    }

    /// The first wanted one that needs it, as the cause of its start.
    fn need_of(&self, id: Id) -> Cause {
        let mut needing = self.graph.needed_by(id).map(|(from, _)| from).collect::<Vec<_>>();
        needing.sort_unstable();
        let of = needing.into_iter().find(|&from| self.nodes[from].wanted).unwrap_or(id);
        Cause::Need { of: self.nodes[of].name.clone() }
    }

    fn ask_task(&mut self, id: Id, cause: &Cause) {
        let node = &mut self.nodes[id];
        if let Some(unit) = node.as_task_mut() {
            unit.orders.asked = true;
            node.schedule.because = cause.clone();
            self.touch(id);
        }
    }

    fn down(
        &mut self,
        op: OpId,
        names: &[String],
        cause: &Cause,
        outbox: &mut Outbox,
    ) -> Result<Accepted, Refusal> {
        let affected: BTreeSet<Id> = match names {
            [] => (0..self.nodes.len()).collect(),
            names => self.graph.dependents(self.resolve_here(names)?),
        };
        outbox.effects.push(Effect::Save);
        let before: Vec<bool> = self.nodes.iter().map(|node| node.wanted).collect();
        for &id in &affected {
            self.intent.roots.remove(&self.nodes[id].name);
            self.call_off(id, cause);
        }
        self.want();
        let also = (0..self.nodes.len()).filter(|&id| before[id] && !self.nodes[id].wanted);
        let affected: BTreeSet<Id> = affected.into_iter().chain(also).collect();
        for &id in &affected {
            let schedule = &mut self.nodes[id].schedule;
            schedule.stop_because = cause.clone();
            schedule.restart = None;
        }
        self.open(Operation::new(op, Kind::Down), &affected);
        Ok(Accepted { targets: affected, ..Accepted::default() })
    }

    /// Ends what runs of a task, and forgets what was to run.
    fn call_off(&mut self, id: Id, cause: &Cause) {
        let node = &mut self.nodes[id];
        let Some(unit) = node.as_task_mut() else { return };
        unit.orders.asked = false;
        // A run that others need ends by not being wanted, and an `up` may still take that back.
        if unit.run.is_live() && unit.orders.current.is_some() {
            unit.orders.cancel = Some(cause.clone());
        }
        let orders: Vec<OpId> = unit.orders.queue.drain(..).map(|order| order.op).collect();
        let running = unit.orders.current.as_ref().map(|order| order.op);
        let name = node.name.clone();
        for op in orders.into_iter().chain(running) {
            self.conclude(op, &name, ItemOutcome::Superseded);
        }
    }

    fn run(
        &mut self,
        stack: Stack,
        task: &str,
        order: Order,
        outbox: &mut Outbox,
    ) -> Result<Accepted, Refusal> {
        let name = task_only(&stack, task)?;
        let needs: Vec<String> = stack.needs(&name).iter().map(|need| need.name.clone()).collect();
        // Nobody would ask again for a run that its schedule asked for: that one waits.
        if order.cause != Cause::Schedule {
            self.refuse_held(&needs, Root::Whole)?;
        }
        outbox.effects.push(Effect::Save);
        let cause = order.cause.clone();
        let applied = self.take_on(stack);
        self.intent.revision += 1;
        for need in &needs {
            self.intent.add(need, Root::Whole);
        }
        let before: Vec<bool> = self.nodes.iter().map(|node| node.wanted).collect();
        self.want();
        let Some(id) = self.graph.id(&name) else { return Ok(Accepted::default()) };
        let targets = self.graph.closure([id]);
        for &target in &targets {
            self.renew(target, before[target], &BTreeSet::new(), &cause);
        }
        let node = &mut self.nodes[id];
        if !node.is_live() {
            node.schedule.because = cause.clone();
            node.rest();
        }
        let op = order.op;
        if let Some(unit) = node.as_task_mut() {
            unit.orders.queue.push_back(order);
        }
        self.touch(id);
        self.open(Operation::new(op, Kind::Run { task: name }), &targets);
        Ok(Accepted { targets, applied, ..Accepted::default() })
    }

    /// The run that the same command asked for before.
    fn rejoin(&mut self, task: &str, order: &Order) -> Option<Accepted> {
        let id = self.graph.id(task)?;
        let unit = self.nodes[id].as_task_mut()?;
        if !unit.orders.rejoin(order.op, &order.cause) {
            return None;
        }
        let kind = Kind::Run { task: task.to_owned() };
        let targets = BTreeSet::from([id]);
        self.open(Operation::new(order.op, kind), &targets);
        self.touch(id);
        Some(Accepted { targets, ..Accepted::default() })
    }

    pub(super) fn cancel_run(&mut self, op: OpId) {
        for id in 0..self.nodes.len() {
            let node = &mut self.nodes[id];
            let name = node.name.clone();
            let Some(unit) = node.as_task_mut() else { continue };
            if let Some(order) = unit.orders.current.as_ref().filter(|order| order.op == op) {
                unit.orders.cancel = Some(order.cause.clone());
                self.touch(id);
                return;
            }
            if unit.orders.queue.iter().any(|order| order.op == op) {
                unit.orders.queue.retain(|order| order.op != op);
                let reason = Failure::Cancelled.into();
                self.conclude(op, &name, ItemOutcome::Failed { reason, exit: None });
                self.touch(id);
                return;
            }
        }
    }

    fn wait_for(&mut self, op: OpId, names: &[String], until: Until) -> Result<Accepted, Refusal> {
        let (targets, asked): (BTreeSet<Id>, Asked) = match names {
            // All that is wanted is worked out each time that something has changed.
            [] => ((0..self.nodes.len()).collect(), Asked::AsPartOfAll),
            names => (self.resolve_here(names)?, Asked::ByName),
        };
        self.open(Operation::new(op, Kind::Wait { until, asked }), &targets);
        Ok(Accepted { targets, ..Accepted::default() })
    }
}
