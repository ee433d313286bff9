//! The shape of all wording, and its little helpers.

use crate::{language::source::Span, model::nearest};

/// A problem in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::language) struct Description {
    /// A short name that stays the same between versions.
    pub(in crate::language) code: &'static str,
    /// What is wrong.
    pub(in crate::language) message: String,
    /// Places and what is to be said of them; the first is the problem's own.
    pub(in crate::language) labels: Vec<(Span, String)>,
    /// What to do.
    pub(in crate::language) help: Option<String>,
}

impl Description {
    /// A problem without a place.
    pub(super) fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), labels: Vec::new(), help: None }
    }

    /// With a label at a place.
    pub(super) fn at(mut self, span: Span, label: impl Into<String>) -> Self {
        self.labels.push((span, label.into()));
        self
    }

    /// With a way out, unless it has one.
    pub(super) fn help(mut self, help: impl Into<String>) -> Self {
        self.help.get_or_insert_with(|| help.into());
        self
    }

    /// With a way out, if there is one and it has none.
    pub(super) fn maybe_help(mut self, help: Option<String>) -> Self {
        self.help = self.help.or(help);
        self
    }
}

/// `did you mean …?`, if one of `known` is near.
pub(super) fn near<T: AsRef<str>>(name: &str, known: &[T]) -> Option<String> {
    let near = nearest(name, known.iter().map(AsRef::as_ref))?;
    Some(format!("did you mean `{near}`?"))
}

/// All of `known`, if there are any.
pub(super) fn list<T: AsRef<str>>(before: &str, known: &[T]) -> Option<String> {
    const MANY: usize = 40;
    let names = known.iter().take(MANY).map(|name| format!("`{}`", name.as_ref()));
    let names: Vec<String> = names.collect();
    let more = if known.len() > MANY { ", …" } else { "" };
    (!names.is_empty()).then(|| format!("{before} {}{more}", names.join(", ")))
}

/// `a`, `a or b`, `a, b or c`.
pub(super) fn or(all: &[String]) -> String {
    match all {
        [] => String::new(),
        [one] => one.clone(),
        [most @ .., last] => format!("{} or {last}", most.join(", ")),
    }
}
