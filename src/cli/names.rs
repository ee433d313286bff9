//! The names that a command was given.

use std::collections::BTreeSet;

use super::error::{Error, UnknownName};
use crate::{core::stack::Refusal, graph::Graph, model::Stack};

/// Checks that each name is a service, a task or a group of the stack; tells of all that are not.
pub(super) fn check(stack: &Stack, names: &[String]) -> Result<(), Error> {
    let unknown = names.iter().filter(|name| stack.members(name).is_none());
    let unknown = unknown.map(|name| UnknownName {
        name: name.clone(),
        similar: stack.similar_name(name).map(str::to_owned),
    });
    let mut unknown: Vec<UnknownName> = unknown.collect();
    match unknown.len() {
        0 => Ok(()),
        // As the supervisor says it.
        1 => {
            let UnknownName { name, similar } = unknown.remove(0);
            Err(Refusal::UnknownName { name, similar }.into())
        }
        _ => Err(Error::UnknownNames(unknown)),
    }
}

/// The services and tasks that the names stand for, groups dissolved; without names all services
/// with `autostart`.
pub(super) fn resolve(stack: &Stack, names: &[String]) -> Vec<String> {
    if names.is_empty() {
        let autostart = stack.services.iter().filter(|service| service.autostart);
        return autostart.map(|service| service.name.clone()).collect();
    }
    let members = names.iter().flat_map(|name| stack.members(name).unwrap_or_default());
    let mut seen = BTreeSet::new();
    members.filter(|name| seen.insert(*name)).cloned().collect()
}

/// These and everything that they need, in the order of the file.
pub(super) fn with_needs(stack: &Stack, roots: &[String]) -> Vec<String> {
    let graph = Graph::of(stack);
    let reached = graph.closure(roots.iter().filter_map(|name| graph.id(name)));
    reached.into_iter().map(|id| graph.name(id).to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Group, Need, Service};

    fn stack() -> Stack {
        let mut api = Service::new("api", "/");
        api.needs = vec![Need::new("postgres")];
        let mut web = Service::new("web", "/");
        web.needs = vec![Need::new("api")];
        web.autostart = false;
        let services = vec![Service::new("postgres", "/"), api, web];
        let members = vec!["api".into(), "web".into()];
        let groups = vec![Group { name: "front".into(), members }];
        Stack { services, groups, ..Stack::default() }
    }

    #[test]
    fn an_unknown_name_is_refused_with_a_close_one() {
        let refused = check(&stack(), &["web".into(), "pstgres".into()]);
        let text = refused.unwrap_err().to_string();
        assert_eq!(text, "there is no service, task or group `pstgres`");
        assert!(check(&stack(), &["front".into()]).is_ok());
    }

    #[test]
    fn all_that_are_unknown_are_told_at_once() {
        let refused = check(&stack(), &["nope".into(), "web".into(), "apii".into()]);
        let refused = refused.unwrap_err();
        assert_eq!(refused.to_string(), "there is no service, task or group `nope`, `apii`");
        assert_eq!(refused.hint().as_deref(), Some("did you mean `api` for `apii`?"));
    }

    #[test]
    fn no_name_means_what_starts_by_itself() {
        assert_eq!(resolve(&stack(), &[]), ["postgres", "api"]);
        assert_eq!(resolve(&stack(), &["front".into(), "api".into()]), ["api", "web"]);
    }

    #[test]
    fn needs_are_followed_to_the_end() {
        assert_eq!(with_needs(&stack(), &["web".into()]), ["postgres", "api", "web"]);
    }
}
