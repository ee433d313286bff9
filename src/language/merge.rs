//! Layers: defaults, template, service, profile. The later wins.

use std::{collections::HashMap, rc::Rc};

use super::{
    decl::Decl,
    name,
    problem::{FileProblem, NameProblem, NodeProblem, Problems},
    size::{self, Room},
    source::{Span, Spanned},
};

/// What one runs: a later layer that has one of these replaces all of them.
const BODIES: [&str; 4] = ["run", "shell", "external", "step"];

/// The whole stack with its layers merged, not looked into any further.
#[derive(Debug, Default)]
pub(super) struct Layered {
    /// The `stack` node.
    pub(super) stack: Option<Decl>,
    /// The `env` of all, in order; the later wins.
    pub(super) env: Vec<Decl>,
    /// The `env-file`s of all, in order; the later wins.
    pub(super) env_files: Vec<Decl>,
    /// Services, each with all its layers.
    pub(super) services: Vec<Item>,
    /// Tasks, each with its profiles.
    pub(super) tasks: Vec<Item>,
    /// Groups.
    pub(super) groups: Vec<Item>,
    /// Names that only profiles not in force declare: name → profile.
    pub(super) elsewhere: HashMap<String, String>,
}

/// A service, task or group: its name and what its layers say together.
#[derive(Debug)]
pub(super) struct Item {
    /// Its name, where it is declared.
    pub(super) name: Spanned<String>,
    /// Its nodes.
    pub(super) decl: Decl,
}

/// Sorts the top-level nodes and merges their layers, with `profiles` in force.
pub(super) fn merge(decls: Vec<Decl>, profiles: &[String], problems: &mut Problems) -> Layered {
    let mut sorter = Sorter::new(problems);
    for decl in decls {
        sorter.top(decl);
    }
    sorter.overlay(profiles);
    sorter.finish()
}

struct Sorter<'a> {
    out: Layered,
    defaults: Option<Decl>,
    templates: Vec<Item>,
    profiles: Vec<Item>,
    /// What templates may still come to.
    room: Room,
    /// Every name of the one namespace, and what has it.
    names: HashMap<String, (&'static str, Span)>,
    problems: &'a mut Problems,
}

impl<'a> Sorter<'a> {
    fn new(problems: &'a mut Problems) -> Self {
        Self {
            out: Layered::default(),
            defaults: None,
            templates: Vec::new(),
            profiles: Vec::new(),
            room: Room::default(),
            names: HashMap::new(),
            problems,
        }
    }

    fn top(&mut self, mut decl: Decl) {
        match decl.spec.name.as_str() {
            "env" => self.out.env.push(decl),
            "env-file" => self.out.env_files.push(decl),
            "stack" => match &self.out.stack {
                Some(first) => self.twice(first.span(), &decl),
                None => self.out.stack = Some(decl),
            },
            "defaults" => {
                decl.mark(&Some(Rc::from("defaults")));
                match &mut self.defaults {
                    // One a file: an included file may bring its own.
                    Some(defaults) => lay_over(defaults, decl),
                    None => self.defaults = Some(decl),
                }
            }
            "service" | "task" | "group" => self.declare(decl),
            "template" => {
                if let Some(item) = self.item(decl, &|sorter| &sorter.templates) {
                    self.templates.push(item);
                }
            }
            "profile" => {
                if let Some(item) = self.item(decl, &|sorter| &sorter.profiles) {
                    self.profiles.push(item);
                }
            }
            _ => {}
        }
    }

    fn twice(&mut self, first: Span, second: &Decl) {
        let (node, second) = (second.name.value.clone(), second.span());
        self.problems.add(NodeProblem::TwiceNode { node, first, second });
    }

    /// A named node of a namespace of its own (templates, profiles).
    fn item(&mut self, decl: Decl, kin: &dyn Fn(&Self) -> &Vec<Item>) -> Option<Item> {
        let item = named(decl)?;
        let Some(first) = kin(self).iter().find(|other| other.name.value == item.name.value) else {
            return Some(item);
        };
        let (first, what) = (first.name.span, item.decl.spec.name.as_str());
        let (name, second) = (item.name.value, item.name.span);
        self.problems.add(NameProblem::TwiceName { name, what, first, second });
        None
    }

    /// A service, task or group.
    fn declare(&mut self, decl: Decl) {
        let Some(item) = named(decl) else { return };
        let what = item.decl.spec.name.as_str();
        if name::is_reserved(&item.name.value) {
            self.problems.add(NameProblem::Reserved { name: item.name.clone() });
        }
        if let Some((what, first)) = self.names.get(&item.name.value) {
            let (what, first, name, second) = (*what, *first, item.name.value, item.name.span);
            return self.problems.add(NameProblem::TwiceName { name, what, first, second });
        }
        self.names.insert(item.name.value.clone(), (what, item.name.span));
        match what {
            "service" => self.out.services.push(item),
            "task" => self.out.tasks.push(item),
            _ => self.out.groups.push(item),
        }
    }

    /// Lays the profiles in force over the rest, in the order asked for.
    fn overlay(&mut self, profiles: &[String]) {
        // A service's template lies under its profiles.
        self.lay_templates();
        for name in profiles {
            let found = self.profiles.iter().position(|profile| profile.name.value == *name);
            let Some(at) = found else {
                let known = self.profiles.iter().map(|profile| profile.name.value.clone());
                let known = known.collect();
                self.problems.add(FileProblem::UnknownProfile { name: name.clone(), known });
                continue;
            };
            let mut profile = self.profiles[at].decl.clone();
            profile.mark(&Some(Rc::from(format!("profile {name}"))));
            for decl in profile.children.into_iter().flatten() {
                self.overlay_node(decl);
            }
        }
        for profile in self.profiles.iter().filter(|p| !profiles.contains(&p.name.value)) {
            for name in profile.decl.children().iter().filter_map(Decl::text) {
                let elsewhere = self.out.elsewhere.entry(name.value.to_owned());
                elsewhere.or_insert_with(|| profile.name.value.clone());
            }
        }
    }

    fn overlay_node(&mut self, decl: Decl) {
        let what = decl.spec.name.as_str();
        let kin = match what {
            "service" => &mut self.out.services,
            "task" => &mut self.out.tasks,
            "group" => &mut self.out.groups,
            _ => return self.top(decl),
        };
        let name = decl.text().map(|name| name.value.to_owned());
        let existing = kin.iter_mut().find(|item| Some(&item.name.value) == name.as_ref());
        match existing {
            Some(item) if what == "group" => item.decl = decl,
            Some(item) => {
                // A template named by the profile lies between the two.
                let template = decl.prop_of_service();
                if let Some(template) =
                    template.and_then(|name| template_of(&self.templates, &name))
                {
                    lay_over(&mut item.decl, template);
                }
                lay_over(&mut item.decl, decl);
            }
            None => {
                self.declare(decl);
                let at = self.out.services.len().saturating_sub(1);
                if what == "service" {
                    self.lay_template(at);
                }
            }
        }
    }

    fn lay_templates(&mut self) {
        (0..self.out.services.len()).for_each(|at| self.lay_template(at));
    }

    /// Puts its template under a service.
    fn lay_template(&mut self, at: usize) {
        let Some(item) = self.out.services.get_mut(at) else { return };
        let Some(name) = item.decl.prop_of_service() else { return };
        let template = self.templates.iter().find(|template| template.name.value == name.value);
        let settings = template.map_or(0, |template| size::settings(&template.decl));
        if !self.room.take(settings, item, self.problems) {
            return;
        }
        match template_of(&self.templates, &name) {
            Some(mut under) => {
                std::mem::swap(&mut under, &mut item.decl);
                lay_over(&mut item.decl, under);
            }
            None => {
                let known = self.templates.iter().map(|template| template.name.value.clone());
                let known = known.collect();
                self.problems.add(NameProblem::UnknownName { name, wanted: "template", known });
            }
        }
    }

    /// Puts the defaults under every service.
    fn finish(mut self) -> Layered {
        if let Some(defaults) = &self.defaults {
            for item in &mut self.out.services {
                for default in defaults.children() {
                    under(&mut item.decl, default);
                }
            }
        }
        self.out
    }
}

impl Decl {
    /// The name of the template of a service (no task has one).
    fn prop_of_service(&self) -> Option<Spanned<String>> {
        self.spec.prop("template")?;
        self.prop_text("template").map(|name| Spanned::new(name.value.to_owned(), name.span))
    }
}

fn template_of(templates: &[Item], name: &Spanned<String>) -> Option<Decl> {
    let template = templates.iter().find(|template| template.name.value == name.value)?;
    let mut decl = template.decl.clone();
    decl.mark(&Some(Rc::from(format!("template {}", name.value))));
    Some(decl)
}

/// Puts a default under a service's node of that name. `alive` alone is not enough to ask for
/// liveness checks.
fn under(service: &mut Decl, default: &Decl) {
    let spec = service.spec.child(&default.name.value);
    let children = service.children.get_or_insert_with(Vec::new);
    match children.iter_mut().find(|child| child.name.value == default.name.value) {
        Some(own) => {
            let mut merged = default.clone();
            std::mem::swap(&mut merged, own);
            lay_over(own, merged);
        }
        None if default.name.value == "alive" => {}
        None => {
            let mut default = default.clone();
            // The service's own node takes more than the one of the defaults.
            default.spec = spec.unwrap_or(default.spec);
            children.push(default);
        }
    }
}

/// Lays the node `over` over `base`: values replace values, properties merge key by key; nodes in
/// the braces of services, tasks and `env` merge likewise, all others are replaced whole.
pub(super) fn lay_over(base: &mut Decl, over: Decl) {
    let by_key =
        matches!(over.spec.name.as_str(), "service" | "task" | "template" | "env" | "defaults");
    base.spec = over.spec;
    base.damaged |= over.damaged;
    let over_has_values = !over.values.is_empty();
    if over_has_values {
        base.values = over.values;
    }
    for prop in over.props {
        base.props.retain(|known| known.name.value != prop.name.value);
        base.props.push(prop);
    }
    // The place of a node is that of its value, where it has one.
    if over_has_values || base.values.is_empty() {
        base.name = over.name;
        base.via = over.via;
    }
    match (over.children, &mut base.children) {
        (Some(over), Some(base)) if by_key => lay_nodes(base, over),
        (Some(over), base) => *base = Some(over),
        (None, _) => {}
    }
}

fn lay_nodes(base: &mut Vec<Decl>, over: Vec<Decl>) {
    let has = |name: &str| over.iter().any(|decl| decl.name.value == name);
    let new_body = BODIES.iter().any(|body| has(body));
    base.retain(|decl| {
        let name = decl.name.value.as_str();
        let other_body = new_body && BODIES.contains(&name) && !has(name);
        let repeated = !decl.spec.is_single() && has(name);
        !other_body && !repeated
    });
    for decl in over {
        let single = decl.spec.is_single();
        match base.iter_mut().find(|known| single && known.name.value == decl.name.value) {
            Some(known) => lay_over(known, decl),
            None => base.push(decl),
        }
    }
}

/// A node and the name that its first value gives it.
fn named(decl: Decl) -> Option<Item> {
    let name = decl.text()?;
    let name = Spanned::new(name.value.to_owned(), name.span);
    Some(Item { name, decl })
}
