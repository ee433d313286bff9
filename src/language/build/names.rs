//! The one namespace of services, tasks and groups.

use std::collections::{BTreeMap, HashMap, HashSet};

use crate::language::{
    merge::{Item, Layered},
    name,
    problem::{Edge, NameProblem, Problems, WholeProblem},
    source::Spanned,
};

/// What a name stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A service.
    Service,
    /// A task.
    Task,
    /// A group.
    Group,
}

impl Kind {
    /// As it is called.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Service => "service",
            Self::Task => "task",
            Self::Group => "group",
        }
    }
}

/// Every name, and the members of groups.
#[derive(Debug, Default)]
pub(super) struct Names {
    kinds: BTreeMap<String, Kind>,
    /// Members, groups among them dissolved, each once, in the order of the file.
    members: HashMap<String, Vec<String>>,
    elsewhere: HashMap<String, String>,
}

impl Names {
    /// The names of a stack.
    pub(super) fn new(layered: &Layered, problems: &mut Problems) -> Self {
        let mut names = Self { elsewhere: layered.elsewhere.clone(), ..Self::default() };
        let kinds = [
            (&layered.services, Kind::Service),
            (&layered.tasks, Kind::Task),
            (&layered.groups, Kind::Group),
        ];
        for (items, kind) in kinds {
            names.kinds.extend(items.iter().map(|item| (item.name.value.clone(), kind)));
        }
        for group in &layered.groups {
            for member in group.decl.texts().skip(1) {
                names.known(member, "service, task or group", problems);
            }
        }
        let groups: HashMap<&str, &Item> =
            layered.groups.iter().map(|group| (group.name.value.as_str(), group)).collect();
        for group in &layered.groups {
            let mut members = Vec::new();
            Dissolving { groups: &groups, path: Vec::new(), seen: HashSet::new(), problems }
                .add(group, &mut members);
            members.retain(|member| names.kinds.contains_key(member));
            names.members.insert(group.name.value.clone(), members);
        }
        names
    }

    /// What the name stands for.
    pub(super) fn kind(&self, name: &str) -> Option<Kind> {
        self.kinds.get(name).copied()
    }

    /// The members of a group.
    pub(super) fn members(&self, group: &str) -> &[String] {
        self.members.get(group).map(Vec::as_slice).unwrap_or_default()
    }

    /// What the name stands for; a problem if for nothing.
    pub(super) fn known(
        &self,
        name: Spanned<&str>,
        wanted: &'static str,
        problems: &mut Problems,
    ) -> Option<Kind> {
        if let Some(kind) = self.kind(name.value) {
            return Some(kind);
        }
        // What is called something that is no name may be what is meant: it has its problem.
        if self.kinds.keys().any(|known| name::is_meant(name.value, known)) {
            return None;
        }
        let owned = Spanned::new(name.value.to_owned(), name.span);
        problems.add(match self.elsewhere.get(name.value) {
            Some(profile) => NameProblem::OnlyInProfile { name: owned, profile: profile.clone() },
            None => {
                let fits = |kind: &Kind| wanted.contains(kind.name());
                let known = self.kinds.iter();
                let known = known.filter(|(name, kind)| fits(kind) && name::is_valid(name));
                let known = known.map(|(name, _)| name.clone()).collect();
                NameProblem::UnknownName { name: owned, wanted, known }
            }
        });
        None
    }

    /// The services and tasks that a name stands for: itself, or a group's members.
    pub(super) fn resolve(&self, name: Spanned<&str>, problems: &mut Problems) -> Vec<String> {
        match self.known(name, "service, task or group", problems) {
            Some(Kind::Service | Kind::Task) => vec![name.value.to_owned()],
            Some(Kind::Group) => self.members(name.value).to_vec(),
            None => Vec::new(),
        }
    }

    /// A name that must be one of a `kind`.
    pub(super) fn one(
        &self,
        name: Spanned<&str>,
        kind: Kind,
        problems: &mut Problems,
    ) -> Option<String> {
        let is = self.known(name, kind.name(), problems)?;
        if is != kind {
            let name = Spanned::new(name.value.to_owned(), name.span);
            problems.add(NameProblem::WrongKind { name, wanted: kind.name(), is: is.name() });
            return None;
        }
        Some(name.value.to_owned())
    }
}

/// What a walk through a group and the groups in it knows.
struct Dissolving<'a> {
    groups: &'a HashMap<&'a str, &'a Item>,
    /// How it came to where it is.
    path: Vec<Edge>,
    /// Members, and groups whose members are there: each once.
    seen: HashSet<&'a str>,
    problems: &'a mut Problems,
}

impl<'a> Dissolving<'a> {
    /// Adds the members of `group`, those of groups in it in their place.
    fn add(&mut self, group: &'a Item, into: &mut Vec<String>) {
        for member in group.decl.texts().skip(1) {
            let Some(inner) = self.groups.get(member.value) else {
                if self.seen.insert(member.value) {
                    into.push(member.value.to_owned());
                }
                continue;
            };
            let (from, to) = (group.name.value.clone(), member.value.to_owned());
            self.path.push(Edge { from, to: to.clone(), group: None, at: member.span });
            match self.path.iter().position(|edge| edge.from == to) {
                // A loop is told once, from its first name in the alphabet.
                Some(start) if self.path[start..].iter().all(|edge| edge.from >= to) => {
                    let edges = self.path[start..].to_vec();
                    self.problems.add(WholeProblem::CycleOfGroups { edges });
                }
                Some(_) => {}
                None if self.seen.contains(member.value) => {}
                None => {
                    self.add(inner, into);
                    self.seen.insert(member.value);
                }
            }
            self.path.pop();
        }
    }
}
