//! Compose files: services of containers, run as the programs that they are where that is known,
//! and by `docker run` where only the image knows.

mod ports;
mod values;

use std::{collections::BTreeSet, path::Path};

use super::{
    Beside, command,
    container::{self, Container},
    kdl_writer::{Draft, Node},
    names::Names,
    report::Report,
    value::{Data, Entry, Value},
};

use values::{deploy, env_files, find_host, published};
pub(super) use values::{interpolate, memory, words_of};

/// Keys of a service that mean nothing without a container.
const CONTAINER_ONLY: [&str; 14] = [
    "container_name",
    "hostname",
    "init",
    "expose",
    "platform",
    "pull_policy",
    "stdin_open",
    "attach",
    "annotations",
    "labels",
    "domainname",
    "shm_size",
    "userns_mode",
    "ipc",
];

pub(super) struct Compose<'a> {
    pub(super) names: Names,
    /// The services, and the ports that each publishes: inside and outside.
    pub(super) ports: Vec<(String, Vec<(u16, u16)>)>,
    /// Services that others want to have ended.
    tasks: BTreeSet<String>,
    beside: Beside<'a>,
}

pub(super) fn import(file: &Value, draft: &mut Draft, report: &mut Report, beside: Beside<'_>) {
    if let Some(name) = file.get("name").and_then(Value::text) {
        draft.name = super::names::of_stack(&name);
    }
    for Entry { key, line, .. } in file.entries() {
        match key.as_str() {
            "services" | "name" | "version" => {}
            "volumes" | "networks" => {
                report.left(*line, key, "programs on this machine share its files and network");
            }
            key if key.starts_with("x-") => {}
            key => report.left(*line, key, "stackrun has nothing like it"),
        }
    }
    let Some(services) = file.get("services") else { return };
    let compose = Compose::new(services, report, beside);
    // Compose reads it by itself.
    if beside(Path::new(".env")).is_some() {
        draft.nodes.push(Node::new("env-file").arg(".env").prop("optional", true));
    }
    for Entry { key, line, value } in services.entries() {
        if compose.names.get(key).is_some() {
            let nodes = compose.service(key, *line, value, report);
            draft.nodes.extend(nodes);
        }
    }
}

impl<'a> Compose<'a> {
    fn new(services: &Value, report: &mut Report, beside: Beside<'a>) -> Self {
        let mut names = Names::default();
        let mut ports = Vec::new();
        let mut tasks = BTreeSet::new();
        for Entry { key, line, value } in services.entries() {
            if !matches!(value.data, Data::Map(_)) {
                report.left(*line, key, "is not a service");
                continue;
            }
            names.add(key, *line, report);
            let published = value.get("ports").map(published).unwrap_or_default();
            ports.push((key.clone(), published));
            for need in value.get("depends_on").map(Value::entries).unwrap_or_default() {
                let condition = need.value.get("condition").and_then(Value::text);
                if condition.as_deref() == Some("service_completed_successfully") {
                    tasks.insert(need.key.clone());
                }
            }
        }
        Self { names, ports, tasks, beside }
    }

    fn service(&self, name: &str, line: usize, value: &Value, report: &mut Report) -> Vec<Node> {
        let own = self.names.get(name).unwrap_or(name).to_owned();
        let is_task = self.tasks.contains(name);
        let mut node = Node::new(if is_task { "task" } else { "service" }).arg(own.as_str());
        node = node.from(line);
        let native = self.native(value);
        let container = native.is_none().then(|| Container::new(&own, value, self));
        let mut before = Vec::new();
        if let Some(needs) = value.get("depends_on") {
            node.children.extend(self.needs(&own, needs, report));
        }
        match (&native, container) {
            (Some((dir, command)), _) => {
                if let Some(dir) = dir {
                    node = node.child(Node::new("dir").arg(dir.as_str()));
                    report.carried(&own, "folder");
                }
                node.children.extend(self.environment(&own, value, dir.as_deref(), report));
                node = node.child(command.clone());
                report.carried(&own, "command");
                for key in ["image", "build", "volumes"] {
                    let Some(there) = value.get(key) else { continue };
                    let text = match key {
                        "volumes" => "the program sees this machine's files as they are",
                        _ => "the command runs right here, with this machine's programs",
                    };
                    report.left(there.line.min(line_of(value, key)), format!("{own}.{key}"), text);
                }
            }
            (None, Some(container)) => {
                node.children.extend(self.environment(&own, value, None, report));
                before.extend(container.build_task(report));
                if let Some(task) = before.first().and_then(|task: &Node| task.first_text()) {
                    node.children.insert(0, Node::new("needs").arg(task));
                }
                node = node.child(Node::new("tool").arg("docker"));
                node.children.extend(container.run(report));
            }
            (None, None) => {}
        }
        for Entry { key, line, value: setting } in value.entries() {
            let children = self.setting(&own, (key, *line), setting, native.is_some(), report);
            node.children.extend(children);
        }
        if is_task {
            node.children.retain(|child| container::is_of_task(&child.name));
        }
        before.push(node);
        before
    }

    /// The folder and the command of a service that runs without its container.
    fn native(&self, value: &Value) -> Option<(Option<String>, Node)> {
        let context = value.get("build").map(context);
        let mut words = Vec::new();
        for key in ["entrypoint", "command"] {
            words.extend(value.get(key).and_then(words_of).unwrap_or_default());
        }
        // Without a build the command is one of the image's programs.
        let dir = self.folder(value, context.as_deref());
        context.as_ref()?;
        if words.is_empty() {
            let file = value.get("build").and_then(|build| build.get("dockerfile")?.text());
            let place =
                Path::new(context.as_deref()?).join(file.as_deref().unwrap_or("Dockerfile"));
            words = container::command_of_dockerfile(&(self.beside)(&place)?)?;
        }
        let words = words.iter().map(|word| interpolate(word)).collect::<Vec<_>>();
        let shell = matches!(
            words.first().map(String::as_str),
            Some("sh" | "bash" | "/bin/sh" | "/bin/bash")
        );
        let command = match (shell, words.as_slice()) {
            (true, [_, flag, script]) if flag == "-c" => Node::new("shell").arg(script.as_str()),
            _ => command::of_filled_words(words)?,
        };
        Some((dir, command))
    }

    /// Where a service's files are on this machine.
    fn folder(&self, value: &Value, context: Option<&str>) -> Option<String> {
        let inside = value.get("working_dir").and_then(Value::text);
        let mounts = value.get("volumes").map(container::mounts).unwrap_or_default();
        let mounted = inside.as_deref().and_then(|inside| {
            mounts.iter().find_map(|(outside, target)| {
                let below = Path::new(inside).strip_prefix(target).ok()?;
                Some(Path::new(outside).join(below).to_string_lossy().into_owned())
            })
        });
        let dir = mounted.or_else(|| context.map(str::to_owned))?;
        let dir = dir.trim_start_matches("./").trim_end_matches('/').to_owned();
        (!dir.is_empty() && dir != ".").then_some(dir)
    }

    fn needs(&self, own: &str, needs: &Value, report: &mut Report) -> Vec<Node> {
        let mut nodes: Vec<Node> = Vec::new();
        let mut plain: Vec<&str> = Vec::new();
        let names: Vec<(String, Option<&Value>, usize)> = match &needs.data {
            Data::Map(entries) => entries
                .iter()
                .map(|entry| (entry.key.clone(), Some(&entry.value), entry.line))
                .collect(),
            _ => needs.texts().into_iter().map(|name| (name, None, needs.line)).collect(),
        };
        for (name, value, line) in &names {
            let Some(need) = self.names.get(name) else {
                report.left(*line, format!("{own}.depends_on.{name}"), "no service has this name");
                continue;
            };
            report.carried(own, "depends_on");
            let flag = |key: &str| value.and_then(|value| value.get(key)?.flag());
            let condition = value.and_then(|value| value.get("condition")?.text());
            let started = condition.as_deref() == Some("service_started");
            let (follow, optional) =
                (flag("restart") == Some(true), flag("required") == Some(false));
            if !(started || follow || optional) {
                plain.push(need);
                continue;
            }
            let mut node = Node::new("needs").arg(need).from(*line);
            if started {
                node = node.prop("until", "started");
            }
            if follow {
                node = node.prop("follow", true);
            }
            if optional {
                node = node.prop("optional", true);
            }
            nodes.push(node);
        }
        if !plain.is_empty() {
            nodes.insert(0, Node::new("needs").args(plain).from(needs.line));
        }
        nodes
    }

    /// `env-file` and `env`, the names of containers in it replaced by where they listen.
    fn environment(
        &self,
        own: &str,
        value: &Value,
        dir: Option<&str>,
        report: &mut Report,
    ) -> Vec<Node> {
        let mut nodes = Vec::new();
        for (file, optional, line) in value.get("env_file").map(env_files).unwrap_or_default() {
            // A path in a service is one from its folder.
            let up = dir.map_or(0, |dir| Path::new(dir).components().count());
            let path = "../".repeat(up) + file.trim_start_matches("./");
            let node = Node::new("env-file").arg(path).from(line);
            let missing = (self.beside)(Path::new(&file)).is_none();
            nodes.push(if optional || missing { node.prop("optional", true) } else { node });
            report.carried(own, "env_file");
        }
        let mut env = Node::new("env");
        for (key, _, value, line) in value.get("environment").map(Value::pairs).unwrap_or_default()
        {
            // Without a value it is the caller's, which a service has anyway.
            let Some(value) = value else { continue };
            let (value, told) = self.addresses(&interpolate(&value));
            if let Some(told) = told {
                report.changed(line, format!("{own}.environment.{key}"), told);
            }
            let secret = ["PASSWORD", "SECRET", "TOKEN", "API_KEY"];
            let is_secret = secret.iter().any(|word| key.to_uppercase().contains(word));
            let node = Node::new(&key).arg(value).from(line);
            env = env.child(if is_secret { node.prop("secret", true) } else { node });
        }
        if !env.children.is_empty() {
            report.carried(own, "environment");
            nodes.push(env);
        }
        nodes
    }

    /// `db:5432` is `127.0.0.1:{{db.port}}` where nobody is in a container.
    pub(super) fn addresses(&self, text: &str) -> (String, Option<String>) {
        let mut text = text.to_owned();
        let mut told = None;
        for (name, own) in self.names.iter() {
            let ports = self.ports.iter().find(|(known, _)| known == name);
            for (inside, _) in ports.map(|(_, ports)| ports.as_slice()).unwrap_or_default() {
                let address = format!("{name}:{inside}");
                let first = ports.and_then(|(_, ports)| ports.first());
                let is_first = first.is_some_and(|(first, _)| first == inside);
                let port = if is_first { "port".to_owned() } else { format!("port.p{inside}") };
                let here = format!("127.0.0.1:{{{{{own}.{port}}}}}");
                if let Some(at) = find_host(&text, &address) {
                    text.replace_range(at..at + address.len(), &here);
                    told = Some(format!("`{address}` is `{here}` here"));
                }
            }
            if text == name {
                text = "127.0.0.1".into();
                told = Some(format!("the host `{name}` is 127.0.0.1 here"));
            }
        }
        (text, told)
    }

    /// The nodes of one setting.
    fn setting(
        &self,
        own: &str,
        (key, line): (&str, usize),
        value: &Value,
        native: bool,
        report: &mut Report,
    ) -> Vec<Node> {
        let what = format!("{own}.{key}");
        let done = |report: &mut Report, nodes: Vec<Node>| {
            report.carried(own, key);
            nodes.into_iter().map(|node| node.from(line)).collect()
        };
        match key {
            // Said already.
            "depends_on" | "environment" | "env_file" | "command" | "entrypoint" | "image"
            | "build" | "volumes" | "working_dir" => Vec::new(),
            "ports" => {
                let nodes = self.port_nodes(own, value, native, report);
                done(report, nodes)
            }
            "healthcheck" => container::healthcheck(own, value, native, self, report),
            "restart" => match value.text().as_deref() {
                Some("no" | "false") => done(report, vec![Node::new("restart").arg("never")]),
                Some("always" | "unless-stopped") => {
                    done(report, vec![Node::new("restart").arg("always")])
                }
                Some(text) if text.starts_with("on-failure") => {
                    let tries =
                        text.split_once(':').and_then(|(_, tries)| tries.parse::<u64>().ok());
                    done(report, vec![Node::new("restart").arg("on-failure").maybe("tries", tries)])
                }
                _ => refuse(report, line, what, "is not a known restart policy"),
            },
            "stop_signal" | "stop_grace_period" => {
                let property = if key == "stop_signal" { "signal" } else { "grace" };
                let Some(text) = value.text() else { return Vec::new() };
                done(report, vec![Node::new("stop").prop(property, text)])
            }
            "mem_limit" => memory(value).map_or_else(Vec::new, |node| done(report, vec![node])),
            "deploy" => deploy(own, value, report),
            "scale" => match value.number() {
                Some(copies) if copies > 1 => done(report, vec![Node::new("replicas").arg(copies)]),
                _ => Vec::new(),
            },
            "tty" if native && value.flag() == Some(true) => {
                done(report, vec![Node::new("tty").arg(true)])
            }
            "profiles" => {
                report.changed(line, what, "it starts only by name, or when something needs it");
                vec![Node::new("autostart").arg(false).from(line)]
            }
            "ulimits" => {
                let files = value.get("nofile");
                let soft = files.and_then(|files| files.get("soft").unwrap_or(files).number());
                let nodes = soft.map(|files| Node::new("limit").prop("open-files", files));
                done(report, nodes.into_iter().collect())
            }
            key if CONTAINER_ONLY.contains(&key) || key.starts_with("x-") => Vec::new(),
            "networks" | "network_mode" | "links" | "extra_hosts" | "dns" => {
                refuse(report, line, what, "everything here is on 127.0.0.1")
            }
            "logging" => {
                refuse(report, line, what, "`stackrun logs` has them; `log` says how much is kept")
            }
            "develop" => refuse(report, line, what, "`watch \"src/**\"` restarts on a change"),
            "user" => refuse(report, line, what, "it runs as you"),
            _ => refuse(report, line, what, "stackrun has nothing like it"),
        }
    }
}

fn refuse(report: &mut Report, line: usize, what: String, text: &str) -> Vec<Node> {
    report.left(line, what, text);
    Vec::new()
}

fn line_of(value: &Value, key: &str) -> usize {
    value.entries().iter().find(|entry| entry.key == key).map_or(value.line, |entry| entry.line)
}

fn context(build: &Value) -> String {
    let context = build.get("context").unwrap_or(build).text();
    context.unwrap_or_else(|| ".".into())
}
