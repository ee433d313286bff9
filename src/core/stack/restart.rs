//! Restarts: what a request to restart does to intent. Requests for the same thing are merged: one
//! joins a restart that is on its way, or a start that began after it was made.

use std::{collections::BTreeSet, time::Duration};

use super::{
    Effect, OpId, Outbox, Refusal, Supervisor,
    dry_run::Accepted,
    intent::Root,
    names::{resolve, services_only},
    node::Unit,
    operation::{Kind, Operation},
};
use crate::{
    core::lifecycle::Phase,
    event::{Cause, Tick},
    graph::Id,
    model::Stack,
};

/// How long a request may have been on its way.
const ON_ITS_WAY: Duration = Duration::from_secs(10);

/// How far a restart goes.
#[derive(Debug, Clone, Copy)]
pub(super) struct RestartScope {
    /// To what needs the services, too.
    pub(super) with_dependents: bool,
    /// To what has begun to start before this.
    pub(super) since: Option<Tick>,
}

impl Supervisor {
    pub(super) fn restart(
        &mut self,
        op: OpId,
        stack: Option<Stack>,
        names: &[String],
        again: RestartScope,
        cause: &Cause,
        outbox: &mut Outbox,
    ) -> Result<Accepted, Refusal> {
        let named = match (&stack, names) {
            (_, []) => self.wanted_services(),
            (Some(stack), names) => services_only(stack, names, resolve(stack, names)?)?,
            (None, names) => services_only(&self.stack, names, resolve(&self.stack, names)?)?,
        };
        self.refuse_held(&named, Root::Whole)?;
        outbox.effects.push(Effect::Save);
        let applied = stack.is_some_and(|stack| self.take_on(stack));
        for name in &named {
            if self.graph.id(name).is_some_and(|id| !self.nodes[id].wanted) {
                self.intent.add(name, Root::Whole);
            }
        }
        let before: Vec<bool> = self.nodes.iter().map(|node| node.wanted).collect();
        self.want();
        let named: BTreeSet<Id> = named.iter().filter_map(|name| self.graph.id(name)).collect();
        let mut targets = named.clone();
        if again.with_dependents {
            let dependents = self.graph.dependents(named.iter().copied());
            targets.extend(dependents.into_iter().filter(|&id| self.nodes[id].is_live()));
        }
        for id in targets.clone() {
            self.restart_one(id, again.since, cause);
        }
        for id in self.graph.closure(named.iter().copied()) {
            if !named.contains(&id) && !before[id] {
                self.renew(id, false, &named, cause);
            }
        }
        targets.extend(self.followers(targets.iter().copied()));
        targets.retain(|&id| self.nodes[id].wanted && self.nodes[id].as_service().is_some());
        self.open(Operation::new(op, Kind::Restart), &targets);
        Ok(Accepted { targets, applied, ..Accepted::default() })
    }

    fn wanted_services(&self) -> Vec<String> {
        let wanted = self.nodes.iter().filter(|node| node.wanted && !node.gone);
        wanted.filter(|node| node.as_service().is_some()).map(|node| node.name.clone()).collect()
    }

    /// When a request was made, if that can be: whoever asks may have a clock of its own
    /// (time_namespaces(7)), and to start something once too often harms less than to start it
    /// once too seldom.
    pub(super) fn believable(&self, asked: Option<Tick>) -> Option<Tick> {
        asked.filter(|&asked| asked <= self.now && self.now.since(asked) < ON_ITS_WAY)
    }

    fn restart_one(&mut self, id: Id, since: Option<Tick>, cause: &Cause) {
        let joins =
            self.is_restarting(id) || since.is_some_and(|since| self.began_after(id, since));
        let node = &mut self.nodes[id];
        let Unit::Service(unit) = &mut node.unit else { return };
        unit.machine.reset(self.now);
        if !unit.machine.is_live() {
            node.schedule.because = cause.clone();
            node.rest();
            self.touch(id);
        } else if !joins {
            self.restart_live(id, cause);
        }
    }

    /// Whether an open request restarts it already, by the same definition. Not any more once it
    /// is ready: that this is still to be proved is no reason to miss what has changed since.
    fn is_restarting(&self, id: Id) -> bool {
        let node = &self.nodes[id];
        let same = node
            .as_service()
            .is_some_and(|unit| unit.now == unit.next && unit.machine.phase != Phase::Ready);
        node.schedule.restart.is_some()
            || (same && self.ops.values().any(|op| op.is_restarting(&node.name)))
    }

    /// Whether what runs of it, by the definition that is in force, has begun to start since then.
    fn began_after(&self, id: Id, since: Tick) -> bool {
        let unit = self.nodes[id].as_service();
        unit.is_some_and(|unit| {
            unit.now == unit.next && unit.machine.generation > 0 && unit.machine.began > since
        })
    }

    /// Has it stopped and started again, and what follows it, too.
    pub(super) fn restart_live(&mut self, id: Id, cause: &Cause) {
        let schedule = &mut self.nodes[id].schedule;
        if schedule.restart.is_none() {
            schedule.restart = Some(cause.clone());
            self.touch(id);
            self.restart_followers(id);
        }
    }

    /// These services and the wanted ones that are restarted with them.
    pub(super) fn followers(&self, of: impl IntoIterator<Item = Id>) -> BTreeSet<Id> {
        let restarts = |id: Id| self.nodes[id].wanted && self.nodes[id].as_service().is_some();
        self.graph.followers(of, restarts)
    }

    pub(super) fn restart_followers(&mut self, id: Id) {
        let of = self.nodes[id].name.clone();
        let followers = self.graph.needed_by(id).filter(|(_, need)| need.follow);
        for follower in followers.map(|(follower, _)| follower).collect::<Vec<_>>() {
            let node = &self.nodes[follower];
            if node.wanted && node.as_service().is_some() && node.is_live() {
                self.restart_live(follower, &Cause::Follow { of: of.clone() });
            }
        }
    }
}
