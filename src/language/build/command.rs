//! `run` and `shell`.

use crate::{
    language::{
        decl::Decl,
        problem::{Added, CommandProblem, Warning},
        shell_words::WordErrorKind,
        source::Spanned,
        template::{self, Piece},
        values::Scope,
    },
    model::Command,
};

/// The nodes that say what to run, of a place where they stand among others.
pub(super) fn commands(node: &Decl) -> impl Iterator<Item = &Decl> {
    node.children().iter().filter(|child| matches!(child.name.value.as_str(), "run" | "shell"))
}

/// A `run` or `shell` node; `None` if something is wrong with it (a problem was noted).
pub(super) fn command(node: &Decl, scope: &mut Scope<'_, '_>) -> Option<Command> {
    let texts: Vec<Spanned<&str>> = node.texts().collect();
    texts.iter().for_each(|text| warn_of_secrets(*text, node.name.value == "shell", scope));
    if node.name.value == "shell" {
        let script = scope.text(*texts.first()?);
        let with = node.prop_text("with").and_then(|with| scope.fixed(with));
        return Some(Command::Shell { script, with });
    }
    let words = match texts.as_slice() {
        [] => return None,
        [one] => scope.words(*one),
        [program, ..] if program.value.trim().is_empty() => {
            let at = program.span;
            scope.problems.add(CommandProblem::Words { kind: WordErrorKind::Empty, at });
            return None;
        }
        several => several.iter().map(|text| scope.text(*text)).collect(),
    };
    (!words.is_empty()).then_some(Command::Run(words))
}

/// Warns of variables that read like secrets: whoever lists processes reads what is filled in here.
fn warn_of_secrets(text: Spanned<&str>, shell: bool, scope: &mut Scope<'_, '_>) {
    // Of braces that are not closed is told elsewhere.
    for piece in template::pieces(text.value).unwrap_or_default() {
        let Piece::Value(range) = piece else { continue };
        let Some(variable) = text.value[range.clone()].strip_prefix("env.") else { continue };
        let key = variable.split_once(":-").map_or(variable, |(key, _)| key).trim_end();
        if reads_like_a_secret(key) {
            let at = scope.world.sources.inside(text.span, range);
            scope.problems.add(Warning::SecretInCommand { key: key.to_owned(), shell, at });
        }
    }
}

/// Whether the name of a variable is one of those that are given to secrets.
fn reads_like_a_secret(key: &str) -> bool {
    let key = key.to_ascii_uppercase();
    let anywhere = ["PASSWORD", "PASSWD", "PASSPHRASE", "SECRET", "TOKEN", "CREDENTIAL", "APIKEY"];
    let words = ["KEY", "PASS", "PW", "PWD", "PAT", "AUTH"];
    let mut parts = key.split(['_', '-', '.']);
    let is_public = parts.clone().any(|part| part == "PUBLIC") || matches!(&*key, "PWD" | "OLDPWD");
    !is_public
        && (anywhere.iter().any(|word| key.contains(word))
            || parts.any(|part| words.contains(&part)))
}

/// All commands of a node's braces: a hook's, a pipe's.
pub(super) fn all(node: &Decl, scope: &mut Scope<'_, '_>) -> Vec<Command> {
    if commands(node).next().is_none() && !node.damaged {
        let (node, wants) = (node.name.clone(), "`run` or `shell` in braces");
        scope.problems.add(CommandProblem::EmptyBlock { node, wants });
    }
    commands(node).filter_map(|command_node| command(command_node, scope)).collect()
}

/// Exactly one of `bodies`, the nodes that say what `owner` runs.
pub(super) fn exactly_one<'d>(
    bodies: &[&'d Decl],
    owner: &Decl,
    name: &Spanned<String>,
    scope: &mut Scope<'_, '_>,
) -> Option<&'d Decl> {
    let distinct = |body: &&&Decl| body.name.value != bodies[0].name.value;
    if let Some(second) = bodies.iter().skip(1).find(distinct) {
        let (first, second) = (bodies[0].name.clone(), second.name.clone());
        scope.problems.add(CommandProblem::TwoCommands { first, second });
    }
    if bodies.is_empty() && !owner.damaged {
        let what = owner.spec.name.as_str();
        let added_by = added_by(owner, name).map(|profile| {
            let services = scope.world.services.keys().filter(|known| **known != name.value);
            Added { profile: profile.to_owned(), known: services.cloned().collect() }
        });
        scope.problems.add(CommandProblem::NoCommand { of: name.clone(), what, added_by });
    }
    bodies.first().copied()
}

/// The profile by which a node is there at all.
fn added_by<'d>(node: &'d Decl, name: &Spanned<String>) -> Option<&'d str> {
    let declared = node.text().is_some_and(|declared| declared.span == name.span);
    let profile = node.via.as_deref().filter(|_| declared)?;
    profile.strip_prefix("profile ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_secrets() {
        for secret in
            ["API_KEY", "PGPASSWORD", "token", "STRIPE_SECRET", "AWS_SECRET_ACCESS_KEY", "DB_PASS"]
        {
            assert!(reads_like_a_secret(secret), "{secret}");
        }
        for open in
            ["PATH", "PWD", "KEYBOARD", "MONKEY", "PUBLIC_KEY", "NEXT_PUBLIC_API_KEY", "AUTHOR"]
        {
            assert!(!reads_like_a_secret(open), "{open}");
        }
    }
}
