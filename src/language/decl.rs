//! Declarations: nodes whose names, properties and values are known to be right by themselves.

use std::{rc::Rc, time::Duration};

use super::{
    schema::NodeSpec,
    source::{Span, Spanned},
    value::Value,
};
use crate::model::{Signal, StatusSet};

/// Through what a node or property came to where it holds; nothing for the service's own.
pub(super) type Via = Option<Rc<str>>;

/// A node that the schema knows, at a place where it may stand.
#[derive(Debug, Clone)]
pub(super) struct Decl {
    /// What the schema says of it.
    pub(super) spec: &'static NodeSpec,
    /// Its name as written.
    pub(super) name: Spanned<String>,
    /// Its values; wrong ones are left out (their problems have been noted).
    pub(super) values: Vec<Spanned<Value>>,
    /// Its properties; wrong ones are left out.
    pub(super) props: Vec<Prop>,
    /// What stands in its braces, if it has any.
    pub(super) children: Option<Vec<Decl>>,
    /// Whether anything of it was wrong and left out: a value, a property, an unknown child.
    pub(super) damaged: bool,
    /// Through what it came.
    pub(super) via: Via,
}

/// Whether the first value of such a node is a name for others to use.
pub(super) fn declares(spec: &NodeSpec) -> bool {
    matches!(spec.name.as_str(), "service" | "task" | "group" | "template" | "profile")
}

/// A property.
#[derive(Debug, Clone)]
pub(super) struct Prop {
    /// Its name.
    pub(super) name: Spanned<String>,
    /// Its value.
    pub(super) value: Spanned<Value>,
    /// Through what it came.
    pub(super) via: Via,
}

impl Decl {
    /// The node's place: its name.
    pub(super) fn span(&self) -> Span {
        self.name.span
    }

    /// Its children.
    pub(super) fn children(&self) -> &[Decl] {
        self.children.as_deref().unwrap_or_default()
    }

    /// All children of that name.
    pub(super) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Decl> {
        debug_assert!(self.spec.child(name).is_some(), "{name} in {}", self.spec.name);
        self.children().iter().filter(move |child| child.name.value == name)
    }

    /// The child of that name that stands once.
    pub(super) fn one<'a>(&'a self, name: &'a str) -> Option<&'a Decl> {
        self.all(name).next()
    }

    /// A property's value and place.
    pub(super) fn prop(&self, name: &str) -> Option<&Spanned<Value>> {
        debug_assert!(self.spec.prop(name).is_some(), "{name} of {}", self.spec.name);
        self.props.iter().find(|prop| prop.name.value == name).map(|prop| &prop.value)
    }

    /// The strings among the values.
    pub(super) fn texts(&self) -> impl Iterator<Item = Spanned<&str>> {
        self.values.iter().filter_map(text)
    }

    /// The first value, if it is a string.
    pub(super) fn text(&self) -> Option<Spanned<&str>> {
        self.values.first().and_then(text)
    }

    /// The first value, if it is a boolean.
    pub(super) fn bool(&self) -> Option<bool> {
        match self.values.first()?.value {
            Value::Bool(yes) => Some(yes),
            _ => None,
        }
    }

    /// The first value, if it is a time.
    pub(super) fn duration(&self) -> Option<Duration> {
        as_duration(self.values.first()?)
    }

    /// The first value, if it is a number.
    pub(super) fn number<N: TryFrom<i64>>(&self) -> Option<N> {
        as_number(self.values.first()?)
    }

    /// A property that is a string.
    pub(super) fn prop_text(&self, name: &str) -> Option<Spanned<&str>> {
        self.prop(name).and_then(text)
    }

    /// A property that is a boolean; false without it.
    pub(super) fn prop_is(&self, name: &str) -> bool {
        matches!(self.prop(name), Some(Spanned { value: Value::Bool(true), .. }))
    }

    /// A property that is a time.
    pub(super) fn prop_duration(&self, name: &str) -> Option<Duration> {
        as_duration(self.prop(name)?)
    }

    /// A property that is a size.
    pub(super) fn prop_size(&self, name: &str) -> Option<u64> {
        match self.prop(name)?.value {
            Value::Size(bytes) => Some(bytes),
            _ => None,
        }
    }

    /// A property that is a number.
    pub(super) fn prop_number<N: TryFrom<i64>>(&self, name: &str) -> Option<N> {
        as_number(self.prop(name)?)
    }

    /// A property that is a set of HTTP statuses.
    pub(super) fn prop_statuses(&self, name: &str) -> Option<&StatusSet> {
        match &self.prop(name)?.value {
            Value::Statuses(statuses) => Some(statuses),
            _ => None,
        }
    }

    /// A property that is a signal.
    pub(super) fn prop_signal(&self, name: &str) -> Option<Signal> {
        match self.prop(name)?.value {
            Value::Signal(signal) => Some(signal),
            _ => None,
        }
    }

    /// Says of the node and of all in it through what they came.
    pub(super) fn mark(&mut self, via: &Via) {
        self.via.clone_from(via);
        self.props.iter_mut().for_each(|prop| prop.via.clone_from(via));
        self.children.iter_mut().flatten().for_each(|child| child.mark(via));
    }
}

/// The string of a value.
fn text(value: &Spanned<Value>) -> Option<Spanned<&str>> {
    match &value.value {
        Value::Text(text) => Some(Spanned::new(text, value.span)),
        _ => None,
    }
}

fn as_duration(value: &Spanned<Value>) -> Option<Duration> {
    match value.value {
        Value::Duration(duration) => Some(duration),
        _ => None,
    }
}

fn as_number<N: TryFrom<i64>>(value: &Spanned<Value>) -> Option<N> {
    match value.value {
        Value::Int(number) => N::try_from(number).ok(),
        _ => None,
    }
}
