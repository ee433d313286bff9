//! What names mean, and which are refused.

use std::collections::BTreeSet;

use super::{Refusal, Supervisor};
use crate::{graph::Id, model::Stack};

impl Supervisor {
    /// Names of what is in the stack, or was and still runs.
    pub(super) fn resolve_here(&self, names: &[String]) -> Result<BTreeSet<Id>, Refusal> {
        let mut found = BTreeSet::new();
        for name in names {
            if let Some(id) = self.graph.id(name) {
                found.insert(id);
            } else {
                let members = resolve(&self.stack, std::slice::from_ref(name))?;
                found.extend(members.iter().filter_map(|member| self.graph.id(member)));
            }
        }
        Ok(found)
    }
}

/// Groups dissolved, each name once.
pub(super) fn resolve(stack: &Stack, names: &[String]) -> Result<Vec<String>, Refusal> {
    let mut found: Vec<String> = Vec::new();
    for name in names {
        for member in stack.members(name).ok_or_else(|| unknown(stack, name))? {
            if !found.contains(member) {
                found.push(member.clone());
            }
        }
    }
    Ok(found)
}

fn unknown(stack: &Stack, name: &str) -> Refusal {
    let similar = stack.similar_name(name).map(str::to_owned);
    Refusal::UnknownName { name: name.to_owned(), similar }
}

/// Keeps the services of groups; a task by its own name is refused.
pub(super) fn services_only(
    stack: &Stack,
    names: &[String],
    found: Vec<String>,
) -> Result<Vec<String>, Refusal> {
    match names.iter().find(|name| stack.task(name).is_some()) {
        Some(name) => Err(Refusal::WrongKind { name: name.clone(), is: "task".to_owned() }),
        None => Ok(found.into_iter().filter(|name| stack.service(name).is_some()).collect()),
    }
}

pub(super) fn task_only(stack: &Stack, name: &str) -> Result<String, Refusal> {
    if stack.task(name).is_some() {
        Ok(name.to_owned())
    } else if stack.service(name).is_some() {
        Err(Refusal::WrongKind { name: name.to_owned(), is: "service".to_owned() })
    } else {
        Err(unknown(stack, name))
    }
}
