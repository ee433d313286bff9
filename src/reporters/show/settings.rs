//! Everything that a service, a task or a group is, key by key.

use std::{collections::BTreeMap, fmt::Display};

use super::{Setting, texts};
use crate::{
    model::{
        Alive, Check, Command, EnvValue, ExitPattern, Group, LogPolicy, Need, Restart, RestartWhen,
        Service, Step, Stop, StopTo, Task, TaskBody, Text, Tool, Watch,
    },
    reporters::wording,
    secrets::{MASK, Masker},
};

/// Settings that are shown whatever is filled in: programs and people look for them there.
const SHOWN: [&str; 9] =
    ["name", "dir", "port", "cleanup", "watch", "inputs", "outputs", "keep", "members"];

/// `numbers` are those that its ports have now, where that is known.
pub(super) fn of_service(service: &Service, numbers: &[Option<u16>]) -> Vec<Setting> {
    let mut all = Settings::default();
    match &service.command {
        Some(command) => all.command(command),
        None => all.add("external", "#true"),
    }
    all.add("autostart", texts::flag(service.autostart));
    all.add("dir", service.dir.display());
    all.needs(&service.needs, &service.after);
    let ports = service.ports.iter().zip(numbers);
    all.repeated("port", ports.map(|(port, number)| texts::port(port, *number)));
    all.env(&service.env);
    let ready = &service.ready;
    all.checks("ready", &ready.checks);
    all.add("ready.within", texts::time(ready.within));
    all.add("ready.every", texts::time(ready.every));
    all.add("ready.timeout", texts::time(ready.timeout));
    all.alive(service.alive.as_ref());
    all.restart(&service.restart);
    all.exits(&service.succeeds_with);
    all.stop(&service.stop);
    all.list("cleanup", &service.cleanup);
    all.optional("memory.max", service.memory_max.map(wording::bytes));
    let limits = &service.limits;
    all.optional("limit.open-files", limits.open_files);
    all.optional("limit.cpu", limits.cpu);
    all.optional("limit.processes", limits.processes);
    all.log(&service.log);
    all.add("stdin", if service.stdin_open { "open" } else { "null" });
    if let Some(user) = &service.user {
        all.add("user", &user.user);
        all.optional("user.group", user.group.as_ref());
    }
    all.add("tty", texts::flag(service.tty));
    all.add("color", texts::flag(service.color));
    all.watches(&service.watch);
    all.hooks("before-start", &service.hooks.before_start);
    all.hooks("after-ready", &service.hooks.after_ready);
    all.hooks("after-stop", &service.hooks.after_stop);
    all.hooks("on-failure", &service.hooks.on_failure);
    all.tools(&service.tools);
    all.add("replicas", service.replicas);
    all.text("describe", service.describe.as_ref());
    all.text("url", service.url.as_ref());
    if service.url.is_some() {
        all.add("url.open", texts::flag(service.url_open));
    }
    all.0
}

pub(super) fn of_task(task: &Task) -> Vec<Setting> {
    let mut all = Settings::default();
    match &task.body {
        TaskBody::Command(command) => all.command(command),
        TaskBody::Steps(steps) => all.steps("step", steps),
    }
    all.add("dir", task.dir.display());
    all.needs(&task.needs, &task.after);
    all.env(&task.env);
    all.exits(&task.succeeds_with);
    all.list("without", &task.without);
    all.steps("on-failure", &task.on_failure);
    all.text("confirm", task.confirm.as_ref());
    all.repeated(
        "keep",
        task.keep.iter().map(|keep| {
            let newest = keep.newest.map(|newest| format!(" newest={newest}"));
            let age = keep.max_age.map(|age| format!(" max-age={}", texts::time(age)));
            format!("{}{}{}", keep.glob, newest.unwrap_or_default(), age.unwrap_or_default())
        }),
    );
    all.optional("timeout", task.timeout.map(texts::time));
    all.add("retries", task.retries);
    all.list("inputs", &task.inputs);
    all.list("outputs", &task.outputs);
    all.optional("schedule", task.schedule.as_ref());
    all.log(&task.log);
    all.tools(&task.tools);
    all.text("describe", task.describe.as_ref());
    all.0
}

pub(super) fn of_group(group: &Group) -> Vec<Setting> {
    let mut all = Settings::default();
    all.list("members", &group.members);
    all.0
}

#[derive(Default)]
struct Settings(Vec<Setting>);

impl Settings {
    fn add(&mut self, key: &str, value: impl Display) {
        self.add_of(key.to_owned(), &value, vec![key.to_owned()]);
    }

    /// A setting that is known by other places: a check by its own, else by its `ready`.
    fn add_of(&mut self, key: String, value: &dyn Display, origins: Vec<String>) {
        // A value of several lines (a script) is shown by its first.
        let value = value.to_string();
        let mut lines = value.trim().lines();
        let first = lines.next().unwrap_or_default().to_owned();
        let value = if lines.next().is_some() { format!("{first} …") } else { first };
        self.0.push(Setting { key, value, origins, secret: false });
    }

    fn optional(&mut self, key: &str, value: Option<impl Display>) {
        if let Some(value) = value {
            self.add(key, value);
        }
    }

    /// A node that repeats: each has a place of its own.
    fn repeated(&mut self, key: &str, values: impl Iterator<Item = String>) {
        for (at, value) in values.enumerate() {
            let own = if at == 0 { key.to_owned() } else { format!("{key}#{}", at + 1) };
            self.add_of(key.to_owned(), &value, vec![own, key.to_owned()]);
        }
    }

    fn list(&mut self, key: &str, values: &[String]) {
        if !values.is_empty() {
            self.add(key, values.join(" "));
        }
    }

    fn text(&mut self, key: &str, text: Option<&Text>) {
        self.optional(key, text);
    }

    fn command(&mut self, command: &Command) {
        self.add(texts::node_of(command), texts::command(command));
    }

    fn hooks(&mut self, key: &str, commands: &[Command]) {
        for (at, command) in commands.iter().enumerate() {
            let node = format!("{key}.{}", texts::node_of(command));
            let own = if at == 0 { node.clone() } else { format!("{key}#{}", at + 1) };
            self.add_of(node, &texts::command(command), vec![own, key.to_owned()]);
        }
    }

    fn steps(&mut self, key: &str, steps: &[Step]) {
        for (at, step) in steps.iter().enumerate() {
            let own = if at == 0 { key.to_owned() } else { format!("{key}#{}", at + 1) };
            let origins = vec![own, key.to_owned()];
            let name = format!("{key}.{}", step.name);
            self.add_of(name.clone(), &texts::step(&step.command), origins.clone());
            let files = [("stdin", &step.stdin), ("stdout", &step.stdout)];
            for (node, file) in files {
                if let Some(file) = file {
                    self.add_of(format!("{name}.{node}"), file, origins.clone());
                }
            }
            for (variable, value) in &step.env {
                self.variable(format!("{name}.env.{variable}"), value, origins.clone());
            }
        }
    }

    fn needs(&mut self, needs: &[Need], after: &[String]) {
        let origins = |node: &str, name: &str| vec![format!("{node}.{name}"), node.to_owned()];
        for need in needs {
            self.add_of("needs".into(), &texts::need(need), origins("needs", &need.name));
        }
        for name in after {
            self.add_of("after".into(), name, origins("after", name));
        }
    }

    fn env(&mut self, env: &BTreeMap<String, EnvValue>) {
        for (key, value) in env {
            let key = format!("env.{key}");
            self.variable(key.clone(), value, vec![key]);
        }
    }

    fn variable(&mut self, key: String, value: &EnvValue, origins: Vec<String>) {
        match &value.value {
            None => self.add_of(key, &"#null", origins),
            Some(text) => {
                self.add_of(key, text, origins);
                self.0.last_mut().expect("it was just added").secret = value.secret;
            }
        }
    }

    fn checks(&mut self, key: &str, checks: &[Check]) {
        for check in checks {
            let (kind, value) = texts::check(check);
            let own = format!("{key}.{kind}");
            self.add_of(own.clone(), &value, vec![own, key.to_owned()]);
        }
    }

    fn alive(&mut self, alive: Option<&Alive>) {
        let Some(alive) = alive else { return };
        self.checks("alive", &alive.checks);
        self.add("alive.every", texts::time(alive.every));
        self.add("alive.timeout", texts::time(alive.timeout));
        self.add("alive.failures", alive.failures);
        self.add("alive.cooldown", texts::time(alive.cooldown));
    }

    fn restart(&mut self, restart: &Restart) {
        self.add(
            "restart",
            match restart.when {
                RestartWhen::Always => "always",
                RestartWhen::OnFailure => "on-failure",
                RestartWhen::Never => "never",
            },
        );
        self.add("restart.tries", restart.tries);
        self.add("restart.within", texts::time(restart.within));
        self.add("restart.delay", texts::time(restart.delay));
        self.add("restart.max-delay", texts::time(restart.max_delay));
    }

    fn stop(&mut self, stop: &Stop) {
        if let Some(command) = &stop.command {
            let key = format!("stop.{}", texts::node_of(command));
            self.add(&key, texts::command(command));
        }
        self.add("stop.signal", stop.signal);
        self.add(
            "stop.to",
            match stop.to {
                StopTo::Tree => "tree",
                StopTo::Main => "main",
            },
        );
        self.add("stop.grace", texts::time(stop.grace));
    }

    fn log(&mut self, log: &LogPolicy) {
        self.add("log.max-size", wording::bytes(log.max_size));
        self.add("log.keep", log.keep);
        self.add("log.max-age", texts::time(log.max_age));
        self.add("log.compress", texts::flag(log.compress));
        self.add("log.split", texts::flag(log.split));
    }

    fn watches(&mut self, watches: &[Watch]) {
        self.repeated(
            "watch",
            watches.iter().map(|watch| {
                let ignore = match watch.ignore.as_slice() {
                    [] => String::new(),
                    globs => format!(" ignore {}", globs.join(" ")),
                };
                let (then, debounce) =
                    (texts::watch_then(&watch.then), texts::time(watch.debounce));
                format!("{}{ignore} → {then}, debounce={debounce}", watch.globs.join(" "))
            }),
        );
    }

    fn exits(&mut self, patterns: &[ExitPattern]) {
        self.list("succeeds-with", &patterns.iter().map(texts::exit).collect::<Vec<_>>());
    }

    fn tools(&mut self, tools: &[Tool]) {
        self.repeated("tool", tools.iter().map(texts::tool));
    }
}

impl Setting {
    /// Masks what is secret in it.
    pub(super) fn mask(&mut self, masker: &Masker) {
        // The name of a step is any text.
        if ["step.", "on-failure."].iter().any(|steps| self.key.starts_with(steps)) {
            masker.hide(&mut self.key);
        }
        match self.key.as_str() {
            _ if self.secret => self.value = MASK.to_owned(),
            "url" => masker.hide_in_url(&mut self.value),
            key if SHOWN.contains(&key) || key.ends_with(".stdin") || key.ends_with(".stdout") => {}
            _ => masker.hide(&mut self.value),
        }
    }
}
