//! A definition as a flat list of settings, so that two can be compared and the difference told.
//!
//! Each setting is either part of the *process* (its program, its environment, where its output
//! goes: a change takes a restart) or part of how it is looked after (its checks, its restart
//! policy, its needs: taken on as it runs).

use std::{collections::BTreeMap, fmt::Debug};

use super::{Change, TakesEffect};
use crate::model::{Command, EnvValue, Port, Service, Task};

/// Settings by name.
pub(super) type Facts = BTreeMap<String, Fact>;

/// One setting.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Fact {
    /// Decides whether two are equal.
    value: String,
    /// What is shown of it; never a secret.
    shown: String,
    restarts: bool,
}

/// Every setting that differs.
pub(super) fn differ(old: &Facts, new: &Facts) -> Vec<Change> {
    let keys: std::collections::BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    let changed = keys.into_iter().filter(|key| {
        let value = |facts: &Facts| facts.get(*key).map(|fact| fact.value.clone());
        value(old) != value(new)
    });
    let shown = |fact: Option<&Fact>| fact.map(|fact| fact.shown.clone());
    changed
        .map(|key| Change {
            key: key.clone(),
            from: shown(old.get(key)),
            to: shown(new.get(key)),
            takes_effect: match old.get(key).or(new.get(key)).is_some_and(|fact| fact.restarts) {
                true => TakesEffect::Restart,
                false => TakesEffect::Live,
            },
        })
        .collect()
}

/// The settings of a service. Taken apart field by field, so that a new one cannot be forgotten.
pub(super) fn of(service: &Service) -> Facts {
    let Service {
        name: _,
        command,
        autostart,
        dir,
        env,
        needs,
        after,
        ports,
        ready,
        alive,
        restart,
        succeeds_with,
        stop,
        cleanup,
        memory_max,
        limits,
        log,
        stdin_open,
        user,
        tty,
        color,
        watch,
        hooks,
        tools,
        replicas,
        describe,
        url,
        url_open,
        is_lost: _,
    } = service;
    let mut facts = Facts::new();
    if let Some(command) = command {
        facts.insert(command_key(command).into(), process(show_command(command), command));
    } else {
        facts.insert("external".into(), process("#true".into(), command));
    }
    facts.insert("dir".into(), process(dir.display().to_string(), dir));
    note_env(&mut facts, env, true);
    note_ports(&mut facts, ports);
    facts.insert("limit".into(), process(plain(limits), limits));
    facts.insert("log.split".into(), process(plain(&log.split), &log.split));
    facts.insert("stdin".into(), process(plain(stdin_open), stdin_open));
    facts.insert("user".into(), process(plain(user), user));
    facts.insert("tty".into(), process(plain(tty), tty));
    facts.insert("color".into(), process(plain(color), color));
    let mut kept = |key: &str, value: &dyn Debug| {
        facts.insert(key.to_owned(), keeping(value));
    };
    kept("autostart", autostart);
    kept("needs", needs);
    kept("after", after);
    kept("ready", ready);
    kept("alive", alive);
    kept("restart", restart);
    kept("succeeds-with", succeeds_with);
    kept("stop", stop);
    kept("cleanup", cleanup);
    kept("memory", memory_max);
    kept("log", &(log.max_size, log.keep, log.max_age, log.compress));
    kept("watch", watch);
    kept("before-start", &hooks.before_start);
    kept("after-ready", &hooks.after_ready);
    kept("after-stop", &hooks.after_stop);
    kept("on-failure", &hooks.on_failure);
    kept("tool", tools);
    kept("replicas", replicas);
    kept("describe", describe);
    kept("url", &(url, url_open));
    facts
}

/// The settings of a task.
pub(super) fn of_task(task: &Task) -> Facts {
    let Task {
        name: _,
        body,
        dir,
        env,
        needs,
        after,
        succeeds_with,
        without,
        on_failure,
        confirm,
        keep,
        timeout,
        retries,
        inputs,
        outputs,
        schedule,
        tools,
        log,
        describe,
    } = task;
    let mut facts = Facts::new();
    note_env(&mut facts, env, false);
    let mut kept = |key: &str, value: &dyn Debug| {
        facts.insert(key.to_owned(), keeping(value));
    };
    kept("run", body);
    kept("dir", dir);
    kept("needs", needs);
    kept("after", after);
    kept("succeeds-with", succeeds_with);
    kept("without", without);
    kept("on-failure", on_failure);
    kept("confirm", confirm);
    kept("keep", keep);
    kept("timeout", timeout);
    kept("retries", retries);
    kept("inputs", inputs);
    kept("outputs", outputs);
    kept("schedule", schedule);
    kept("tool", tools);
    kept("log", log);
    kept("describe", describe);
    facts
}

fn process(shown: String, value: &dyn Debug) -> Fact {
    Fact { value: format!("{value:?}"), shown, restarts: true }
}

/// A setting of how it is looked after: shown by its name alone, its inner form is not for people.
fn keeping(value: &dyn Debug) -> Fact {
    Fact { value: format!("{value:?}"), shown: String::new(), restarts: false }
}

fn plain(value: &impl serde::Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

fn command_key(command: &Command) -> &'static str {
    match command {
        Command::Run(_) => "run",
        Command::Shell { .. } => "shell",
    }
}

fn show_command(command: &Command) -> String {
    match command {
        Command::Run(words) => {
            let words: Vec<String> = words.iter().map(ToString::to_string).collect();
            format!("\"{}\"", words.join(" "))
        }
        Command::Shell { script, with: None } => format!("\"{script}\""),
        Command::Shell { script, with: Some(with) } => format!("\"{script}\" with=\"{with}\""),
    }
}

fn note_env(facts: &mut Facts, env: &BTreeMap<String, EnvValue>, restarts: bool) {
    for (key, value) in env {
        let shown = match &value.value {
            Some(_) if value.secret => String::new(),
            Some(text) => format!("\"{text}\""),
            None => "#null".to_owned(),
        };
        // Whether it is masked is no matter of the process.
        let value = format!("{:?}", value.value);
        facts.insert(format!("env.{key}"), Fact { value, shown, restarts });
    }
}

fn note_ports(facts: &mut Facts, ports: &[Port]) {
    for (place, port) in ports.iter().enumerate() {
        let Port { name, number, host, busy, share, any_owner } = port;
        let key = match name {
            Some(name) => format!("port.{name}"),
            None if place == 0 => "port".to_owned(),
            None => format!("port.{}", place + 1),
        };
        let shown =
            number.fixed().map_or_else(|| "\"auto\"".to_owned(), |number| number.to_string());
        facts.insert(format!("{key}.busy"), keeping(&(host, busy, any_owner)));
        facts.insert(key, process(shown, &(number, share)));
    }
}
