//! The files that a glob of the stack file names.

use std::{
    fs,
    path::{Path, PathBuf},
};

use globset::{GlobBuilder, GlobMatcher};

/// The paths that an absolute pattern names, sorted: itself, or what its wildcards find.
pub(super) fn matches(pattern: &str) -> Result<Vec<PathBuf>, String> {
    let bare = pattern.trim_end_matches('/');
    if !bare.contains(['*', '?', '[', '{']) {
        return Ok(vec![PathBuf::from(bare)]);
    }
    let glob = GlobBuilder::new(bare).literal_separator(true).build();
    let matcher = glob.map_err(|error| error.to_string())?.compile_matcher();
    let fixed = bare.split(['*', '?', '[', '{']).next().unwrap_or("");
    let root = &fixed[..fixed.rfind('/').unwrap_or(0)];
    // Without `**` the pattern says how deep it reaches.
    let levels = bare[root.len()..].matches('/').count();
    let depth = if bare.contains("**") { usize::MAX } else { levels };
    let mut found = Vec::new();
    walk(Path::new(root), &matcher, depth, &mut found);
    found.sort();
    Ok(found)
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
