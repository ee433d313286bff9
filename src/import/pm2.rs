//! PM2 ecosystem files.

use super::{
    command, compose,
    kdl_writer::{Draft, Node},
    names::Names,
    report::Report,
    value::{Data, Entry, Value},
};

/// Keys that only say how PM2 shows or updates an app.
const SILENT: [&str; 12] = [
    "name",
    "script",
    "args",
    "interpreter",
    "interpreter_args",
    "node_args",
    "cwd",
    "exec_mode",
    "vizion",
    "time",
    "namespace",
    "source_map_support",
];

pub(super) fn import(file: &Value, draft: &mut Draft, report: &mut Report) {
    let apps: &[Value] = match &file.data {
        Data::List(items) => items,
        _ => match file.get("apps") {
            Some(Value { data: Data::List(items), .. }) => items,
            Some(app) => std::slice::from_ref(app),
            None => std::slice::from_ref(file),
        },
    };
    for Entry { key, line, .. } in file.entries() {
        match key.as_str() {
            "deploy" => report.left(*line, key, "stackrun runs what is on this machine"),
            "..." => report.left(*line, "...", "only running the file would tell"),
            _ => {}
        }
    }
    let mut names = Names::default();
    let mut groups: Vec<(String, Vec<String>)> = Vec::new();
    let mut profiles: Vec<(String, Vec<Node>)> = Vec::new();
    for app in apps {
        let Some(script) = app.get("script").and_then(|value| text(value, "script", report)) else {
            report.left(app.line, "apps", "has no `script` that is a plain string");
            continue;
        };
        let name = app.get("name").and_then(Value::text).unwrap_or_else(|| stem(&script));
        let own = names.add(&name, app.line, report);
        if let Some(group) = app.get("namespace").and_then(Value::text) {
            match groups.iter_mut().find(|(known, _)| *known == group) {
                Some((_, members)) => members.push(own.clone()),
                None => groups.push((group, vec![own.clone()])),
            }
        }
        draft.nodes.push(service(&own, &script, app, report));
        for Entry { key, value, .. } in app.entries() {
            let Some(profile) = key.strip_prefix("env_").filter(|name| !name.is_empty()) else {
                continue;
            };
            let Some(env) = environment(&own, key, value, report) else { continue };
            let node = Node::new("service").arg(own.as_str()).child(env);
            report.carried(&own, key);
            match profiles.iter_mut().find(|(known, _)| known == profile) {
                Some((_, nodes)) => nodes.push(node),
                None => profiles.push((profile.to_owned(), vec![node])),
            }
        }
    }
    for (name, members) in groups {
        let own = names.add(&name, file.line, report);
        draft.nodes.push(Node::new("group").arg(own).args(members));
    }
    for (name, nodes) in profiles {
        let profile = Node::new("profile").arg(super::names::slug(&name));
        draft.nodes.push(nodes.into_iter().fold(profile, Node::child));
    }
}

fn service(own: &str, script: &str, app: &Value, report: &mut Report) -> Node {
    let mut node = Node::new("service").arg(own).from(app.line);
    if let Some(dir) = app.get("cwd").and_then(|value| text(value, &format!("{own}.cwd"), report)) {
        let dir = dir.trim_start_matches("./").trim_end_matches('/');
        if !dir.is_empty() && dir != "." {
            node = node.child(Node::new("dir").arg(dir));
        }
        report.carried(own, "cwd");
    }
    let words = words(own, script, app, report);
    node.children.extend(command::of_filled_words(words).map(|run| run.from(app.line)));
    report.carried(own, "script");
    let mut stop = Node::new("stop");
    let mut restart = Node::new("restart");
    let mut when = "on-failure";
    let mut watch: Option<Node> = None;
    let mut ignored = Vec::new();
    for Entry { key, line, value } in app.entries() {
        let what = format!("{own}.{key}");
        let number = value.number();
        let millis = value.text().and_then(|text| time(&text));
        let (carried, nodes): (bool, Vec<Node>) = match key.as_str() {
            key if SILENT.contains(&key) => continue,
            "env" => {
                let mut nodes: Vec<Node> =
                    environment(own, key, value, report).into_iter().collect();
                let port = value.get("PORT").and_then(Value::number);
                let port = port.and_then(|port| u16::try_from(port).ok()).filter(|port| *port > 0);
                if let Some(port) = port {
                    // stackrun sets it itself.
                    nodes
                        .iter_mut()
                        .for_each(|env| env.children.retain(|child| child.name != "PORT"));
                    nodes.retain(|env| !env.children.is_empty());
                    nodes.push(Node::new("port").arg(port));
                }
                (true, nodes)
            }
            key if key.starts_with("env_") => continue,
            "env_file" => (
                true,
                value.texts().into_iter().map(|file| Node::new("env-file").arg(file)).collect(),
            ),
            "instances" => match number {
                Some(copies) if copies > 1 => {
                    report.changed(*line, what, "are copies with a port each; PM2's share one");
                    (true, vec![Node::new("replicas").arg(copies)])
                }
                Some(_) => continue,
                None => {
                    report.left(*line, what, "one copy runs; `replicas` makes more");
                    continue;
                }
            },
            "max_memory_restart" => {
                let node = compose::memory(value);
                (node.is_some(), node.into_iter().collect())
            }
            "autorestart" => {
                if value.flag() == Some(false) {
                    when = "never";
                }
                (true, Vec::new())
            }
            "max_restarts" => {
                restart = restart.maybe("tries", number.filter(|tries| *tries > 0));
                (true, Vec::new())
            }
            "min_uptime" => {
                restart = restart.maybe("within", millis);
                (true, Vec::new())
            }
            "restart_delay" | "exp_backoff_restart_delay" => {
                restart = restart.maybe("delay", millis.filter(|delay| delay != "0ms"));
                (true, Vec::new())
            }
            "kill_timeout" => {
                stop = stop.maybe("grace", millis);
                (true, Vec::new())
            }
            "treekill" => {
                if value.flag() == Some(false) {
                    stop = stop.prop("to", "main");
                }
                (true, Vec::new())
            }
            "listen_timeout" => (true, vec![Node::new("ready").maybe("within", millis)]),
            "stop_exit_codes" => {
                let codes = value.texts().into_iter().filter_map(|code| code.parse::<u64>().ok());
                (true, vec![Node::new("succeeds-with").args(codes)])
            }
            "watch" => {
                let globs = match (value.flag(), value.texts()) {
                    (Some(false), _) => continue,
                    (Some(true), _) => vec!["**".to_owned()],
                    (None, globs) => globs.iter().map(|glob| folder_glob(glob)).collect(),
                };
                watch = Some(Node::new("watch").args(globs).from(*line));
                (true, Vec::new())
            }
            "ignore_watch" => {
                ignored = value.texts();
                (true, Vec::new())
            }
            "watch_delay" => {
                watch = watch.map(|watch| watch.maybe("debounce", millis));
                (true, Vec::new())
            }
            _ => {
                report.left(*line, what, unlike(key));
                continue;
            }
        };
        if carried {
            report.carried(own, key);
        }
        node.children.extend(nodes.into_iter().map(|child| match child.from {
            Some(_) => child,
            None => child.from(*line),
        }));
    }
    let plain = Node::new("restart");
    if restart != plain || when == "never" {
        // The policy is the node's first word.
        node = node.child(Node::new("restart").arg(when).with_props_of(restart).from(app.line));
    }
    if stop != Node::new("stop") {
        node = node.child(stop.from(app.line));
    }
    if let Some(mut watch) = watch {
        let mut globs: Vec<String> = ignored.iter().map(|glob| folder_glob(glob)).collect();
        globs.sort();
        if !globs.is_empty() {
            watch = watch.child(Node::new("ignore").args(globs));
        }
        node = node.child(watch);
    }
    node
}

/// Why something has no place in a stack file.
fn unlike(key: &str) -> &'static str {
    match key {
        "cron_restart" => "services are not restarted on a schedule; a task can have one",
        "out_file" | "error_file" | "log_file" | "output" | "error" | "merge_logs"
        | "combine_logs" | "log_date_format" | "log_type" | "disable_logs" => {
            "`stackrun logs` has them, with times; `log` says how much is kept"
        }
        "pid_file" | "pid" => "there are no pid files; `stackrun status --json` shows the pid",
        "wait_ready" | "shutdown_with_message" => {
            "it is PM2's own message; `ready { http \"/\" }` and a signal do that"
        }
        "uid" | "gid" | "user" => "it runs as you",
        "increment_var" | "instance_var" => "`{{replica}}` is the number of a copy",
        "..." => "only running the file would tell",
        _ => "stackrun has nothing like it",
    }
}

fn words(own: &str, script: &str, app: &Value, report: &mut Report) -> Vec<String> {
    let mut words = Vec::new();
    let interpreter = app.get("interpreter").or_else(|| app.get("exec_interpreter"));
    let interpreter =
        interpreter.and_then(|value| text(value, &format!("{own}.interpreter"), report));
    match interpreter.as_deref() {
        Some("none") => {}
        Some(interpreter) => words.push(interpreter.to_owned()),
        None => words.extend(interpreter_of(script).map(str::to_owned)),
    }
    for key in ["interpreter_args", "node_args"] {
        let Some(value) = app.get(key) else { continue };
        words.extend(split(value, &format!("{own}.{key}"), report));
        report.carried(own, key);
    }
    // `npm run dev` may stand in one string.
    match script.split_once(' ') {
        Some(_) if words.is_empty() => words.extend(script.split_whitespace().map(str::to_owned)),
        _ => words.push(script.to_owned()),
    }
    if let Some(value) = app.get("args") {
        words.extend(split(value, &format!("{own}.args"), report));
        report.carried(own, "args");
    }
    words
}

fn interpreter_of(script: &str) -> Option<&'static str> {
    let (_, ending) = script.rsplit_once('.')?;
    Some(match ending {
        "js" | "cjs" | "mjs" => "node",
        "ts" | "tsx" => "npx tsx",
        "py" => "python3",
        "rb" => "ruby",
        "sh" => "bash",
        "pl" => "perl",
        "php" => "php",
        _ => return None,
    })
}

fn split(value: &Value, what: &str, report: &mut Report) -> Vec<String> {
    match &value.data {
        Data::List(items) => items.iter().filter_map(|item| text(item, what, report)).collect(),
        _ => {
            let text = text(value, what, report).unwrap_or_default();
            command::split(&text).unwrap_or_else(|| vec![text])
        }
    }
}

fn environment(own: &str, key: &str, value: &Value, report: &mut Report) -> Option<Node> {
    let mut env = Node::new("env").from(value.line);
    for entry in value.entries() {
        let what = format!("{own}.{key}.{}", entry.key);
        if let Some(text) = text(&entry.value, &what, report) {
            env = env.child(Node::new(&entry.key).arg(text).from(entry.line));
        }
    }
    (!env.children.is_empty()).then_some(env)
}

/// The text of a value, `{{…}}` escaped; of an expression if it is one of the few that are known.
fn text(value: &Value, what: &str, report: &mut Report) -> Option<String> {
    let Data::Code(code) = &value.data else {
        return value.text().map(|text| command::literal(&text));
    };
    let known = evaluate(code);
    match &known {
        Some(text) => report.changed(value.line, what, format!("`{code}` is `{text}` here")),
        None => report.left(value.line, what, format!("only running `{code}` would tell")),
    }
    known
}

/// `process.env.PORT || 3000`, `__dirname + "/api"`, `path.join(__dirname, "api")`.
fn evaluate(code: &str) -> Option<String> {
    let unquoted = |text: &str| {
        let text = text.trim();
        let inner = text.strip_prefix(['"', '\'', '`'])?.strip_suffix(['"', '\'', '`'])?;
        (!inner.contains(['"', '\'', '`', '$', '\\'])).then(|| command::literal(inner))
    };
    if let Some(variable) = code.strip_prefix("process.env.") {
        let part = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
        let end = variable.find(|letter| !part(letter)).unwrap_or(variable.len());
        let (name, rest) = variable.split_at(end);
        let rest = rest.trim();
        let default = match rest.strip_prefix("||").or_else(|| rest.strip_prefix("??")) {
            None if rest.is_empty() => String::new(),
            None => return None,
            Some(default) => {
                let default = default.trim();
                let is_number = default.parse::<f64>().is_ok();
                if is_number { default.to_owned() } else { unquoted(default)? }
            }
        };
        return Some(format!("{{{{env.{name}:-{default}}}}}"));
    }
    if matches!(code, "__dirname" | "process.cwd()") {
        return Some(".".into());
    }
    if let Some(rest) = code.strip_prefix("__dirname") {
        let path = unquoted(rest.trim().strip_prefix('+')?)?;
        return Some(format!(".{path}"));
    }
    let inner = ["path.join(", "path.resolve(", "join(", "resolve("];
    let inner = inner.iter().find_map(|call| code.strip_prefix(call))?.strip_suffix(')')?;
    let mut parts = inner.split(',').map(str::trim);
    let first = parts.next()?;
    if first != "__dirname" && first != "process.cwd()" {
        return None;
    }
    let parts: Option<Vec<String>> = parts.map(unquoted).collect();
    let parts = parts?;
    let path: Vec<&str> = parts.iter().map(|part| part.trim_start_matches("./")).collect();
    Some(if path.is_empty() { ".".into() } else { path.join("/") })
}

/// A number of milliseconds, or a time with its unit.
fn time(text: &str) -> Option<String> {
    match text.trim().parse::<u64>() {
        Ok(millis) if millis > 0 && millis.is_multiple_of(1000) => {
            Some(format!("{}s", millis / 1000))
        }
        Ok(millis) => Some(format!("{millis}ms")),
        Err(_) => super::container::seconds(text).map(|_| text.trim().to_owned()),
    }
}

/// A folder in PM2's `watch` stands for all that is in it.
fn folder_glob(glob: &str) -> String {
    let glob = glob.trim_start_matches("./").trim_end_matches('/');
    let last = glob.rsplit('/').next().unwrap_or(glob);
    let is_folder = !glob.contains('*') && !last.contains('.');
    if glob.is_empty() || glob == "." {
        "**".into()
    } else if is_folder {
        format!("{glob}/**")
    } else {
        glob.to_owned()
    }
}

fn stem(script: &str) -> String {
    let file = script.rsplit('/').next().unwrap_or(script);
    file.split('.').next().unwrap_or(file).to_owned()
}
