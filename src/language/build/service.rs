//! `service`.

use std::collections::{HashMap, HashSet};

use super::{Builder, command, env, path, policy, probe};
use crate::{
    language::{
        decl::Decl,
        problem::{Edge, WholeProblem},
        values::Scope,
    },
    model::{Alive, Hooks, Need, NeedUntil, Service, WatchThen},
};

/// What of a service is known before all else.
pub(super) struct Early {
    /// Its working directory.
    pub(super) dir: std::path::PathBuf,
    /// Its own env files.
    pub(super) files: Vec<env::EnvFile>,
}

impl Builder<'_> {
    /// A service, once the ports of all are known.
    pub(super) fn service(
        &mut self,
        item: &crate::language::merge::Item,
        early: &Early,
        scope: &mut Scope<'_, '_>,
    ) -> Service {
        let node = &item.decl;
        let mut service = Service::new(&item.name.value, &early.dir);
        let bodies: Vec<&Decl> = command::commands(node)
            .chain(
                node.one("external")
                    .filter(|external| external.damaged || external.bool() == Some(true)),
            )
            .collect();
        let body = command::exactly_one(&bodies, node, &item.name, scope);
        let body = body.filter(|body| body.name.value != "external");
        service.command = body.and_then(|body| command::command(body, scope));
        service.autostart = node.one("autostart").and_then(Decl::bool).unwrap_or(true);
        self.wiring(node, &item.name.value, &mut service.needs, &mut service.after, scope);
        let known = scope.world.services.get(&item.name.value);
        service.ports = known.map(|known| known.ports.clone()).unwrap_or_default();
        service.env = self.env(node, &early.files, &service.ports, scope);
        kept(node, &mut service, scope);
        service.hooks = hooks(node, scope);
        for watch in node.all("watch") {
            let mut watch_ = policy::watch(watch, scope);
            if let Some(task) = watch.prop_text("task") {
                let task = self.names.one(task, super::names::Kind::Task, scope.problems);
                watch_.then = task.map_or(WatchThen::Restart, WatchThen::Task);
            }
            service.watch.push(watch_);
        }
        service
    }

    /// `needs` and `after`: groups in them dissolve.
    pub(super) fn wiring(
        &mut self,
        node: &Decl,
        from: &str,
        needs: &mut Vec<Need>,
        after: &mut Vec<String>,
        scope: &mut Scope<'_, '_>,
    ) {
        let mut known = HashMap::new();
        for need in node.all("needs") {
            for name in need.texts() {
                for to in self.names.resolve(name, scope.problems) {
                    let (from, at) = (from.to_owned(), name.span);
                    let group = (to != name.value).then(|| name.value.to_owned());
                    self.edges.push(Edge { from, to: to.clone(), group, at });
                    add_need(needs, &mut known, need_of(need, to));
                }
            }
        }
        let mut seen = HashSet::new();
        for name in node.all("after").flat_map(Decl::texts) {
            for to in self.names.resolve(name, scope.problems) {
                if to == from {
                    scope.problems.add(WholeProblem::AfterItself { name: to, at: name.span });
                } else if seen.insert(to.clone()) {
                    after.push(to);
                }
            }
        }
    }
}

fn need_of(node: &Decl, name: String) -> Need {
    let started = node.prop_text("until").is_some_and(|until| until.value == "started");
    Need {
        name,
        until: if started { NeedUntil::Started } else { NeedUntil::Ready },
        follow: node.prop_is("follow"),
        optional: node.prop_is("optional"),
    }
}

/// Adds a need; the stronger wish of two for the same name holds.
fn add_need(needs: &mut Vec<Need>, known: &mut HashMap<String, usize>, need: Need) {
    match known.get(&need.name).map(|at| &mut needs[*at]) {
        Some(known) => {
            if need.until == NeedUntil::Ready {
                known.until = NeedUntil::Ready;
            }
            known.follow |= need.follow;
            known.optional &= need.optional;
        }
        None => {
            known.insert(need.name.clone(), needs.len());
            needs.push(need);
        }
    }
}

/// Everything that is a node of its own.
fn kept(node: &Decl, service: &mut Service, scope: &mut Scope<'_, '_>) {
    let is = |name| node.one(name).and_then(Decl::bool).unwrap_or(false);
    service.tty = is("tty");
    service.color = is("color");
    service.stdin_open = node.one("stdin").and_then(Decl::text).is_some_and(|s| s.value == "open");
    service.replicas = node.one("replicas").and_then(Decl::number).unwrap_or(1);
    service.user = node.one("user").and_then(|user| policy::user(user, scope));
    service.memory_max = node.one("memory").and_then(|memory| memory.prop_size("max"));
    service.limits = node.one("limit").map(policy::limits).unwrap_or_default();
    service.log = node.one("log").map(policy::log).unwrap_or_default();
    service.succeeds_with =
        node.one("succeeds-with").map(policy::succeeds_with).unwrap_or_default();
    service.restart = node.one("restart").map(policy::restart).unwrap_or_default();
    service.stop = node.one("stop").map(|stop| policy::stop(stop, scope)).unwrap_or_default();
    service.ready = node.one("ready").map(|ready| probe::ready(ready, scope)).unwrap_or_default();
    service.alive = node.one("alive").map(|alive| -> Alive { probe::alive(alive, scope) });
    let cleanup = node.all("cleanup").flat_map(Decl::texts);
    service.cleanup = cleanup.filter_map(|text| path::inner_glob(scope, text, "cleanup")).collect();
    service.tools = node.all("tool").filter_map(|tool| policy::tool(tool, scope)).collect();
    service.describe = super::line(node, "describe", scope);
    service.url = super::line(node, "url", scope);
    service.url_open = node.one("url").is_some_and(|url| url.prop_is("open"));
}

fn hooks(node: &Decl, scope: &mut Scope<'_, '_>) -> Hooks {
    let mut all = |name| node.all(name).flat_map(|hook| command::all(hook, scope)).collect();
    Hooks {
        before_start: all("before-start"),
        after_ready: all("after-ready"),
        after_stop: all("after-stop"),
        on_failure: all("on-failure"),
    }
}
