//! Where values were set.

use std::{collections::HashMap, path::Path};

use super::{
    env::{self, EnvFile},
    names::Names,
};
use crate::{
    language::{
        decl::{Decl, Via},
        merge::{Item, Layered},
        source::{Sources, Span},
    },
    model::{Origin, Stack},
};

/// Records the places of everything that `item` says: `name`, `name.node`, `name.node.property`,
/// `name.node.child`, `name.node#2` of the second node of that name, and `name.env.KEY` of its whole
/// environment.
pub(super) fn record(
    stack: &mut Stack,
    sources: &Sources,
    layered: &Layered,
    names: &Names,
    item: &Item,
    stack_files: &[EnvFile],
    own_files: &[EnvFile],
) {
    let mut recorder = Recorder { stack, sources, names, name: &item.name.value };
    recorder.add("", item.name.span, &None);
    recorder.files(stack_files);
    for variable in layered.env.iter().flat_map(Decl::children) {
        let via = variable.via.clone().or_else(|| Some("stack".into()));
        recorder.add(&format!(".env.{}", variable.name.value), variable.span(), &via);
    }
    recorder.ports(&item.decl);
    recorder.files(own_files);
    recorder.nodes(item.decl.children());
}

/// Records the place of a group: `name.members`.
pub(super) fn record_group(stack: &mut Stack, sources: &Sources, names: &Names, group: &Item) {
    let mut recorder = Recorder { stack, sources, names, name: &group.name.value };
    recorder.add(".members", group.name.span, &group.decl.via);
}

struct Recorder<'a> {
    stack: &'a mut Stack,
    sources: &'a Sources,
    names: &'a Names,
    name: &'a str,
}

impl Recorder<'_> {
    fn nodes(&mut self, nodes: &[Decl]) {
        let mut seen: HashMap<&str, usize> = HashMap::new();
        for node in nodes {
            let key = format!(".{}", node.name.value);
            self.add_first(&key, node.span(), &node.via);
            let count = seen.entry(&node.name.value).or_default();
            *count += 1;
            if *count > 1 {
                self.add(&format!("{key}#{count}"), node.span(), &node.via);
            }
            if matches!(node.name.value.as_str(), "needs" | "after") {
                for name in node.texts() {
                    for member in self.names.members(name.value) {
                        self.add_first(&format!("{key}.{member}"), name.span, &node.via);
                    }
                    self.add(&format!("{key}.{}", name.value), name.span, &node.via);
                }
            }
            for prop in &node.props {
                let key = format!("{key}.{}", prop.name.value);
                self.add_first(&key, prop.name.span, &prop.via);
            }
            for child in node.children() {
                let key = format!("{key}.{}", child.name.value);
                if node.name.value == "env" {
                    self.add(&key, child.span(), &child.via);
                } else {
                    self.add_first(&key, child.span(), &child.via);
                }
            }
        }
    }

    fn ports(&mut self, service: &Decl) {
        if service.spec.name != "service" && service.spec.name != "template" {
            return;
        }
        let via = Some("port".into());
        for (at, port) in service.all("port").enumerate() {
            if at == 0 {
                self.add(".env.PORT", port.span(), &via);
            }
            if let Some(name) = port.prop_text("name") {
                self.add(&format!(".env.{}", env::variable_of(name.value)), port.span(), &via);
            }
        }
    }

    fn files(&mut self, files: &[EnvFile]) {
        for file in files {
            for variable in &file.variables {
                let key = format!(".env.{}", variable.key);
                self.insert(&key, &file.source.path, variable.line, Some("env-file".to_owned()));
            }
        }
    }

    /// Of nodes that repeat, the first counts; the others are known by their number.
    fn add_first(&mut self, key: &str, at: Span, via: &Via) {
        if !self.stack.origins.contains_key(&format!("{}{key}", self.name)) {
            self.add(key, at, via);
        }
    }

    fn add(&mut self, key: &str, at: Span, via: &Via) {
        let line = self.sources.line(at);
        let via = via.as_deref().map(str::to_owned);
        self.insert(key, &self.sources.file(at).path, line, via);
    }

    fn insert(&mut self, key: &str, file: &Path, line: usize, via: Option<String>) {
        let origin = Origin { file: file.to_path_buf(), line, via };
        self.stack.origins.insert(format!("{}{key}", self.name), origin);
    }
}
