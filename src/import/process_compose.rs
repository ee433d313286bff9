//! process-compose files: the nearest relative.

use std::collections::BTreeSet;

use super::{
    command,
    compose::interpolate,
    container::unknown,
    kdl_writer::{Draft, Node},
    names::Names,
    report::Report,
    value::{Data, Entry, Value},
};

/// Keys of a process that say nothing about how it runs.
const SILENT: [&str; 4] =
    ["is_foreground", "disable_ansi_colors", "is_dotenv_disabled", "is_disabled"];

pub(super) fn import(file: &Value, draft: &mut Draft, report: &mut Report) {
    for Entry { key, line, value } in file.entries() {
        match key.as_str() {
            "processes" | "version" | "log_level" | "is_strict" => {}
            "name" => draft.name = super::names::of_stack(&value.text().unwrap_or_default()),
            "environment" => draft.nodes.extend(environment(value)),
            "env_file" | "env_files" => {
                let files = value.texts().into_iter();
                draft.nodes.extend(files.map(|file| Node::new("env-file").arg(file).from(*line)));
            }
            "log_location" => {
                report.left(*line, key, "each service has a log of its own in .stackrun/logs");
            }
            key => report.left(*line, key, "stackrun has nothing like it"),
        }
    }
    let Some(processes) = file.get("processes") else { return };
    let tasks = ended(processes);
    let mut names = Names::default();
    for Entry { key, line, value } in processes.entries() {
        match value.data {
            Data::Map(_) => drop(names.add(key, *line, report)),
            _ => report.left(*line, key, "is not a process"),
        }
    }
    let mut groups: Vec<(String, Vec<String>)> = Vec::new();
    for Entry { key, line, value } in processes.entries() {
        let Some(own) = names.get(key) else { continue };
        let is_task = tasks.contains(key);
        let node = process(own, is_task, *line, value, &names, report);
        if let (Some(group), false) = (value.get("namespace").and_then(Value::text), is_task) {
            match groups.iter_mut().find(|(name, _)| *name == group) {
                Some((_, members)) => members.push(own.to_owned()),
                None => groups.push((group, vec![own.to_owned()])),
            }
        }
        draft.nodes.push(node);
    }
    for (name, members) in groups {
        let own = names.add(&name, processes.line, report);
        draft.nodes.push(Node::new("group").arg(own).args(members));
    }
}

/// The processes whose end others wait for.
fn ended(processes: &Value) -> BTreeSet<String> {
    let mut ended = BTreeSet::new();
    for process in processes.entries() {
        for need in process.value.get("depends_on").map(Value::entries).unwrap_or_default() {
            let condition = need.value.get("condition").and_then(Value::text).unwrap_or_default();
            if condition.starts_with("process_completed") {
                ended.insert(need.key.clone());
            }
        }
    }
    ended
}

fn process(
    own: &str,
    is_task: bool,
    line: usize,
    value: &Value,
    names: &Names,
    report: &mut Report,
) -> Node {
    let mut node = Node::new(if is_task { "task" } else { "service" }).arg(own).from(line);
    let shell = value.get("command").and_then(Value::text).map(|text| command::of_shell(&text));
    let words = value.get("entrypoint").map(Value::texts).filter(|words| !words.is_empty());
    let from_line = shell.as_ref().and_then(|line| line.dir.clone());
    let dir = value.get("working_dir").and_then(Value::text).or(from_line);
    if let Some(dir) = dir {
        node = node.child(Node::new("dir").arg(interpolate(&dir)).from(line));
        report.carried(own, "working_dir");
    }
    let run = match (words, shell) {
        (Some(words), _) => command::of_words(&words),
        (None, Some(shell)) => {
            if !shell.env.is_empty() {
                let pairs = shell.env.into_iter().map(|(key, value)| Node::new(&key).arg(value));
                node = node.child(pairs.fold(Node::new("env"), Node::child));
            }
            shell.command
        }
        (None, None) => None,
    };
    if let Some(run) = run {
        node = node.child(run.from(line));
        report.carried(own, "command");
    }
    for Entry { key, line, value: setting } in value.entries() {
        let nodes = setting_nodes(own, (key, *line), setting, names, report);
        for child in nodes {
            if is_task && !super::container::is_of_task(&child.name) {
                report.left(*line, format!("{own}.{key}"), "a task has nothing like it");
            } else {
                node = node.child(child);
            }
        }
    }
    node
}

fn setting_nodes(
    own: &str,
    (key, line): (&str, usize),
    value: &Value,
    names: &Names,
    report: &mut Report,
) -> Vec<Node> {
    let what = format!("{own}.{key}");
    let mut left = |text: &str| {
        report.left(line, what.clone(), text);
        Vec::new()
    };
    let nodes = match key {
        "command" | "entrypoint" | "working_dir" | "namespace" => return Vec::new(),
        "description" => {
            vec![Node::new("describe").arg(command::literal(&value.text().unwrap_or_default()))]
        }
        "environment" => environment(value).into_iter().collect(),
        "env_file" => {
            value.texts().into_iter().map(|file| Node::new("env-file").arg(file)).collect()
        }
        "depends_on" => needs(own, value, names, report),
        "readiness_probe" => probe(own, "ready", value, report).into_iter().collect(),
        "liveness_probe" => probe(own, "alive", value, report).into_iter().collect(),
        "ready_log_line" => {
            let pattern = escape(&value.text().unwrap_or_default());
            vec![Node::new("ready").child(Node::new("prints").arg(pattern))]
        }
        "availability" => availability(own, value, report),
        "shutdown" => shutdown(own, value, report),
        "disabled" if value.flag() == Some(true) => vec![Node::new("autostart").arg(false)],
        "disabled" => return Vec::new(),
        "is_tty" if value.flag() == Some(true) => vec![Node::new("tty").arg(true)],
        "is_tty" => return Vec::new(),
        "replicas" => match value.number() {
            Some(copies) if copies > 1 => vec![Node::new("replicas").arg(copies)],
            _ => return Vec::new(),
        },
        "schedule" => match value.get("cron").and_then(Value::text) {
            Some(cron) => vec![Node::new("schedule").arg(cron)],
            None => return left("only `cron` is known"),
        },
        _ if value.flag() == Some(false) => return Vec::new(),
        "is_daemon" => return left("write the command that stays in the foreground"),
        "log_location" => return left("`stackrun logs` has it; its file is in .stackrun/logs"),
        "log_configuration" => return left("`log` says how much is kept"),
        "is_elevated" => return left("it runs as you"),
        "vars" => return left("there are no templates: write the values where they belong"),
        key if SILENT.contains(&key) => return Vec::new(),
        _ => return left("stackrun has nothing like it"),
    };
    if !nodes.is_empty() {
        report.carried(own, key);
    }
    nodes.into_iter().map(|node| if node.from.is_some() { node } else { node.from(line) }).collect()
}

fn environment(value: &Value) -> Option<Node> {
    let pairs = value.pairs().into_iter().filter_map(|(key, _, value, line)| {
        Some(Node::new(&key).arg(interpolate(&value?)).from(line))
    });
    let env = pairs.fold(Node::new("env").from(value.line), Node::child);
    (!env.children.is_empty()).then_some(env)
}

fn needs(own: &str, value: &Value, names: &Names, report: &mut Report) -> Vec<Node> {
    let mut nodes = Vec::new();
    let mut plain = Vec::new();
    for Entry { key, line, value } in value.entries() {
        let what = format!("{own}.depends_on.{key}");
        let Some(need) = names.get(key) else {
            report.left(*line, what, "no process has this name");
            continue;
        };
        match value.get("condition").and_then(Value::text).as_deref() {
            Some("process_started") => {
                nodes.push(Node::new("needs").arg(need).prop("until", "started").from(*line));
            }
            Some("process_completed") => {
                let node = Node::new("needs").arg(need).prop("optional", true);
                nodes.push(node.from(*line));
            }
            _ => plain.push(need),
        }
    }
    if !plain.is_empty() {
        nodes.insert(0, Node::new("needs").args(plain).from(value.line));
    }
    nodes
}

/// `ready` or `alive` from a probe.
fn probe(own: &str, kind: &str, value: &Value, report: &mut Report) -> Option<Node> {
    let key = if kind == "ready" { "readiness_probe" } else { "liveness_probe" };
    let check = if let Some(http) = value.get("http_get") {
        let text = |key: &str| http.get(key).and_then(Value::text);
        let (scheme, host) = (text("scheme"), text("host"));
        let host = host.unwrap_or_else(|| "127.0.0.1".into());
        let port = text("port").map(|port| format!(":{}", interpolate(&port))).unwrap_or_default();
        let path = text("path").unwrap_or_else(|| "/".into());
        let scheme = scheme.unwrap_or_else(|| "http".into()).to_lowercase();
        let slash = if path.starts_with('/') { "" } else { "/" };
        let url = format!("{scheme}://{host}{port}{slash}{}", command::literal(&path));
        let status = http.get("status_code").and_then(Value::number);
        let headers = http.get("headers").map(Value::pairs).unwrap_or_default();
        let headers = headers.into_iter().filter_map(|(key, _, value, _)| {
            Some(Node::new("header").arg(key).arg(interpolate(&value?)))
        });
        let node = Node::new("http").arg(url).maybe("status", status);
        headers.fold(node, Node::child)
    } else {
        let exec = value.get("exec")?;
        if let Some(dir) = exec.get("working_dir") {
            report.left(
                dir.line,
                format!("{own}.{key}.exec.working_dir"),
                "a check runs in its service's folder",
            );
        }
        command::of_shell(&exec.get("command")?.text()?).command?
    };
    let number = |key: &str| value.get(key).and_then(Value::number);
    let seconds = |number: u64| format!("{number}s");
    let mut node = Node::new(kind).from(value.line);
    let tries = number("failure_threshold").unwrap_or(3);
    if kind == "ready" {
        let within = number("initial_delay_seconds").unwrap_or(0)
            + number("period_seconds").unwrap_or(10).saturating_mul(tries);
        node = node.maybe("within", (within > 60).then(|| seconds(within)));
    } else {
        node = node.maybe("every", number("period_seconds").map(seconds));
        node = node.maybe("failures", number("failure_threshold"));
    }
    node = node.maybe("timeout", number("timeout_seconds").map(seconds));
    let known = [
        "exec",
        "http_get",
        "success_threshold",
        "initial_delay_seconds",
        "period_seconds",
        "timeout_seconds",
        "failure_threshold",
    ];
    if number("success_threshold").is_some_and(|answers| answers > 1) {
        let what = format!("{own}.{key}.success_threshold");
        report.left(value.line, what, "one answer is enough");
    }
    for Entry { key: setting, line, .. } in unknown(value, &known) {
        let what = format!("{own}.{key}.{setting}");
        report.left(*line, what, "stackrun has nothing like it");
    }
    Some(node.child(check))
}

fn availability(own: &str, value: &Value, report: &mut Report) -> Vec<Node> {
    let policy = value.get("restart").and_then(Value::text);
    let when = match policy.as_deref() {
        Some("always") => "always",
        Some("no" | "false" | "exit_on_failure") => "never",
        _ => "on-failure",
    };
    if policy.as_deref() == Some("exit_on_failure") {
        report.left(
            value.line,
            format!("{own}.availability.restart"),
            "its failure stops the others only with `up --foreground`",
        );
    }
    let delay = value.get("backoff_seconds").and_then(Value::number).filter(|delay| *delay > 0);
    let tries = value.get("max_restarts").and_then(Value::number).filter(|tries| *tries > 0);
    for Entry { key, line, .. } in unknown(value, &["restart", "backoff_seconds", "max_restarts"]) {
        report.left(*line, format!("{own}.availability.{key}"), "stackrun has nothing like it");
    }
    let node = Node::new("restart").arg(when).maybe("tries", tries);
    vec![node.maybe("delay", delay.map(|delay| format!("{delay}s")))]
}

fn shutdown(own: &str, value: &Value, report: &mut Report) -> Vec<Node> {
    let number = |key: &str| value.get(key).and_then(Value::number);
    let mut node = Node::new("stop").maybe("signal", number("signal").and_then(signal_name));
    node = node.maybe("grace", number("timeout_seconds").map(|grace| format!("{grace}s")));
    if value.get("parent_only").and_then(Value::flag) == Some(true) {
        node = node.prop("to", "main");
    }
    if let Some(text) = value.get("command").and_then(Value::text) {
        node.children.extend(command::of_shell(&text).command);
    }
    for Entry { key, line, .. } in
        unknown(value, &["signal", "timeout_seconds", "parent_only", "command"])
    {
        report.left(*line, format!("{own}.shutdown.{key}"), "stackrun has nothing like it");
    }
    vec![node]
}

fn signal_name(number: u64) -> Option<&'static str> {
    Some(match number {
        1 => "SIGHUP",
        2 => "SIGINT",
        3 => "SIGQUIT",
        9 => "SIGKILL",
        10 => "SIGUSR1",
        12 => "SIGUSR2",
        15 => "SIGTERM",
        _ => return None,
    })
}

/// A text as a regular expression that finds it.
fn escape(text: &str) -> String {
    let special = r"\.+*?()|[]{}^$";
    let mut out = String::new();
    for letter in text.chars() {
        if special.contains(letter) {
            out.push('\\');
        }
        out.push(letter);
    }
    out
}
