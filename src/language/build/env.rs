//! Environments: files and `env` nodes.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use super::path;
use crate::{
    language::{
        decl::Decl,
        dotenv::{self, Variable},
        encoding,
        problem::{FileProblem, Problems},
        regular::read_file,
        source::Spanned,
        value::Value,
        values::{Owner, Scope},
    },
    model::{EnvValue, Part, Port, Source, Text, fingerprint, io_error_text},
};

/// The variables of one env file.
#[derive(Debug, Clone)]
pub(super) struct EnvFile {
    /// The file, and a fingerprint of it.
    pub(super) source: Source,
    /// What is in it.
    pub(super) variables: Vec<Variable>,
    /// Whether its values are masked wherever they would be shown.
    secret: bool,
}

impl EnvFile {
    /// Its variables as they are laid over others.
    pub(super) fn values(&self) -> impl Iterator<Item = (&str, EnvValue)> {
        self.variables.iter().map(|variable| {
            let value = Some(Text::literal(&variable.value));
            let file = Some(self.source.path.clone());
            (variable.key.as_str(), EnvValue { value, secret: self.secret, file })
        })
    }
}

/// Reads the env files that `decls` name, relative to `base` (the file's own folder without one).
pub(super) fn files<'d>(
    decls: impl IntoIterator<Item = &'d Decl>,
    base: Option<&Path>,
    scope: &mut Scope<'_, '_>,
) -> Vec<EnvFile> {
    let mut files = Vec::new();
    for decl in decls {
        for text in decl.texts() {
            let base = base.unwrap_or_else(|| scope.file_dir(text.span)).to_path_buf();
            let Some(name) = scope.fixed(text) else { continue };
            let path = path::absolute(&base, &name);
            let secret = decl.prop("secret").is_none() || decl.prop_is("secret");
            let read = file(path, text, decl.prop_is("optional"), scope.problems);
            files.extend(read.map(|(source, variables)| EnvFile { source, variables, secret }));
        }
    }
    files
}

fn file(
    path: PathBuf,
    text: Spanned<&str>,
    optional: bool,
    problems: &mut Problems,
) -> Option<(Source, Vec<Variable>)> {
    let at = text.span;
    let bytes = match read_file(&path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            if !optional {
                problems.add(FileProblem::NotThere { what: "env file", path: path.clone(), at });
            }
            let source = Source { path, fingerprint: String::new() };
            return Some((source, Vec::new()));
        }
        Err(error) => {
            let reason = io_error_text(&error);
            problems.add(FileProblem::Unreadable { path, reason, at: Some(at) });
            return None;
        }
    };
    let fingerprint = fingerprint(&bytes);
    let text = match encoding::text(bytes) {
        Ok(text) => text,
        Err(error) => {
            problems.add(FileProblem::Encoding { path, error, at: Some(at) });
            return None;
        }
    };
    match dotenv::parse(&text) {
        Ok(variables) => {
            let source = Source { path, fingerprint };
            Some((source, variables))
        }
        Err(bad) => {
            let (line, reason) = (bad.line, bad.reason);
            problems.add(FileProblem::BadEnvFile { path, line, reason, at });
            None
        }
    }
}

/// The variables of files, the later ones winning.
pub(super) fn variables(files: &[EnvFile]) -> BTreeMap<String, String> {
    let all = files.iter().flat_map(|file| &file.variables);
    all.map(|variable| (variable.key.clone(), variable.value.clone())).collect()
}

/// Lays the variables of files over `env`.
pub(super) fn lay_files(env: &mut BTreeMap<String, EnvValue>, files: &[EnvFile]) {
    let values = files.iter().flat_map(EnvFile::values);
    env.extend(values.map(|(key, value)| (key.to_owned(), value)));
}

/// Lays an `env` node over `env`.
pub(super) fn lay_node(
    env: &mut BTreeMap<String, EnvValue>,
    node: &Decl,
    scope: &mut Scope<'_, '_>,
) {
    for variable in node.children() {
        let value = match variable.values.first() {
            Some(Spanned { value: Value::Text(text), span }) => {
                Some(scope.text(Spanned::new(text, *span)))
            }
            Some(Spanned { value: Value::Null, .. }) => None,
            _ => continue,
        };
        let secret = variable.prop_is("secret");
        env.insert(variable.name.value.clone(), EnvValue { value, secret, file: None });
    }
}

/// Lays `PORT` and `PORT_NAME` over `env`.
pub(super) fn lay_ports(
    env: &mut BTreeMap<String, EnvValue>,
    ports: &[Port],
    scope: &mut Scope<'_, '_>,
) {
    let Owner::Service(service) = scope.owner else { return };
    let mut set = |key: String, port: &Port, name: Option<&str>| {
        let replicated = scope.world.services.get(service).is_some_and(|ports| ports.replicated);
        let value = Text(vec![Part::Port {
            service: service.to_owned(),
            port: name.map(str::to_owned),
            declared: port.declared().filter(|_| !replicated),
        }]);
        env.insert(key, EnvValue::open(value));
    };
    if let Some(first) = ports.first() {
        set("PORT".to_owned(), first, None);
    }
    for port in ports {
        let Some(name) = port.name.as_deref() else { continue };
        set(variable_of(name), port, Some(name));
    }
}

/// `PORT_NAME` of the port `name`.
pub(super) fn variable_of(name: &str) -> String {
    format!("PORT_{}", name.to_uppercase().replace('-', "_"))
}
