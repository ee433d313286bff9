//! The files that a glob of the stack file names.

use std::{
    ffi::OsStr,
    fs, io,
    path::{Component, Path, PathBuf},
};

use globset::{GlobBuilder, GlobMatcher};

use crate::{
    model::glob::{self, Reach},
    platform::Dir,
};

/// What all paths are shorter than (PATH_MAX): deeper than that nobody looks.
const LONGEST: usize = 4096;

/// The paths that an absolute pattern names, sorted: itself, or what its wildcards find.
pub(super) fn matches(pattern: &str) -> Result<Vec<PathBuf>, String> {
    let bare = pattern.trim_end_matches('/');
    if let Some(path) = glob::literal(bare) {
        return Ok(vec![path.into()]);
    }
    let (root, depth, matcher) = parts(bare)?;
    let mut found = Vec::new();
    walk(&root, &matcher, depth, &mut found);
    found.sort();
    Ok(found)
}

/// The folder in which a pattern's first wildcard is, how many levels the pattern reaches below
/// that, and what it matches.
fn parts(bare: &str) -> Result<(PathBuf, usize, GlobMatcher), String> {
    let pattern = GlobBuilder::new(bare).literal_separator(true).build();
    let matcher = pattern.map_err(|error| error.to_string())?.compile_matcher();
    let Reach { folder, levels } = glob::reach(bare);
    Ok((folder, levels.map_or(usize::MAX, |levels| levels + 1), matcher))
}

fn walk(folder: &Path, matcher: &GlobMatcher, depth: usize, found: &mut Vec<PathBuf>) {
    // A folder that cannot be read has nothing that could be named.
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let path = entry.path();
        if matcher.is_match(&path) {
            found.push(path.clone());
        }
        if depth > 1 && entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            walk(&path, matcher, depth - 1, found);
        }
    }
}

/// A pattern of the stack in `stack_dir` as seen from there, with `..` taken out as text; `None` if
/// it is not below.
pub(super) fn below(stack_dir: &Path, pattern: &str) -> Option<String> {
    let dir = glob::escape(&stack_dir.to_string_lossy());
    let mut below = PathBuf::new();
    for component in Path::new(pattern).strip_prefix(dir).ok()?.components() {
        match component {
            Component::Normal(name) => below.push(name),
            Component::CurDir => {}
            Component::ParentDir if below.pop() => {}
            Component::ParentDir | Component::RootDir | Component::Prefix(_) => return None,
        }
    }
    below.into_os_string().into_string().ok().filter(|below| !below.is_empty())
}

/// The paths below a folder that a pattern names as seen from there, sorted. No link is followed.
pub(super) fn matches_beneath(root: &Dir, pattern: &str) -> Result<Vec<PathBuf>, String> {
    if let Some(path) = glob::literal(pattern) {
        return Ok(vec![path.into()]);
    }
    let (fixed, depth, matcher) = parts(pattern)?;
    let mut found = Vec::new();
    if let Ok(folder) = root.dir(&fixed) {
        walk_beneath(&folder, &fixed, &matcher, depth, &mut found);
    }
    found.sort();
    Ok(found)
}

fn walk_beneath(
    folder: &Dir,
    path: &Path,
    matcher: &GlobMatcher,
    depth: usize,
    found: &mut Vec<PathBuf>,
) {
    // A folder that cannot be read has nothing that could be named.
    for name in folder.names().unwrap_or_default() {
        let path = path.join(&name);
        if matcher.is_match(&path) {
            found.push(path.clone());
        }
        if depth > 1
            && path.as_os_str().len() < LONGEST
            && folder.stat(&name).is_ok_and(|facts| facts.is_folder)
            && let Ok(inner) = folder.dir(&name)
        {
            walk_beneath(&inner, &path, matcher, depth - 1, found);
        }
    }
}

/// The folder below `root` that holds a path, and the name in it.
pub(super) fn parent_of<'a>(root: &Dir, path: &'a Path) -> io::Result<(Dir, &'a OsStr)> {
    let name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?;
    Ok((root.dir(path.parent().unwrap_or(Path::new("")))?, name))
}
