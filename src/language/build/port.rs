//! `port`.

use std::collections::HashMap;

use crate::{
    language::{
        decl::Decl,
        problem::{NameProblem, PortProblem, Warning},
        source::{Span, Spanned},
        value::Value,
        values::{Ports, Scope},
    },
    model::{Busy, Port, PortNumber},
};

/// The ports of a service.
pub(super) fn ports(service: &Decl, scope: &mut Scope<'_, '_>) -> Ports {
    let replicas = service.one("replicas").and_then(Decl::number::<u32>).unwrap_or(1);
    let mut out = Ports { replicated: replicas > 1, damaged: service.damaged, ..Ports::default() };
    let mut names: HashMap<&str, Span> = HashMap::new();
    for node in service.all("port") {
        out.damaged |= node.damaged;
        if let Some(name) = node.prop_text("name")
            && let Some(first) = names.insert(name.value, name.span)
        {
            let (name, what, second) = (name.value.to_owned(), "port", name.span);
            scope.problems.add(NameProblem::TwiceName { name, what, first, second });
        }
        match port(node, replicas, scope) {
            Some((port, at)) => {
                out.ports.push(port);
                out.places.push(at);
            }
            None => out.damaged = true,
        }
    }
    out
}

fn port(node: &Decl, replicas: u32, scope: &mut Scope<'_, '_>) -> Option<(Port, Span)> {
    let number = number(node, scope)?;
    let at = node.values.first()?.span;
    if let PortNumber::Fixed(first) = number {
        let last = u32::from(first) + replicas.saturating_sub(1);
        if last > u32::from(u16::MAX) {
            scope.problems.add(PortProblem::PortRange { last, at });
        }
        if first < 1024 {
            scope.problems.add(Warning::LowPort { number: first, at });
        }
    }
    let busy = node.prop_text("busy").map(|busy| match busy.value {
        "take" => Busy::Take,
        "next" => Busy::Next,
        "fail" => Busy::Fail,
        _ => Busy::Ask,
    });
    let port = Port {
        name: node.prop_text("name").map(|name| name.value.to_owned()),
        number,
        host: node.prop_text("host").and_then(|host| scope.fixed(host)),
        busy: busy.unwrap_or_default(),
        share: node.prop_is("share"),
        any_owner: node.prop_text("owner").is_some_and(|owner| owner.value == "any"),
    };
    Some((port, at))
}

fn number(node: &Decl, scope: &mut Scope<'_, '_>) -> Option<PortNumber> {
    if let Spanned { value: Value::Int(number), .. } = node.values.first()? {
        return u16::try_from(*number).ok().map(PortNumber::Fixed);
    }
    let text = node.text()?;
    let filled = scope.fixed(text)?;
    if filled == "auto" {
        return Some(PortNumber::Auto);
    }
    match filled.trim().parse().ok().filter(|number: &u16| *number > 0) {
        Some(number) => Some(PortNumber::Fixed(number)),
        None => {
            scope.problems.add(PortProblem::BadPort { text: filled, at: text.span });
            None
        }
    }
}
