//! The language as its users meet it: text in, a stack or rendered problems out.

mod bounds;
mod documents;
mod errors;
mod folders;
mod mangled;
mod recovery;
mod vocabulary;
mod whole;

use std::{collections::BTreeMap, path::Path};

use super::{Finding, Loaded, Options, load};

/// A stack folder with these files in it.
fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("a folder");
    for (name, text) in files {
        let path = dir.path().join(name);
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("folders");
        std::fs::write(path, text).expect("written");
    }
    dir
}

fn options() -> Options {
    let env = [("HOME", "/home/me"), ("EMPTY", "")];
    let env = env.map(|(key, value)| (key.to_owned(), value.to_owned()));
    Options { env: BTreeMap::from(env), profiles: Vec::new() }
}

fn load_in(dir: &Path, options: &Options) -> Result<Loaded, Vec<Finding>> {
    load(&dir.join("stack.kdl"), options)
}

/// The stack that a text stands for.
fn stack(text: &str) -> crate::model::Stack {
    let dir = folder(&[("stack.kdl", text)]);
    match load_in(dir.path(), &options()) {
        Ok(loaded) => loaded.stack,
        Err(reports) => panic!("{reports:?}"),
    }
}
