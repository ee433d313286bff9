//! Procfiles: `web: bundle exec puma -p $PORT`.

use std::path::Path;

use super::{
    Beside,
    command::{self, Line},
    kdl_writer::{Draft, Node},
    names::Names,
    report::Report,
};

/// The first port that foreman gives away, and the distance to the next.
const PORTS: (u16, u16) = (5000, 100);

/// Whether every line is one of a Procfile.
pub(super) fn is_one(text: &str) -> bool {
    let mut lines = lines(text).peekable();
    lines.peek().is_some() && lines.all(|(_, line)| process(line).is_some())
}

fn lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let lines = text.lines().enumerate().map(|(index, line)| (index + 1, line.trim()));
    lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#'))
}

fn process(line: &str) -> Option<(&str, &str)> {
    let (name, command) = line.split_once(':')?;
    let plain = |letter: char| letter.is_alphanumeric() || "_-.".contains(letter);
    let is_name = !name.is_empty() && name.chars().all(plain);
    (is_name && !command.trim().is_empty()).then(|| (name, command.trim()))
}

pub(super) fn import(text: &str, draft: &mut Draft, report: &mut Report, beside: Beside<'_>) {
    if beside(Path::new(".env")).is_some() {
        draft.nodes.push(Node::new("env-file").arg(".env").prop("optional", true));
    }
    let mut names = Names::default();
    let mut release = None;
    let mut services = Vec::new();
    for (number, line) in lines(text) {
        let Some((name, command)) = process(line) else {
            report.left(number, line, "is not a line of a Procfile (`name: command`)");
            continue;
        };
        let own = names.add(name, number, report);
        report.carried(&own, "command");
        let index = u16::try_from(services.len()).unwrap_or(0);
        let line = command::of_shell(command);
        let Line { dir, env, command: Some(run), wants_port } = line else {
            report.left(number, name, "has no command");
            continue;
        };
        let is_release = name == "release";
        let mut node = Node::new(if is_release { "task" } else { "service" }).arg(own.as_str());
        node = node.from(number);
        if let Some(dir) = dir {
            node = node.child(Node::new("dir").arg(dir).from(number));
        }
        if !env.is_empty() {
            let pairs = env.into_iter().map(|(key, value)| Node::new(&key).arg(value));
            node = node.child(pairs.fold(Node::new("env"), Node::child));
        }
        node = node.child(run.from(number));
        if (wants_port || command.contains("PORT")) && !is_release {
            let given = PORTS.0.saturating_add(PORTS.1.saturating_mul(index));
            let port = command::default_port(command).unwrap_or(given);
            node = node.child(Node::new("port").arg(port).from(number));
            report.carried(&own, "port");
        }
        if is_release {
            report.changed(number, name, "is a task that everything else needs");
            release = Some(node);
        } else {
            services.push(node);
        }
    }
    if let Some(task) = release {
        let name = task.first_text().unwrap_or_default().to_owned();
        draft.nodes.push(task);
        for service in &mut services {
            service.children.insert(0, Node::new("needs").arg(name.as_str()));
        }
    }
    draft.nodes.append(&mut services);
}
