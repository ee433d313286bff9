//! What the documents show is right: every ```kdl block, every example.

use std::path::{Path, PathBuf};

use super::{folder, load_in, options};
use crate::language::fmt;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The files below `dir` that end so.
fn below(dir: &Path, end: &str) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(dir) else { return Vec::new() };
    let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
    let walk = |path: PathBuf| match path.is_dir() {
        true => below(&path, end),
        false if path.to_string_lossy().ends_with(end) => vec![path],
        false => Vec::new(),
    };
    paths.flat_map(walk).collect()
}

/// A block is a whole file, or the nodes of a service.
#[test]
fn every_block_of_the_documents_is_right() {
    let mut blocks = 0;
    let mut files = vec![root().join("README.md")];
    files.extend(below(&root().join("docs"), ".md"));
    files.extend(below(&root().join("examples"), ".md"));
    for file in files {
        let Ok(text) = std::fs::read_to_string(&file) else { continue };
        for block in text.split("```kdl\n").skip(1) {
            let block = block.split("```").next().unwrap_or_default();
            let parsed = block.parse::<kdl::KdlDocument>();
            let parsed = parsed.unwrap_or_else(|_| panic!("{}:\n{block}", file.display()));
            let whole = ["stack", "service", "task", "env", "include"];
            let is_whole = parsed.nodes().iter().any(|node| whole.contains(&node.name().value()));
            let text = if is_whole {
                block.to_owned()
            } else {
                format!("service \"shown\" {{\n    run \"true\"\n{block}}}\n")
            };
            let dir = folder(&[("stack.kdl", &text)]);
            if let Err(reports) = load_in(dir.path(), &options()) {
                panic!("{}: {reports:?}\n{block}", file.display());
            }
            blocks += 1;
        }
    }
    assert!(blocks > 0, "the README shows a stack file");
}

#[test]
fn every_example_is_a_stack() {
    // What every environment has, and a stack may add to.
    let mut options = options();
    options.env.insert("PATH".into(), "/usr/bin:/bin".into());
    for file in below(&root().join("examples"), "stack.kdl") {
        let dir = file.parent().expect("a folder");
        if let Err(reports) = load_in(dir, &options) {
            panic!("{}: {reports:?}", file.display());
        }
        let text = std::fs::read_to_string(&file).expect("there");
        assert_eq!(fmt(&text), text, "{} is not formatted", file.display());
    }
}

#[test]
fn the_schema_is_formatted() {
    let text = crate::language::schema_text();
    assert_eq!(fmt(text), text);
}
