//! Paths and globs: relative in the file, absolute in the model.

use std::path::{Component, Path, PathBuf};

use globset::GlobBuilder;

use crate::language::{
    problem::{FileProblem, TextProblem},
    source::{Span, Spanned},
    values::Scope,
};
use crate::model::glob::escape;

/// `path` seen from `base`, with `.` and `..` taken out as text.
pub(super) fn absolute(base: &Path, path: &str) -> PathBuf {
    let mut out = PathBuf::new();
    for component in base.join(path).components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir => {
                out.pop();
            }
            other => out.push(other),
        }
    }
    out
}

/// The beginning of a path whose end is open: what follows its last `/` may go on.
pub(super) fn absolute_prefix(base: &Path, prefix: &str) -> String {
    match prefix.rsplit_once('/') {
        Some((dir, open)) => {
            let dir = if dir.is_empty() { PathBuf::from("/") } else { absolute(base, dir) };
            dir.join(open).to_string_lossy().into_owned()
        }
        None => base.join(prefix).to_string_lossy().into_owned(),
    }
}

/// A folder that must be there.
pub(super) fn dir(scope: &mut Scope<'_, '_>, base: &Path, text: Spanned<&str>) -> Option<PathBuf> {
    let path = absolute(base, &scope.fixed(text)?);
    let at = text.span;
    match std::fs::metadata(&path) {
        Ok(metadata) if metadata.is_dir() => {}
        Ok(_) => scope.problems.add(FileProblem::NotADirectory { path: path.clone(), at }),
        Err(_) => {
            let path = path.clone();
            scope.problems.add(FileProblem::NotThere { what: "folder", path, at });
        }
    }
    Some(path)
}

/// A glob of files, relative to the scope's folder, absolute afterwards. A trailing `/` stays.
pub(super) fn glob(scope: &mut Scope<'_, '_>, text: Spanned<&str>) -> Option<String> {
    let pattern = scope.fixed(text)?;
    if pattern.starts_with('!') {
        scope.problems.add(TextProblem::NegatedGlob { at: text.span });
        return None;
    }
    if let Err(error) = GlobBuilder::new(&pattern).literal_separator(true).build() {
        let reason = error.kind().to_string();
        scope.problems.add(TextProblem::BadGlob { reason, at: text.span });
        return None;
    }
    Some(below(&scope.dir, &pattern))
}

/// A glob of what to leave out: without a `/` in it, it holds in every folder below.
pub(super) fn ignore_glob(scope: &mut Scope<'_, '_>, text: Spanned<&str>) -> Option<String> {
    let glob = glob(scope, text)?;
    let anywhere = !text.value.trim_end_matches('/').contains('/');
    match glob.rsplit_once('/') {
        Some((dir, name)) if anywhere && !name.is_empty() => Some(format!("{dir}/**/{name}")),
        _ => Some(glob),
    }
}

/// A glob that must stay inside the stack's folder.
pub(super) fn inner_glob(
    scope: &mut Scope<'_, '_>,
    text: Spanned<&str>,
    node: &'static str,
) -> Option<String> {
    let glob = glob(scope, text)?;
    let root = escape(&scope.world.dir.to_string_lossy());
    let inside = glob.strip_prefix(&root).and_then(|rest| rest.strip_prefix('/'));
    if inside.is_none_or(|rest| rest.trim_matches('/').is_empty()) {
        outside(scope, node, text.value, text.span);
        return None;
    }
    Some(glob)
}

fn outside(scope: &mut Scope<'_, '_>, node: &'static str, path: &str, at: Span) {
    scope.problems.add(TextProblem::Outside { node, path: path.to_owned(), at });
}

/// The pattern below `dir`, whose own characters mean themselves.
fn below(dir: &Path, pattern: &str) -> String {
    let base = PathBuf::from(escape(&dir.to_string_lossy()));
    let mut glob = absolute(&base, pattern).to_string_lossy().into_owned();
    if pattern.ends_with('/') && !glob.ends_with('/') {
        glob.push('/');
    }
    glob
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_made_absolute_as_text() {
        assert_eq!(absolute(Path::new("/a/b"), "../c/./d"), Path::new("/a/c/d"));
        assert_eq!(absolute(Path::new("/a"), "/x/"), Path::new("/x"));
        assert_eq!(below(Path::new("/a"), "tmp/*.sql"), "/a/tmp/*.sql");
        assert_eq!(below(Path::new("/a"), "tmp/"), "/a/tmp/");
        assert_eq!(below(Path::new("/[a]"), "x"), "/[[]a[]]/x");
    }
}
