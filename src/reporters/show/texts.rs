//! Values as they would stand in the file.

pub(super) use crate::model::time::setting as time;
use crate::model::{
    Busy, Check, Command, ExitPattern, HttpTarget, Need, NeedUntil, Port, PortNumber, PortRef,
    StepCommand, Tool, WatchThen,
};

/// `8000 name=http busy=next`; with the number that it has now: `30211 (auto)`,
/// `8001 (in place of 8000) busy=next`.
pub(super) fn port(port: &Port, now: Option<u16>) -> String {
    let mut text = match (port.number, now) {
        (PortNumber::Fixed(number), Some(now)) if now != number => {
            format!("{now} (in place of {number})")
        }
        (PortNumber::Fixed(number), _) => number.to_string(),
        (PortNumber::Auto, Some(now)) => format!("{now} (auto)"),
        (PortNumber::Auto, None) => "auto".to_owned(),
    };
    let mut add = |key: &str, value: Option<&str>| {
        text.push_str(&value.map(|value| format!(" {key}={value}")).unwrap_or_default());
    };
    add("name", port.name.as_deref());
    add("host", port.host.as_deref());
    add(
        "busy",
        match port.busy {
            Busy::Ask => None,
            Busy::Take => Some("take"),
            Busy::Next => Some("next"),
            Busy::Fail => Some("fail"),
        },
    );
    add("share", port.share.then_some("#true"));
    add("owner", port.any_owner.then_some("any"));
    text
}

/// `postgres until=started`
pub(super) fn need(need: &Need) -> String {
    let until = if need.until == NeedUntil::Started { " until=started" } else { "" };
    let follow = if need.follow { " follow=#true" } else { "" };
    let optional = if need.optional { " optional=#true" } else { "" };
    format!("{}{until}{follow}{optional}", need.name)
}

/// The node of a check, and its value.
pub(super) fn check(check: &Check) -> (&'static str, String) {
    match check {
        Check::Tcp(None) => ("tcp", "all ports".to_owned()),
        Check::Tcp(Some(PortRef::Number(number))) => ("tcp", number.to_string()),
        Check::Tcp(Some(PortRef::Name(name))) => ("tcp", name.clone()),
        Check::Http(http) => {
            let mut text = match &http.target {
                HttpTarget::Path { path, port: None } => path.to_string(),
                HttpTarget::Path { path, port: Some(port) } => format!("{path} port={port}"),
                HttpTarget::Url(url) => url.to_string(),
            };
            if let Some(status) = &http.status {
                text.push_str(&format!(" status={status}"));
            }
            if http.insecure {
                text.push_str(" insecure=#true");
            }
            for (name, _) in &http.headers {
                text.push_str(&format!(" header {name}"));
            }
            ("http", text)
        }
        Check::Command(own) => (node_of(own), command(own)),
        Check::Prints(pattern) => ("prints", pattern.clone()),
        Check::Notify => ("notify", "#true".to_owned()),
        Check::Delay(delay) => ("delay", time(*delay)),
    }
}

/// `run` or `shell`.
pub(super) fn node_of(command: &Command) -> &'static str {
    match command {
        Command::Run(_) => "run",
        Command::Shell { .. } => "shell",
    }
}

/// Words in a row, those with spaces in quotes; or a script.
pub(super) fn command(command: &Command) -> String {
    match command {
        Command::Run(words) => {
            let words = words.iter().map(|word| quoted(&word.to_string()));
            words.collect::<Vec<_>>().join(" ")
        }
        Command::Shell { script, with } => {
            let with = with.as_ref().map(|with| format!(" with={with}")).unwrap_or_default();
            format!("{script}{with}")
        }
    }
}

fn quoted(word: &str) -> String {
    match word.is_empty() || word.contains(|c: char| c.is_whitespace() || c == '"' || c == '\'') {
        true => format!("'{}'", word.replace('\'', "'\\''")),
        false => word.to_owned(),
    }
}

/// One command, or several joined by pipes.
pub(super) fn step(step: &StepCommand) -> String {
    match step {
        StepCommand::Command(own) => command(own),
        StepCommand::Pipe(commands) => commands.iter().map(command).collect::<Vec<_>>().join(" | "),
    }
}

/// `143`, `SIGTERM`
pub(super) fn exit(pattern: &ExitPattern) -> String {
    match pattern {
        ExitPattern::Code(code) => code.to_string(),
        ExitPattern::Signal(signal) => signal.to_string(),
    }
}

/// `node >=18`
pub(super) fn tool(tool: &Tool) -> String {
    let version = tool.version.as_ref().map(|version| format!(" {version}"));
    format!("{}{}", tool.program, version.unwrap_or_default())
}

/// What a change leads to.
pub(super) fn watch_then(then: &WatchThen) -> String {
    match then {
        WatchThen::Restart => "restart".to_owned(),
        WatchThen::Signal(signal) => signal.to_string(),
        WatchThen::Task(task) => format!("task {task}"),
    }
}

pub(super) fn flag(flag: bool) -> &'static str {
    if flag { "#true" } else { "#false" }
}
