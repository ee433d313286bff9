//! `replicas`: one service of the file becomes several of the stack, `api.1`, `api.2`, …, and its
//! name becomes that of the group of them all.

use std::collections::BTreeMap;

use crate::model::{Group, Need, Origin, Part, PortNumber, Service, Stack, Text};

/// The names of the copies, by the name that stands in the file.
type Copies = BTreeMap<String, Vec<String>>;

/// Puts copies in the place of every service that is to have several.
pub(super) fn expand(stack: &mut Stack) {
    let copied = stack.services.iter().filter(|service| service.replicas > 1);
    let copies: Copies = copied
        .map(|service| (service.name.clone(), names(&service.name, service.replicas)))
        .collect();
    if copies.is_empty() {
        return;
    }
    let services = std::mem::take(&mut stack.services).into_iter();
    stack.services = services.flat_map(copies_of).collect();
    for service in &mut stack.services {
        service.needs = needs(&service.needs, &copies);
        service.after = all(&service.after, &copies);
        service.for_each_text(&mut |text| first_of_others(text, &copies));
    }
    for task in &mut stack.tasks {
        task.needs = needs(&task.needs, &copies);
        task.after = all(&task.after, &copies);
        task.without = all(&task.without, &copies);
    }
    for group in &mut stack.groups {
        group.members = all(&group.members, &copies);
    }
    let groups =
        copies.iter().map(|(name, members)| Group { name: name.clone(), members: members.clone() });
    stack.groups.extend(groups);
    let origins: Vec<(String, Origin)> =
        stack.origins.iter().flat_map(|(key, origin)| origins(key, origin, &copies)).collect();
    stack.origins.extend(origins);
}

fn names(name: &str, count: u32) -> Vec<String> {
    (1..=count).map(|number| format!("{name}.{number}")).collect()
}

fn copies_of(service: Service) -> Vec<Service> {
    match service.replicas {
        0 | 1 => vec![service],
        count => (1..=count).map(|number| copy(&service, number)).collect(),
    }
}

fn copy(of: &Service, number: u32) -> Service {
    let mut copy = of.clone();
    copy.name = format!("{}.{number}", of.name);
    copy.replicas = 1;
    for port in &mut copy.ports {
        if let PortNumber::Fixed(first) = port.number {
            // That there is room was checked where the port stands.
            let own = u32::from(first) + number - 1;
            port.number = PortNumber::Fixed(u16::try_from(own).unwrap_or(first));
        }
    }
    let name = copy.name.clone();
    copy.for_each_text(&mut |text| {
        for part in &mut text.0 {
            match part {
                Part::Replica => *part = Part::Literal(number.to_string()),
                Part::Port { service, .. } if *service == of.name => service.clone_from(&name),
                Part::Port { .. } | Part::Literal(_) | Part::Now => {}
            }
        }
    });
    copy
}

/// The port of a service that has copies is that of its first one.
fn first_of_others(text: &mut Text, copies: &Copies) {
    for part in &mut text.0 {
        if let Part::Port { service, .. } = part
            && let Some(first) = copies.get(service).and_then(|names| names.first())
        {
            service.clone_from(first);
        }
    }
}

fn needs(needs: &[Need], copies: &Copies) -> Vec<Need> {
    let each = |need: &Need| {
        let names = copies.get(&need.name).cloned().unwrap_or_else(|| vec![need.name.clone()]);
        names.into_iter().map(|name| Need { name, ..need.clone() }).collect::<Vec<_>>()
    };
    needs.iter().flat_map(each).collect()
}

fn all(names: &[String], copies: &Copies) -> Vec<String> {
    let each = |name: &String| copies.get(name).cloned().unwrap_or_else(|| vec![name.clone()]);
    names.iter().flat_map(each).collect()
}

fn origins(key: &str, origin: &Origin, copies: &Copies) -> Vec<(String, Origin)> {
    let Some((name, rest)) = key.split_once('.') else { return Vec::new() };
    let names = copies.get(name).into_iter().flatten();
    names.map(|name| (format!("{name}.{rest}"), origin.clone())).collect()
}
