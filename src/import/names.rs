//! Names as stackrun takes them.

use std::collections::BTreeMap;

use super::report::Report;

/// Names that mean something of their own in `{{…}}`.
const RESERVED: [&str; 8] = ["port", "env", "stack", "name", "dir", "data", "now", "replica"];

/// The names of another tool, and what each is called here.
#[derive(Debug, Default)]
pub(super) struct Names {
    known: BTreeMap<String, String>,
    used: Vec<String>,
}

impl Names {
    /// Calls something by its name, or by one like it; says so in that case.
    pub(super) fn add(&mut self, name: &str, line: usize, report: &mut Report) -> String {
        let wanted = slug(name);
        let mut own = wanted.clone();
        let mut number = 2;
        while self.used.contains(&own) {
            own = format!("{wanted}-{number}");
            number += 1;
        }
        if own != name {
            report.changed(line, name, format!("is called `{own}` here"));
        }
        self.used.push(own.clone());
        self.known.entry(name.to_owned()).or_insert_with(|| own.clone());
        own
    }

    /// What something is called here.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.known.get(name).map(String::as_str)
    }

    /// Every name of the other tool, and what it is called here.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.known.iter().map(|(name, own)| (name.as_str(), own.as_str()))
    }
}

/// The name as a service may be called.
pub(super) fn slug(name: &str) -> String {
    let letters = name.to_lowercase();
    let letters = letters.chars().map(|letter| match letter {
        'a'..='z' | '0'..='9' | '_' => letter,
        _ => '-',
    });
    let slug: String = letters.collect();
    let slug = slug.trim_matches(['-', '_']);
    match slug {
        "" => "app".into(),
        slug if RESERVED.contains(&slug) => format!("the-{slug}"),
        slug => slug.to_owned(),
    }
}

/// The name as a stack may be called.
pub(super) fn of_stack(name: &str) -> String {
    let slug = slug(name);
    if slug == "app" { "stack".into() } else { slug }
}
