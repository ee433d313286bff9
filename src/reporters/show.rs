//! A service or task as resolved: every value, and where it was set.

use std::collections::BTreeMap;

use super::{
    theme::{Theme, Tone, pad},
    words,
};
use crate::model::{
    Check, Command, EnvValue, ExitPattern, HttpTarget, Need, NeedUntil, PortNumber, PortRef,
    RestartWhen, Service, Stack, StepCommand, StopTo, Task, TaskBody, Text, Tool,
    time::setting as time,
};

/// What stands in the place of a secret.
const MASK: &str = "•••";

/// A key of the stack file and its value, as it would stand there.
struct Setting {
    key: String,
    value: String,
    /// The key by which its place is known.
    origin: String,
}

/// The definition; `None` for a name that is neither service nor task.
pub fn show(stack: &Stack, name: &str, theme: Theme) -> Option<String> {
    let (kind, settings) = match (stack.service(name), stack.task(name)) {
        (Some(service), _) => ("service", of_service(service)),
        (None, Some(task)) => ("task", of_task(task)),
        (None, None) => return None,
    };
    let width = settings.iter().map(|setting| setting.key.chars().count()).max().unwrap_or(0);
    let value_width =
        settings.iter().map(|setting| setting.value.chars().count()).max().unwrap_or(0);
    let mut text = format!("{kind} {}\n", theme.paint(Tone::Strong, name));
    for Setting { key, value, origin } in &settings {
        let place = theme.paint(Tone::Faint, place(stack, name, origin));
        let value = theme.plain_words(value);
        let (key, value) = (pad(key, width), pad(&value, value_width.min(48)));
        text.push_str(&format!("  {key}  {value}  {place}\n"));
    }
    Some(text)
}

/// `stack.kdl:12`, `stack.kdl:3, template web`, `default`.
fn place(stack: &Stack, name: &str, key: &str) -> String {
    let Some(origin) = stack.origins.get(&format!("{name}.{key}")) else {
        return "default".into();
    };
    let file = origin.file.strip_prefix(&stack.dir).unwrap_or(&origin.file);
    let via = origin.via.as_ref().map(|via| format!(", {via}")).unwrap_or_default();
    format!("{}:{}{via}", file.display(), origin.line)
}

fn of_service(service: &Service) -> Vec<Setting> {
    let mut all = Settings::default();
    match &service.command {
        Some(command) => all.command(command),
        None => all.add("external", "#true"),
    }
    all.add("autostart", flag(service.autostart));
    all.add("dir", service.dir.display());
    all.needs(&service.needs, &service.after);
    for port in &service.ports {
        let number = match port.number {
            PortNumber::Fixed(number) => number.to_string(),
            PortNumber::Auto => "auto".into(),
        };
        let name = port.name.as_ref().map(|name| format!(" name={name}")).unwrap_or_default();
        all.add("port", format!("{number}{name}"));
    }
    all.env(&service.env);
    let ready = &service.ready;
    all.checks("ready", &ready.checks);
    all.add("ready.within", time(ready.within));
    all.add("ready.every", time(ready.every));
    all.add("ready.timeout", time(ready.timeout));
    if let Some(alive) = &service.alive {
        all.checks("alive", &alive.checks);
        all.add("alive.every", time(alive.every));
        all.add("alive.timeout", time(alive.timeout));
        all.add("alive.failures", alive.failures);
        all.add("alive.cooldown", time(alive.cooldown));
    }
    let restart = &service.restart;
    all.add(
        "restart",
        match restart.when {
            RestartWhen::Always => "always",
            RestartWhen::OnFailure => "on-failure",
            RestartWhen::Never => "never",
        },
    );
    all.add("restart.tries", restart.tries);
    all.add("restart.within", time(restart.within));
    all.add("restart.delay", time(restart.delay));
    all.add("restart.max-delay", time(restart.max_delay));
    all.exits(&service.succeeds_with);
    all.add("stop.signal", service.stop.signal);
    all.add(
        "stop.to",
        match service.stop.to {
            StopTo::Tree => "tree",
            StopTo::Main => "main",
        },
    );
    all.add("stop.grace", time(service.stop.grace));
    all.list("cleanup", &service.cleanup);
    if let Some(bytes) = service.memory_max {
        all.add("memory.max", words::bytes(bytes));
    }
    all.add("log.max-size", words::bytes(service.log.max_size));
    all.add("log.keep", service.log.keep);
    for watch in &service.watch {
        all.list("watch", &watch.globs);
    }
    all.hooks("before-start", &service.hooks.before_start);
    all.hooks("after-ready", &service.hooks.after_ready);
    all.hooks("after-stop", &service.hooks.after_stop);
    all.hooks("on-failure", &service.hooks.on_failure);
    all.tools(&service.tools);
    if service.replicas != 1 {
        all.add("replicas", service.replicas);
    }
    all.text("describe", service.describe.as_ref());
    all.text("url", service.url.as_ref());
    all.0
}

fn of_task(task: &Task) -> Vec<Setting> {
    let mut all = Settings::default();
    match &task.body {
        TaskBody::Command(command) => all.command(command),
        TaskBody::Steps(steps) => {
            for step in steps {
                let shown = match &step.command {
                    StepCommand::Command(command) => command_text(command),
                    StepCommand::Pipe(commands) => {
                        commands.iter().map(command_text).collect::<Vec<_>>().join(" | ")
                    }
                };
                all.add_of(format!("step.{}", step.name), shown, "step");
            }
        }
    }
    all.add("dir", task.dir.display());
    all.needs(&task.needs, &task.after);
    all.env(&task.env);
    all.exits(&task.succeeds_with);
    all.list("without", &task.without);
    all.text("confirm", task.confirm.as_ref());
    if let Some(timeout) = task.timeout {
        all.add("timeout", time(timeout));
    }
    all.add("retries", task.retries);
    all.list("inputs", &task.inputs);
    all.list("outputs", &task.outputs);
    all.tools(&task.tools);
    all.text("describe", task.describe.as_ref());
    all.0
}

#[derive(Default)]
struct Settings(Vec<Setting>);

impl Settings {
    fn add(&mut self, key: impl Into<String>, value: impl ToString) {
        let key = key.into();
        self.add_of(key.clone(), value, key);
    }

    /// A setting that is known by the place of another: a check by its `ready`.
    #[expect(clippy::needless_pass_by_value, reason = "numbers and texts alike")]
    fn add_of(&mut self, key: String, value: impl ToString, origin: impl Into<String>) {
        // A value of several lines (a script) is shown by its first.
        let value = value.to_string();
        let mut lines = value.trim().lines();
        let first = lines.next().unwrap_or_default().to_owned();
        let value = if lines.next().is_some() { format!("{first} …") } else { first };
        self.0.push(Setting { key, value, origin: origin.into() });
    }

    fn list(&mut self, key: &str, values: &[String]) {
        if !values.is_empty() {
            self.add(key, values.join(" "));
        }
    }

    fn text(&mut self, key: &str, text: Option<&Text>) {
        if let Some(text) = text {
            self.add(key, text);
        }
    }

    fn command(&mut self, command: &Command) {
        let key = match command {
            Command::Run(_) => "run",
            Command::Shell { .. } => "shell",
        };
        self.add(key, command_text(command));
    }

    fn hooks(&mut self, key: &str, commands: &[Command]) {
        commands.iter().for_each(|command| self.add(key, command_text(command)));
    }

    fn needs(&mut self, needs: &[Need], after: &[String]) {
        for need in needs {
            let until = if need.until == NeedUntil::Started { " until=started" } else { "" };
            let follow = if need.follow { " follow=#true" } else { "" };
            let optional = if need.optional { " optional=#true" } else { "" };
            self.add("needs", format!("{}{until}{follow}{optional}", need.name));
        }
        self.list("after", after);
    }

    fn env(&mut self, env: &BTreeMap<String, EnvValue>) {
        for (key, value) in env {
            let shown = match (&value.value, value.secret) {
                (None, _) => "#null".to_owned(),
                (Some(_), true) => MASK.to_owned(),
                (Some(text), false) => text.to_string(),
            };
            self.add(format!("env.{key}"), shown);
        }
    }

    fn checks(&mut self, key: &str, checks: &[Check]) {
        for check in checks {
            let (kind, value) = match check {
                Check::Tcp(None) => ("tcp", "all ports".to_owned()),
                Check::Tcp(Some(PortRef::Number(number))) => ("tcp", number.to_string()),
                Check::Tcp(Some(PortRef::Name(name))) => ("tcp", name.clone()),
                Check::Http(http) => (
                    "http",
                    match &http.target {
                        HttpTarget::Path { path, .. } => path.to_string(),
                        HttpTarget::Url(url) => url.to_string(),
                    },
                ),
                Check::Command(command) => ("run", command_text(command)),
                Check::Prints(pattern) => ("prints", pattern.clone()),
                Check::Notify => ("notify", "#true".to_owned()),
                Check::Delay(delay) => ("delay", time(*delay)),
            };
            self.add_of(format!("{key}.{kind}"), value, key);
        }
    }

    fn exits(&mut self, patterns: &[ExitPattern]) {
        let shown = patterns.iter().map(|pattern| match pattern {
            ExitPattern::Code(code) => code.to_string(),
            ExitPattern::Signal(signal) => signal.to_string(),
        });
        self.list("succeeds-with", &shown.collect::<Vec<_>>());
    }

    fn tools(&mut self, tools: &[Tool]) {
        for tool in tools {
            let version = tool.version.as_ref().map(|version| format!(" {version}"));
            self.add("tool", format!("{}{}", tool.program, version.unwrap_or_default()));
        }
    }
}

fn command_text(command: &Command) -> String {
    match command {
        Command::Run(words) => words.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "),
        Command::Shell { script, .. } => script.to_string(),
    }
}

fn flag(flag: bool) -> &'static str {
    if flag { "#true" } else { "#false" }
}

/// The definition as data: `{"settings": [{"key": …, "value": …, "from": …}]}`.
pub fn json(stack: &Stack, name: &str) -> Option<String> {
    let settings = match (stack.service(name), stack.task(name)) {
        (Some(service), _) => of_service(service),
        (None, Some(task)) => of_task(task),
        (None, None) => return None,
    };
    let settings: Vec<serde_json::Value> = settings
        .iter()
        .map(|Setting { key, value, origin }| {
            serde_json::json!({ "key": key, "value": value, "from": place(stack, name, origin) })
        })
        .collect();
    let json = serde_json::json!({ "format": 1, "name": name, "settings": settings });
    Some(format!("{json:#}\n"))
}
