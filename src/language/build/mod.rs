//! Merged declarations → the model, with every string's values filled in.

mod command;
mod env;
mod http;
mod names;
mod origin;
mod path;
mod policy;
mod port;
mod probe;
mod service;
mod task;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use self::{env::EnvFile, names::Names, service::Early};
use super::{
    Options,
    decl::Decl,
    merge::{Item, Layered},
    problem::{Edge, Problems},
    source::{Sources, Span},
    values::{EvalContext, Owner, Scope, Use},
};
use crate::model::{EnvValue, Group, Port, Source, Stack, Text};

/// A stack as far as it could be built, and what the checks of the whole need to know of it.
#[derive(Debug)]
pub(super) struct Built {
    /// The stack.
    pub(super) stack: Stack,
    /// Every `needs`, groups dissolved.
    pub(super) edges: Vec<Edge>,
    /// Every use of another service's port in a service's own strings.
    pub(super) uses: Vec<Use>,
    /// Where the ports of each service stand.
    pub(super) places: BTreeMap<String, Vec<Span>>,
}

/// Builds the model.
pub(super) fn build(
    layered: &Layered,
    sources: &Sources,
    options: &Options,
    problems: &mut Problems,
) -> Built {
    let file = sources.files.first().map(|file| file.path.clone()).unwrap_or_default();
    let dir = file.parent().unwrap_or(Path::new("/")).to_path_buf();
    let folder = dir.file_name().map_or("stack".into(), |name| name.to_string_lossy());
    let own_name = layered.stack.as_ref().and_then(Decl::text).map(|name| name.value);
    let world = EvalContext {
        sources,
        name: own_name.unwrap_or(&folder).to_owned(),
        dir: dir.clone(),
        env: options.env.clone(),
        services: BTreeMap::new(),
    };
    let names = Names::new(layered, problems);
    let mut builder = Builder {
        layered,
        names: &names,
        files: Vec::new(),
        read: sources.read.clone(),
        from_files: Vec::new(),
        edges: Vec::new(),
        uses: Vec::new(),
        places: BTreeMap::new(),
    };
    let mut stack = builder.stack(world, problems);
    stack.dir = dir;
    stack.file = file;
    stack.profiles.clone_from(&options.profiles);
    stack.sources = builder.read;
    stack.from_files = builder.from_files;
    Built { stack, edges: builder.edges, uses: builder.uses, places: builder.places }
}

struct Builder<'a> {
    layered: &'a Layered,
    names: &'a Names,
    /// The stack's env files.
    files: Vec<EnvFile>,
    /// Every file that was read.
    read: Vec<Source>,
    /// The secret variables of all env files.
    from_files: Vec<(String, EnvValue)>,
    edges: Vec<Edge>,
    uses: Vec<Use>,
    places: BTreeMap<String, Vec<Span>>,
}

impl Builder<'_> {
    fn stack(&mut self, mut world: EvalContext<'_>, problems: &mut Problems) -> Stack {
        let layered = self.layered;
        let mut uses = Vec::new();
        let mut early = scope(&world, Owner::Stack, problems, &mut uses);
        early.early = true;
        self.files = env::files(&layered.env_files, None, &mut early);
        self.remember(&self.files.clone());
        let mut env = world.env.clone();
        env.extend(env::variables(&self.files));
        world.env = env;
        if let Some(name) = layered.stack.as_ref().and_then(Decl::text) {
            let mut early = scope(&world, Owner::Stack, problems, &mut uses);
            early.early = true;
            if let Some(name) = early.fixed(name) {
                world.name = name;
            }
        }

        let early = self.early(&layered.services, &world, problems, Owner::Service);
        let early_tasks = self.early(&layered.tasks, &world, problems, Owner::Task);
        let mut known = BTreeMap::new();
        for (item, early) in layered.services.iter().zip(&early) {
            let mut uses = Vec::new();
            let mut scope =
                scope_of(&world, Owner::Service(&item.name.value), early, problems, &mut uses);
            scope.early = true;
            let ports = port::ports(&item.decl, &mut scope);
            self.places.insert(item.name.value.clone(), ports.places.clone());
            known.insert(item.name.value.clone(), ports);
        }
        world.services = known;
        self.finish(&world, &early, &early_tasks, problems)
    }

    /// Folders and env files: what the ports, and with them all other strings, may speak of.
    fn early<'i>(
        &mut self,
        items: &'i [Item],
        world: &EvalContext<'_>,
        problems: &mut Problems,
        owner: impl Fn(&'i str) -> Owner<'i>,
    ) -> Vec<Early> {
        let mut out = Vec::new();
        for item in items {
            let mut uses = Vec::new();
            let mut scope = scope(world, owner(&item.name.value), problems, &mut uses);
            scope.early = true;
            let dir = self.dir(item, &mut scope);
            scope.dir.clone_from(&dir);
            let files = env::files(item.decl.all("env-file"), Some(&dir), &mut scope);
            self.remember(&files);
            out.push(Early { dir, files });
        }
        out
    }

    fn dir(&self, item: &Item, scope: &mut Scope<'_, '_>) -> PathBuf {
        let own = scope.file_dir(item.name.span).to_path_buf();
        let Some(text) = item.decl.one("dir").and_then(Decl::text) else { return own };
        let base = scope.file_dir(text.span).to_path_buf();
        path::dir(scope, &base, text).unwrap_or(own)
    }

    fn remember(&mut self, files: &[EnvFile]) {
        for file in files {
            if !self.read.contains(&file.source) {
                self.read.push(file.source.clone());
            }
            let secrets = file.values().filter(|(_, value)| value.secret);
            for (key, value) in secrets.map(|(key, value)| (key.to_owned(), value)) {
                if !self.from_files.iter().any(|known| known.0 == key && known.1 == value) {
                    self.from_files.push((key, value));
                }
            }
        }
    }

    fn finish(
        &mut self,
        world: &EvalContext<'_>,
        services: &[Early],
        tasks: &[Early],
        problems: &mut Problems,
    ) -> Stack {
        let layered = self.layered;
        let mut stack = Stack { name: world.name.clone(), ..Stack::default() };
        let mut uses = Vec::new();
        for (item, early) in layered.services.iter().zip(services) {
            let owner = Owner::Service(&item.name.value);
            let mut scope = scope_of(world, owner, early, problems, &mut uses);
            stack.services.push(self.service(item, early, &mut scope));
        }
        for (item, early) in layered.tasks.iter().zip(tasks) {
            let owner = Owner::Task(&item.name.value);
            let mut scope = scope_of(world, owner, early, problems, &mut uses);
            stack.tasks.push(self.task(item, early, &mut scope));
        }
        for item in &layered.groups {
            let name = item.name.value.clone();
            let members = self.names.members(&name).to_vec();
            stack.groups.push(Group { name, members });
            origin::record_group(&mut stack, world.sources, self.names, item);
        }
        self.uses = uses;
        let early = services.iter().chain(tasks);
        let items = layered.services.iter().chain(&layered.tasks);
        for (item, early) in items.zip(early) {
            origin::record(
                &mut stack,
                world.sources,
                layered,
                self.names,
                item,
                &self.files,
                &early.files,
            );
        }
        stack
    }

    /// The environment of a service or task: all layers, the later over the earlier.
    fn env(
        &self,
        node: &Decl,
        files: &[EnvFile],
        ports: &[Port],
        scope: &mut Scope<'_, '_>,
    ) -> BTreeMap<String, EnvValue> {
        let mut env = BTreeMap::new();
        env::lay_files(&mut env, &self.files);
        let own_uses = scope.uses.len();
        for node in &self.layered.env {
            env::lay_node(&mut env, node, scope);
        }
        // What the stack says to all is no one's own wish.
        scope.uses.truncate(own_uses);
        env::lay_ports(&mut env, ports, scope);
        env::lay_files(&mut env, files);
        if let Some(node) = node.one("env") {
            env::lay_node(&mut env, node, scope);
        }
        env
    }
}

fn scope<'a, 'w>(
    world: &'a EvalContext<'w>,
    owner: Owner<'a>,
    problems: &'a mut Problems,
    uses: &'a mut Vec<Use>,
) -> Scope<'a, 'w> {
    let (dir, env) = (world.dir.clone(), BTreeMap::new());
    Scope { world, owner, dir, env, early: false, problems, uses }
}

fn scope_of<'a, 'w>(
    world: &'a EvalContext<'w>,
    owner: Owner<'a>,
    early: &Early,
    problems: &'a mut Problems,
    uses: &'a mut Vec<Use>,
) -> Scope<'a, 'w> {
    let (dir, env) = (early.dir.clone(), env::variables(&early.files));
    Scope { world, owner, dir, env, early: false, problems, uses }
}

/// A node that is one string for people.
fn line(node: &Decl, name: &str, scope: &mut Scope<'_, '_>) -> Option<Text> {
    let text = node.one(name)?.text()?;
    Some(scope.text(text))
}
