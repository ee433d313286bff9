//! The secrets of a stack, by their values.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

use super::rule;
use crate::model::{EnvValue, Part, Port, Service, Stack, Step, Task, TaskBody, Text};

/// A part of a declared secret that is shorter says nothing, in bytes.
const SHORTEST_PART: usize = 4;

/// The secrets of a stack, by their values.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Secrets {
    /// What the stack file calls a secret.
    declared: BTreeMap<String, Source>,
    /// What env files hold, if it is distinct.
    from_files: BTreeMap<String, Source>,
    /// What everything is called: a secret of this very value cannot be told from it.
    names: BTreeSet<String>,
    /// What is shown in any case: names, ports, folders, addresses.
    shown: BTreeSet<String>,
}

/// Where a secret comes from.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(crate) struct Source {
    /// Its variable; empty for a part of the one or the other.
    pub(crate) key: String,
    /// The env file that it was read from; none for one that the stack file declares.
    pub(crate) file: Option<PathBuf>,
}

impl Secrets {
    /// Those of a stack.
    pub(crate) fn of(stack: &Stack) -> Self {
        let mut secrets = Self::default();
        secrets.add(stack);
        secrets
    }

    /// Adds those of a stack.
    pub(crate) fn add(&mut self, stack: &Stack) {
        self.name(&stack.name);
        self.path(&stack.dir);
        self.path(&stack.file);
        stack.profiles.iter().for_each(|profile| self.name(profile));
        stack.groups.iter().for_each(|group| self.name(&group.name));
        stack.sources.iter().for_each(|source| self.path(&source.path));
        stack.from_files.iter().for_each(|(key, value)| self.variable(key, value));
        stack.services.iter().for_each(|service| self.add_service(service));
        stack.tasks.iter().for_each(|task| self.add_task(task));
    }

    /// Adds those of a definition that may not be the stack's any more.
    pub(crate) fn add_service(&mut self, service: &Service) {
        self.name(&service.name);
        self.path(&service.dir);
        service.env.iter().for_each(|(key, value)| self.variable(key, value));
        service.ports.iter().for_each(|port| self.port(port));
        let globs = service.watch.iter().flat_map(|watch| &watch.globs);
        service.cleanup.iter().chain(globs).for_each(|glob| self.show(glob));
        if let Some(url) = service.url.as_ref().map(Text::to_string) {
            // Its password is not shown, and may not be a part of the rest.
            match rule::userinfo(&url) {
                Some(userinfo) => self.show(&url[userinfo.end..]),
                None => self.show(&url),
            }
        }
    }

    /// The same of a task.
    pub(crate) fn add_task(&mut self, task: &Task) {
        self.name(&task.name);
        self.path(&task.dir);
        task.env.iter().for_each(|(key, value)| self.variable(key, value));
        let globs = task.inputs.iter().chain(&task.outputs);
        globs.chain(task.keep.iter().map(|keep| &keep.glob)).for_each(|glob| self.show(glob));
        let steps = match &task.body {
            TaskBody::Steps(steps) => steps.as_slice(),
            TaskBody::Command(_) => &[],
        };
        steps.iter().chain(&task.on_failure).for_each(|step| self.step(step));
    }

    fn step(&mut self, step: &Step) {
        self.path(&step.dir);
        step.env.iter().for_each(|(key, value)| self.variable(key, value));
        let files = step.stdin.iter().chain(&step.stdout);
        files.for_each(|file| self.show(&file.to_string()));
    }

    fn port(&mut self, port: &Port) {
        port.name.iter().for_each(|name| self.name(name));
        port.number.fixed().iter().for_each(|number| self.name(&number.to_string()));
        port.host.iter().for_each(|host| self.show(host));
    }

    fn name(&mut self, name: &str) {
        if !self.names.contains(name) {
            self.names.insert(name.to_owned());
            self.show(name);
        }
    }

    fn path(&mut self, path: &Path) {
        self.show(&path.to_string_lossy());
    }

    fn show(&mut self, text: &str) {
        if !self.shown.contains(text) {
            self.shown.insert(text.to_owned());
        }
    }

    fn variable(&mut self, key: &str, variable: &EnvValue) {
        let EnvValue { value: Some(value), secret: true, file } = variable else { return };
        let source = Source { key: key.to_owned(), file: file.clone() };
        if let Some(whole) = value.as_declared().as_literal() {
            self.value(whole, &source);
        }
        if value.as_literal().is_none() {
            // Ports are filled in at the start: what is around them is what is secret.
            value.0.iter().for_each(|part| match part {
                Part::Literal(part) if part.len() >= SHORTEST_PART && !rule::is_plain(part) => {
                    self.value(part, &source);
                }
                Part::Literal(_) | Part::Port { .. } | Part::Now | Part::Replica => {}
            });
        }
    }

    fn value(&mut self, value: &str, source: &Source) {
        let kept = match source.file {
            Some(_) => &mut self.from_files,
            None => &mut self.declared,
        };
        if kept.contains_key(value) {
            return;
        }
        if !value.trim().is_empty() && (source.file.is_none() || rule::is_distinct(value)) {
            kept.insert(value.to_owned(), source.clone());
        }
        // What shows a part of it: one of its lines (of a key in PEM, RFC 7468), its password.
        let lines = value.lines().filter(|line| *line != value && !line.starts_with("-----"));
        let password = rule::password(value).map(|range| &value[range]);
        let part = Source { key: String::new(), ..source.clone() };
        for text in lines.map(str::trim).chain(password).filter(|text| rule::is_distinct(text)) {
            kept.entry(text.to_owned()).or_insert_with(|| part.clone());
        }
    }

    /// The values that are masked wherever they turn up, and where each comes from.
    pub(super) fn values(&self) -> impl Iterator<Item = (&str, &Source)> {
        let is_name = |value: &&String| self.names.contains(*value);
        let is_shown = |value: &&String| self.shown.iter().any(|shown| shown.contains(&**value));
        let declared = self.declared.iter().filter(move |(value, _)| !is_name(value));
        let from_files = self.from_files.iter().filter(move |(value, _)| !is_shown(value));
        declared.chain(from_files).map(|(value, source)| (value.as_str(), source))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(text: &str, file: Option<&str>) -> EnvValue {
        EnvValue { value: Some(text.into()), secret: true, file: file.map(PathBuf::from) }
    }

    fn masked(stack: &Stack) -> Vec<String> {
        Secrets::of(stack).values().map(|(value, _)| value.to_owned()).collect()
    }

    fn stack(env: &[(&str, EnvValue)]) -> Stack {
        let mut service = Service::new("shop-api-2", "/srv/shop-api-2/src");
        service.env = env.iter().map(|(key, value)| ((*key).to_owned(), value.clone())).collect();
        service.url = Some("http://admin:pass-word-1@dev-host-9:8000/a-path-1".into());
        Stack { name: "postgres".into(), services: vec![service], ..Stack::default() }
    }

    #[test]
    fn what_is_declared_is_secret_whatever_it_is() {
        let values = ["x", "development", "12345678", "/srv/shop-api-2", "postgres", " "];
        let env: Vec<_> = values.iter().map(|text| (*text, value(text, None))).collect();
        // The stack is called `postgres`: every second sentence would be masked.
        assert_eq!(masked(&stack(&env)), ["/srv/shop-api-2", "12345678", "development", "x"]);
    }

    #[test]
    fn what_comes_from_a_file_is_not_if_it_is_shown_anyway() {
        let values = [
            "token-123456",
            "development",
            "12345678",
            "shop-api-2",
            "shop-api-2/src",
            "dev-host-9",
            "a-path-1",
            "pass-word-1",
        ];
        let env: Vec<_> = values.iter().map(|text| (*text, value(text, Some("/.env")))).collect();
        assert_eq!(masked(&stack(&env)), ["pass-word-1", "token-123456"]);
    }

    #[test]
    fn what_the_file_calls_no_secret_is_none() {
        let open = EnvValue { secret: false, ..value("token-123456", Some("/.env")) };
        let unset = EnvValue { value: None, secret: true, file: None };
        assert!(masked(&stack(&[("A", open), ("B", unset)])).is_empty());
    }

    #[test]
    fn parts_that_show_it_are_secret_too() {
        let key = "-----BEGIN KEY-----\nMIIEpAIBAAKCAQEA7\nyoO5o=\n-----END KEY-----\n";
        let url = "postgres://shop:pass-word-2@127.0.0.1:5432/shop";
        let open = EnvValue {
            value: Some(Text(vec![
                Part::Literal("redis://:pass-word-3@127.0.0.1:".into()),
                Part::Port { service: "redis".into(), port: None, declared: None },
                Part::Literal("/0".into()),
            ])),
            secret: true,
            file: None,
        };
        let env = [("KEY", value(key, Some("/.env"))), ("URL", value(url, None)), ("R", open)];
        let found = masked(&stack(&env));
        let expected = [
            "pass-word-2",
            "pass-word-3",
            url,
            "redis://:pass-word-3@127.0.0.1:",
            key,
            "MIIEpAIBAAKCAQEA7",
        ];
        assert_eq!(found, expected);
    }
}
