//! `task`.

use std::collections::HashMap;

use super::{Builder, command, env, names::Kind, path, policy, service::Early};
use crate::{
    language::{
        decl::Decl,
        merge::Item,
        problem::{CommandProblem, NameProblem},
        source::{Span, Spanned},
        values::Scope,
    },
    model::{Command, Keep, Step, StepCommand, Task, TaskBody, Text},
};

impl Builder<'_> {
    /// A task, once the ports of all services are known.
    pub(super) fn task(&mut self, item: &Item, early: &Early, scope: &mut Scope<'_, '_>) -> Task {
        let node = &item.decl;
        let body = body(item, scope);
        let mut task = Task::new(&item.name.value, &early.dir, body);
        self.wiring(node, &item.name.value, &mut task.needs, &mut task.after, scope);
        task.env = self.env(node, &early.files, &[], scope);
        task.succeeds_with =
            node.one("succeeds-with").map(policy::succeeds_with).unwrap_or_default();
        task.without = self.without(node, scope);
        task.on_failure = node.one("on-failure").map(|node| steps(node, scope)).unwrap_or_default();
        task.confirm = super::line(node, "confirm", scope);
        task.describe = super::line(node, "describe", scope);
        task.keep = node.all("keep").filter_map(|node| keep(node, scope)).collect();
        task.timeout = node.one("timeout").and_then(Decl::duration);
        task.retries = node.one("retries").and_then(Decl::number).unwrap_or_default();
        task.inputs = globs(node, "inputs", scope);
        task.outputs = globs(node, "outputs", scope);
        task.schedule = node.one("schedule").and_then(Decl::text).map(|text| text.value.to_owned());
        task.tools = node.all("tool").filter_map(|tool| policy::tool(tool, scope)).collect();
        task.log = node.one("log").map(policy::log).unwrap_or_default();
        task
    }

    /// `without`: services; of a group, its services.
    fn without(&self, node: &Decl, scope: &mut Scope<'_, '_>) -> Vec<String> {
        let mut out: Vec<String> = Vec::new();
        for name in node.all("without").flat_map(Decl::texts) {
            let services = match self.names.kind(name.value) {
                Some(Kind::Group) => {
                    let members = self.names.members(name.value).iter();
                    let is_service = |name: &&String| self.names.kind(name) == Some(Kind::Service);
                    members.filter(is_service).cloned().collect()
                }
                Some(Kind::Service | Kind::Task) | None => {
                    let service = self.names.one(name, Kind::Service, scope.problems);
                    service.into_iter().collect::<Vec<_>>()
                }
            };
            for service in services {
                if !out.contains(&service) {
                    out.push(service);
                }
            }
        }
        out
    }
}

fn body(item: &Item, scope: &mut Scope<'_, '_>) -> TaskBody {
    let node = &item.decl;
    let bodies: Vec<&Decl> = command::commands(node).chain(node.all("step")).collect();
    match command::exactly_one(&bodies, node, &item.name, scope) {
        Some(step) if step.name.value == "step" => TaskBody::Steps(steps(node, scope)),
        Some(body) => {
            TaskBody::Command(command::command(body, scope).unwrap_or(Command::Run(Vec::new())))
        }
        None => TaskBody::Steps(Vec::new()),
    }
}

/// The steps of a task or of its `on-failure`.
fn steps(node: &Decl, scope: &mut Scope<'_, '_>) -> Vec<Step> {
    let mut names: HashMap<&str, Span> = HashMap::new();
    let mut out = Vec::new();
    for node in node.all("step") {
        let Some(name) = node.text() else { continue };
        if let Some(first) = names.insert(name.value, name.span) {
            let (name, what, second) = (name.value.to_owned(), "step", name.span);
            scope.problems.add(NameProblem::TwiceName { name, what, first, second });
        }
        out.push(step(node, name, scope));
    }
    out
}

fn step(node: &Decl, name: Spanned<&str>, scope: &mut Scope<'_, '_>) -> Step {
    let outer = scope.dir.clone();
    if let Some(dir) = node.one("dir").and_then(Decl::text)
        && let Some(dir) = path::dir(scope, &outer, dir)
    {
        scope.dir = dir;
    }
    let bodies: Vec<&Decl> = command::commands(node).chain(node.one("pipe")).collect();
    let owned = Spanned::new(name.value.to_owned(), name.span);
    let command = match command::exactly_one(&bodies, node, &owned, scope) {
        Some(pipe) if pipe.name.value == "pipe" => StepCommand::Pipe(command::all(pipe, scope)),
        Some(body) => match command::command(body, scope) {
            Some(command) => StepCommand::Command(command),
            None => StepCommand::Pipe(Vec::new()),
        },
        None => StepCommand::Pipe(Vec::new()),
    };
    let mut env = std::collections::BTreeMap::new();
    if let Some(node) = node.one("env") {
        env::lay_node(&mut env, node, scope);
    }
    let stdin = file(node, "stdin", scope);
    let stdout = file(node, "stdout", scope);
    let dir = std::mem::replace(&mut scope.dir, outer);
    Step { name: owned.value, command, dir, env, stdin, stdout }
}

/// A file of a step: absolute, though its name may hold `{{now}}`.
fn file(node: &Decl, name: &str, scope: &mut Scope<'_, '_>) -> Option<Text> {
    use crate::model::Part;
    let text = node.one(name)?.text()?;
    let mut filled = scope.text(text);
    let base = scope.dir.to_string_lossy().into_owned();
    match filled.0.first_mut() {
        Some(Part::Literal(first)) => {
            *first = path::absolute_prefix(&scope.dir, first);
        }
        _ => filled.0.insert(0, Part::Literal(format!("{base}/"))),
    }
    Some(filled)
}

fn keep(node: &Decl, scope: &mut Scope<'_, '_>) -> Option<Keep> {
    let text = node.text()?;
    let (newest, max_age) = (node.prop_number("newest"), node.prop_duration("max-age"));
    if newest.is_none() && max_age.is_none() && !node.damaged {
        scope.problems.add(CommandProblem::UselessKeep { at: node.span() });
    }
    let glob = path::inner_glob(scope, text, "keep")?;
    Some(Keep { glob, newest, max_age })
}

fn globs(node: &Decl, name: &str, scope: &mut Scope<'_, '_>) -> Vec<String> {
    let texts = node.all(name).flat_map(Decl::texts);
    texts.filter_map(|text| path::glob(scope, text)).collect()
}
