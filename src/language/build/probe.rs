//! `ready` and `alive`.

use super::{command, http as sent};
use crate::{
    language::{
        decl::Decl,
        problem::{CommandProblem, PortProblem, TextProblem},
        source::Spanned,
        value::Value,
        values::{Owner, Scope},
    },
    model::{Alive, Check, HttpCheck, HttpTarget, Part, Port, PortRef, Ready, Text},
};

/// When a service is ready.
pub(super) fn ready(node: &Decl, scope: &mut Scope<'_, '_>) -> Ready {
    let defaults = Ready::default();
    Ready {
        checks: checks(node, scope),
        within: node.prop_duration("within").unwrap_or(defaults.within),
        every: node.prop_duration("every").unwrap_or(defaults.every),
        timeout: node.prop_duration("timeout").unwrap_or(defaults.timeout),
    }
}

/// When a service stops being healthy.
pub(super) fn alive(node: &Decl, scope: &mut Scope<'_, '_>) -> Alive {
    if node.children().is_empty() && !node.damaged {
        let (node, wants) =
            (node.name.clone(), "a check in braces: `tcp`, `http`, `run` or `shell`");
        scope.problems.add(CommandProblem::EmptyBlock { node, wants });
    }
    let defaults = Alive::default();
    Alive {
        checks: checks(node, scope),
        every: node.prop_duration("every").unwrap_or(defaults.every),
        timeout: node.prop_duration("timeout").unwrap_or(defaults.timeout),
        failures: node.prop_number("failures").unwrap_or(defaults.failures),
        cooldown: node.prop_duration("cooldown").unwrap_or(defaults.cooldown),
    }
}

fn checks(node: &Decl, scope: &mut Scope<'_, '_>) -> Vec<Check> {
    node.children().iter().filter_map(|child| check(child, scope)).collect()
}

fn check(node: &Decl, scope: &mut Scope<'_, '_>) -> Option<Check> {
    match node.name.value.as_str() {
        "tcp" => tcp(node, scope).map(Check::Tcp),
        "http" => http(node, scope).map(Check::Http),
        "run" | "shell" => command::command(node, scope).map(Check::Command),
        "prints" => prints(node, scope).map(Check::Prints),
        "notify" => Some(Check::Notify),
        "delay" => node.duration().map(Check::Delay),
        _ => None,
    }
}

fn tcp(node: &Decl, scope: &mut Scope<'_, '_>) -> Option<Option<PortRef>> {
    match node.values.first() {
        None if node.damaged => None,
        None => {
            needs_a_port(node, scope);
            Some(None)
        }
        Some(Spanned { value: Value::Int(number), .. }) => {
            let number = u16::try_from(*number).ok()?;
            known_number(Spanned::new(number, node.values.first()?.span), scope);
            Some(Some(PortRef::Number(number)))
        }
        Some(_) => {
            let name = node.text()?;
            known_port(name, scope);
            Some(Some(PortRef::Name(name.value.to_owned())))
        }
    }
}

fn http(node: &Decl, scope: &mut Scope<'_, '_>) -> Option<HttpCheck> {
    let text = node.text()?;
    let port = node.prop_text("port");
    let filled = scope.text(text);
    let target = if starts_with(&filled, "/") {
        match port {
            Some(port) => known_port(port, scope),
            None => needs_a_port(node, scope),
        }
        HttpTarget::Path { path: filled, port: port.map(|port| port.value.to_owned()) }
    } else if starts_with(&filled, "http://") || starts_with(&filled, "https://") {
        if let Some(port) = port {
            scope.problems.add(PortProblem::PortOfUrl { at: port.span });
        }
        HttpTarget::Url(filled)
    } else {
        if !filled.0.is_empty() {
            let (text, at) = (text.value.to_owned(), text.span);
            scope.problems.add(PortProblem::BadUrl { text, at });
        }
        return None;
    };
    if let Some(bad) = sent::bad_url(text.value) {
        scope.problems.add(PortProblem::NeverAsked { bad, at: text.span });
    }
    let mut headers = Vec::new();
    for header in node.all("header") {
        let texts: Vec<Spanned<&str>> = header.texts().collect();
        let [name, value] = texts.as_slice() else { continue };
        if !sent::is_header_name(name.value) {
            let (name, at) = (name.value.to_owned(), name.span);
            scope.problems.add(PortProblem::HeaderName { name, at });
        }
        if !sent::is_header_value(value.value) {
            scope.problems.add(PortProblem::HeaderValue { at: value.span });
        }
        headers.push((name.value.to_owned(), scope.text(*value)));
    }
    Some(HttpCheck {
        target,
        status: node.prop_statuses("status").cloned(),
        headers,
        insecure: node.prop_is("insecure"),
    })
}

fn prints(node: &Decl, scope: &mut Scope<'_, '_>) -> Option<String> {
    let text = node.text()?;
    let pattern = scope.pattern(text)?;
    match regex::Regex::new(&pattern) {
        Ok(_) => Some(pattern),
        Err(error) => {
            // The last line says what is wrong; those before draw it, as our label does.
            let reason = error.to_string();
            let reason = reason.lines().last().unwrap_or_default();
            let reason = reason.trim_start_matches("error: ").to_owned();
            scope.problems.add(TextProblem::BadRegex { reason, at: text.span });
            None
        }
    }
}

fn starts_with(text: &Text, prefix: &str) -> bool {
    matches!(text.0.first(), Some(Part::Literal(literal)) if literal.starts_with(prefix))
}

fn needs_a_port(check: &Decl, scope: &mut Scope<'_, '_>) {
    let Owner::Service(service) = scope.owner else { return };
    let ports = scope.world.services.get(service);
    if ports.is_some_and(|ports| ports.ports.is_empty() && !ports.damaged) {
        let (check, of) = (check.name.clone(), service.to_owned());
        scope.problems.add(PortProblem::CheckWithoutPort { check, of });
    }
}

/// A service that declares ports means one of them. Without any, the number is that of something
/// else: a database elsewhere.
fn known_number(number: Spanned<u16>, scope: &mut Scope<'_, '_>) {
    let Owner::Service(service) = scope.owner else { return };
    let Some(ports) = scope.world.services.get(service).filter(|ports| !ports.damaged) else {
        return;
    };
    let is_known = |port: &Port| port.number.fixed() == Some(number.value);
    if !ports.ports.is_empty() && !ports.ports.iter().any(is_known) {
        let known = ports.ports.iter().filter_map(|port| port.number.fixed());
        let known = known.map(|number| number.to_string()).collect();
        let name = Spanned::new(number.value.to_string(), number.span);
        scope.problems.add(PortProblem::UnknownPort { name, of: service.to_owned(), known });
    }
}

fn known_port(name: Spanned<&str>, scope: &mut Scope<'_, '_>) {
    let Owner::Service(service) = scope.owner else { return };
    let Some(ports) = scope.world.services.get(service).filter(|ports| !ports.damaged) else {
        return;
    };
    let known: Vec<String> = ports.ports.iter().filter_map(|port| port.name.clone()).collect();
    if !known.iter().any(|known| known == name.value) {
        let name = Spanned::new(name.value.to_owned(), name.span);
        scope.problems.add(PortProblem::UnknownPort { name, of: service.to_owned(), known });
    }
}
