//! The names that a command was given.

use std::collections::BTreeSet;

use super::error::{Error, UnknownName};
use crate::{
    core::stack::Refusal,
    model::{Stack, nearest},
};

/// Checks that each name is a service, a task or a group of the stack; tells of all that are not.
pub(super) fn check(stack: &Stack, names: &[String]) -> Result<(), Error> {
    let unknown = names.iter().filter(|name| !is_known(stack, name));
    let unknown =
        unknown.map(|name| UnknownName { name: name.clone(), similar: similar(stack, name) });
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
    let members = names.iter().flat_map(|name| match stack.group(name) {
        Some(group) => group.members.clone(),
        None => vec![name.clone()],
    });
    let mut seen = BTreeSet::new();
    members.filter(|name| seen.insert(name.clone())).collect()
}

/// These and everything that they need, in the order of the file.
pub(super) fn with_needs(stack: &Stack, roots: &[String]) -> Vec<String> {
    let mut reached: BTreeSet<&str> = BTreeSet::new();
    let mut open: Vec<&str> = roots.iter().map(String::as_str).collect();
    while let Some(name) = open.pop() {
        if reached.insert(name) {
            open.extend(stack.needs(name).iter().map(|need| need.name.as_str()));
        }
    }
    stack.names().filter(|name| reached.contains(name)).map(str::to_owned).collect()
}

/// Every name that a command could be given.
pub(super) fn all(stack: &Stack) -> impl Iterator<Item = &str> {
    stack.names().chain(stack.groups.iter().map(|group| group.name.as_str()))
}

fn is_known(stack: &Stack, name: &str) -> bool {
    all(stack).any(|known| known == name)
}

fn similar(stack: &Stack, name: &str) -> Option<String> {
    nearest(name, all(stack)).map(str::to_owned)
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
