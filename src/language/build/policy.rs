//! How a service is kept: nodes that are a few properties each.

use super::{command, path};
use crate::{
    language::{decl::Decl, problem::CommandProblem, source::Spanned, value::Value, values::Scope},
    model::{
        ExitPattern, Limits, LogPolicy, Restart, RestartWhen, Stop, StopTo, Tool, User, Watch,
        WatchThen,
    },
};

/// `restart`.
pub(super) fn restart(node: &Decl) -> Restart {
    let defaults = Restart::default();
    let when = node.text().map(|when| match when.value {
        "always" => RestartWhen::Always,
        "never" => RestartWhen::Never,
        _ => RestartWhen::OnFailure,
    });
    Restart {
        when: when.unwrap_or(defaults.when),
        tries: node.prop_number("tries").unwrap_or(defaults.tries),
        within: node.prop_duration("within").unwrap_or(defaults.within),
        delay: node.prop_duration("delay").unwrap_or(defaults.delay),
        max_delay: node.prop_duration("max-delay").unwrap_or(defaults.max_delay),
    }
}

/// `stop`.
pub(super) fn stop(node: &Decl, scope: &mut Scope<'_, '_>) -> Stop {
    let defaults = Stop::default();
    let bodies: Vec<&Decl> = command::commands(node).collect();
    let body = match bodies.as_slice() {
        [] => None,
        bodies => command::exactly_one(bodies, node, &node.name, scope),
    };
    let to = node.prop_text("to").map(|to| match to.value {
        "main" => StopTo::Main,
        _ => StopTo::Tree,
    });
    Stop {
        command: body.and_then(|body| command::command(body, scope)),
        signal: node.prop_signal("signal").unwrap_or(defaults.signal),
        to: to.unwrap_or(defaults.to),
        grace: node.prop_duration("grace").unwrap_or(defaults.grace),
    }
}

/// `log`.
pub(super) fn log(node: &Decl) -> LogPolicy {
    let defaults = LogPolicy::default();
    let compress = node.prop("compress").map(|_| node.prop_is("compress"));
    LogPolicy {
        max_size: node.prop_size("max-size").unwrap_or(defaults.max_size),
        keep: node.prop_number("keep").unwrap_or(defaults.keep),
        max_age: node.prop_duration("max-age").unwrap_or(defaults.max_age),
        compress: compress.unwrap_or(defaults.compress),
        split: node.prop_is("split"),
    }
}

/// `limit`.
pub(super) fn limits(node: &Decl) -> Limits {
    let cpu = match node.prop("cpu").map(|cpu| &cpu.value) {
        Some(Value::Float(cpu)) => Some(*cpu),
        Some(Value::Int(_)) => node.prop_number::<i32>("cpu").map(f64::from),
        _ => None,
    };
    Limits {
        open_files: node.prop_number("open-files"),
        cpu,
        processes: node.prop_number("processes"),
    }
}

/// `user`.
pub(super) fn user(node: &Decl, scope: &mut Scope<'_, '_>) -> Option<User> {
    let group = node.prop_text("group").and_then(|group| scope.fixed(group));
    Some(User { user: scope.fixed(node.text()?)?, group })
}

/// `succeeds-with`.
pub(super) fn succeeds_with(node: &Decl) -> Vec<ExitPattern> {
    let pattern = |value: &Spanned<Value>| match value.value {
        Value::Int(code) => i32::try_from(code).ok().map(ExitPattern::Code),
        Value::Signal(signal) => Some(ExitPattern::Signal(signal)),
        _ => None,
    };
    node.values.iter().filter_map(pattern).collect()
}

/// `tool`.
pub(super) fn tool(node: &Decl, scope: &mut Scope<'_, '_>) -> Option<Tool> {
    let version = node.prop_text("version").map(|version| version.value.to_owned());
    let program = scope.text(node.text()?);
    let hint = node.prop_text("hint").and_then(|hint| scope.fixed(hint));
    Some(Tool { program, version, hint })
}

/// `watch`.
pub(super) fn watch(node: &Decl, scope: &mut Scope<'_, '_>) -> Watch {
    let globs = node.texts().filter_map(|text| path::glob(scope, text)).collect();
    let ignored = node.all("ignore").flat_map(Decl::texts);
    let ignore = ignored.filter_map(|text| path::ignore_glob(scope, text)).collect();
    if let (Some(signal), Some(task)) = (node.prop("signal"), node.prop("task")) {
        let (first, second) = (signal.span, task.span);
        scope.problems.add(CommandProblem::TwoActions { first, second });
    }
    let then = match (node.prop_signal("signal"), node.prop_text("task")) {
        (Some(signal), _) => WatchThen::Signal(signal),
        (None, Some(task)) => WatchThen::Task(task.value.to_owned()),
        (None, None) => WatchThen::Restart,
    };
    let debounce = node.prop_duration("debounce");
    let debounce = debounce.unwrap_or(std::time::Duration::from_millis(300));
    Watch { globs, ignore, debounce, then }
}
