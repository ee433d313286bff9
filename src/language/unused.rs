//! What is declared and not in force: profiles that were not chosen, templates that no service
//! takes. What is wrong with them is told too, as far as it can be known without using them.

use super::{
    Options, build,
    decl::{Decl, Prop},
    merge,
    problem::{NameProblem, Problem, Problems},
    schema,
    source::{Sources, Spanned},
    value::Value,
};

/// So many nodes at the top are looked at, all trials together.
const MOST_WORK: usize = 20_000;

/// The nodes of a file as they would be with some of the rest in force, and the profiles for that.
pub(super) struct Trial {
    decls: Vec<Decl>,
    profiles: Vec<String>,
}

/// One trial for every profile that was not chosen, and one for all templates that nobody takes.
pub(super) fn trials(decls: &[Decl], chosen: &[String]) -> Vec<Trial> {
    let named = |what: &'static str| {
        let of_kind = decls.iter().filter(move |decl| decl.spec.name == what);
        of_kind.filter_map(|decl| Some((decl, decl.text()?)))
    };
    // Each is as much work as the stack itself.
    let most = (MOST_WORK / decls.len().max(1)).max(1);
    let mut trials: Vec<Trial> = named("profile")
        .filter(|(_, name)| !chosen.iter().any(|chosen| chosen == name.value))
        .take(most)
        .map(|(_, name)| {
            let chosen = chosen.iter().cloned().chain([name.value.to_owned()]);
            Trial { decls: decls.to_vec(), profiles: chosen.collect() }
        })
        .collect();
    let profiles = decls.iter().filter(|decl| decl.spec.name == "profile");
    let services = decls.iter().chain(profiles.flat_map(Decl::children));
    let taken: Vec<&str> = services
        .filter(|decl| decl.spec.name == "service")
        .filter_map(|service| Some(service.prop_text("template")?.value))
        .collect();
    let idle = named("template").filter(|(_, name)| !taken.contains(&name.value));
    let users: Vec<Decl> = idle.filter_map(|(decl, name)| user(decl, name)).collect();
    if !users.is_empty() {
        let decls = decls.iter().cloned().chain(users).collect();
        trials.push(Trial { decls, profiles: chosen.to_vec() });
    }
    trials
}

/// A service that takes the template, and of which nothing more is known.
fn user(template: &Decl, name: Spanned<&str>) -> Option<Decl> {
    let text = |text: String| Spanned::new(Value::Text(text), name.span);
    let prop = Prop {
        name: Spanned::new("template".to_owned(), name.span),
        value: text(name.value.to_owned()),
        via: None,
    };
    // A name that no service can have, and nobody can be told to have meant.
    let value = text(format!("template {}", name.value));
    Some(Decl {
        spec: schema::document().child("service")?,
        name: template.name.clone(),
        values: vec![value],
        props: vec![prop],
        children: None,
        damaged: true,
        via: None,
    })
}

impl Trial {
    /// Adds what is wrong with what it brings.
    pub(super) fn check(self, sources: &Sources, options: &Options, problems: &mut Problems) {
        let mut own = Problems::default();
        let layered = merge::merge(self.decls, &self.profiles, &mut own);
        build::build(&layered, sources, options, &mut own);
        own.into_vec().into_iter().filter(is_known_without_use).for_each(|one| problems.add(one));
    }
}

/// Whether it would be wrong wherever it is used: no file that only another machine has, no
/// variable that only somebody else sets, no name that another profile brings.
fn is_known_without_use(problem: &Problem) -> bool {
    match problem {
        Problem::Command(_) => true,
        Problem::Text(text) => !text.may_hold_elsewhere(),
        Problem::Name(name) => matches!(
            name,
            NameProblem::UnknownName { .. }
                | NameProblem::WrongKind { .. }
                | NameProblem::Reserved { .. }
        ),
        Problem::File(_)
        | Problem::Node(_)
        | Problem::Port(_)
        | Problem::Whole(_)
        | Problem::Warning(_) => false,
    }
}
