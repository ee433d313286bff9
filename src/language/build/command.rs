//! `run` and `shell`.

use crate::{
    language::{
        decl::Decl, problem::CommandProblem, source::Spanned, values::Scope, words::WordErrorKind,
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
        scope.problems.add(CommandProblem::NoCommand { of: name.clone(), what });
    }
    bodies.first().copied()
}
