//! KDL → declarations: whatever the schema does not know, or knows to be wrong, becomes a problem.

use std::collections::HashMap;

use kdl::{KdlDocument, KdlEntry, KdlIdentifier, KdlNode};

use super::{
    decl::{Decl, Prop, declares},
    name,
    problem::{NodeProblem, Problems},
    recover::Missing,
    schema::{NodeSpec, ValueSpec},
    source::{Span, Spanned},
    value::{self, Value},
};

/// Reads the nodes of a file, or of a node's braces.
pub(super) struct Syntax<'a> {
    /// Which file they stand in.
    pub(super) file: usize,
    /// What of the file could not be read.
    pub(super) missing: &'a Missing,
    /// Where problems go.
    pub(super) problems: &'a mut Problems,
}

impl Syntax<'_> {
    /// The nodes of `document`, as children of what `parent` describes; and whether some of them
    /// are unknown.
    pub(super) fn children(
        &mut self,
        document: &KdlDocument,
        parent: &'static NodeSpec,
        place: Span,
        damaged: bool,
    ) -> (Vec<Decl>, bool) {
        let mut decls: Vec<Decl> = Vec::new();
        let mut unknown = false;
        let mut single: HashMap<&str, Span> = HashMap::new();
        for node in document.nodes() {
            let name = self.spanned(node.name());
            let Some(spec) = parent.child(&name.value) else {
                self.unknown_node(name, parent);
                unknown = true;
                continue;
            };
            if spec.is_single()
                && let Some(first) = single.insert(node.name().value(), name.span)
            {
                single.insert(node.name().value(), first);
                self.problems.add(NodeProblem::TwiceNode {
                    node: name.value,
                    first,
                    second: name.span,
                });
                continue;
            }
            decls.push(self.node(node, name, spec, parent));
        }
        for child in parent.children.iter().flat_map(|children| children.iter()) {
            let count = document.nodes().iter().filter(|node| node.name().value() == child.name);
            // An unknown node may be the one that is missing.
            if count.count() < child.min && !damaged && !unknown {
                let (parent, child) = (parent.name.clone(), child.name.clone());
                self.problems.add(NodeProblem::MissingNode { parent, child, at: place });
            }
        }
        (decls, unknown)
    }

    fn unknown_node(&mut self, name: Spanned<String>, parent: &'static NodeSpec) {
        let known = parent.children.iter().flat_map(|children| children.iter());
        let known: Vec<&'static str> = known.map(|child| child.name.as_str()).collect();
        self.problems.add(NodeProblem::UnknownNode {
            elsewhere: super::explain::homes(&name.value),
            node: name,
            parent: parent.name.as_str(),
            known,
        });
    }

    fn node(
        &mut self,
        node: &KdlNode,
        name: Spanned<String>,
        spec: &'static NodeSpec,
        parent: &'static NodeSpec,
    ) -> Decl {
        if spec.name.is_empty() && !name::is_variable(&name.value) {
            self.problems.add(NodeProblem::BadVariable { name: name.clone() });
        }
        let before = self.problems.len();
        let (values, props) = self.entries(node, &name, spec, parent);
        let mut damaged = self.problems.len() > before;
        let whole = self.span(node.span());
        damaged |= self.missing.is_within(&(whole.start..whole.end));
        let children = node.children().map(|document| match &spec.children {
            Some(_) => {
                let (children, unknown) = self.children(document, spec, name.span, damaged);
                damaged |= unknown;
                children
            }
            None => {
                self.problems.add(NodeProblem::NoBraces { node: name.clone() });
                Vec::new()
            }
        });
        if children.is_none() && !damaged {
            self.missing_children(spec, name.span);
        }
        Decl { spec, name, values, props, children, damaged, via: None }
    }

    fn missing_children(&mut self, spec: &'static NodeSpec, at: Span) {
        for child in spec.children.iter().flat_map(|children| children.iter()) {
            if child.min > 0 {
                let (parent, child) = (spec.name.clone(), child.name.clone());
                self.problems.add(NodeProblem::MissingNode { parent, child, at });
            }
        }
    }

    fn entries(
        &mut self,
        node: &KdlNode,
        name: &Spanned<String>,
        spec: &'static NodeSpec,
        parent: &'static NodeSpec,
    ) -> (Vec<Spanned<Value>>, Vec<Prop>) {
        let (mut values, mut props) = (Vec::new(), Vec::<Prop>::new());
        let mut seen: HashMap<&str, Span> = HashMap::new();
        let mut count = 0;
        for entry in node.entries() {
            if let Some(key) = entry.name() {
                if let Some(first) = seen.insert(key.value(), self.span(key.span())) {
                    let prop = self.spanned(key);
                    seen.insert(key.value(), first);
                    self.problems.add(NodeProblem::TwiceProperty { prop, first });
                    continue;
                }
                props.extend(self.prop(entry, key, name, spec));
            } else if is_next_node(entry, count, spec, parent) {
                let name = entry.value().as_string().unwrap_or_default().to_owned();
                let next = Spanned::new(name, self.value_span(entry));
                self.problems.add(NodeProblem::MissingSemicolon { next });
                break;
            } else if is_single_quoted(entry) {
                self.problems.add(NodeProblem::SingleQuotes { at: self.value_span(entry) });
                // The words up to the other quote are one mistake.
                count = usize::MAX;
                break;
            } else {
                count += 1;
                values.extend(self.argument(entry, count, name, spec));
            }
        }
        self.missing(node, count, name, spec);
        (values, props)
    }

    fn argument(
        &mut self,
        entry: &KdlEntry,
        count: usize,
        name: &Spanned<String>,
        spec: &'static NodeSpec,
    ) -> Option<Spanned<Value>> {
        let at = self.value_span(entry);
        match &spec.value {
            Some(value) if value.max.is_none_or(|max| count <= max) => {
                let known = self.value(entry, value, &name.value);
                // What cannot be a name is one all the same: what it has is looked at, too.
                let named = || (count == 1 && declares(spec)).then(|| entry.value().as_string());
                let text = |text: &str| Spanned::new(Value::Text(text.to_owned()), at);
                let given = || named().flatten().filter(|name| !name.trim().is_empty()).map(text);
                known.or_else(given)
            }
            Some(value) => {
                let max = value.max.unwrap_or_default();
                // One problem for all that is too much.
                if count == max + 1 {
                    self.problems.add(NodeProblem::TooManyValues {
                        node: name.value.clone(),
                        max,
                        at,
                    });
                }
                None
            }
            None => {
                if count == 1 {
                    self.problems.add(NodeProblem::TooManyValues {
                        node: name.value.clone(),
                        max: 0,
                        at,
                    });
                }
                None
            }
        }
    }

    fn prop(
        &mut self,
        entry: &KdlEntry,
        key: &KdlIdentifier,
        node: &Spanned<String>,
        spec: &'static NodeSpec,
    ) -> Option<Prop> {
        let name = self.spanned(key);
        let Some(known) = spec.prop(&name.value) else {
            self.problems.add(NodeProblem::UnknownProperty {
                prop: name,
                node: node.value.clone(),
                known: spec.props.iter().map(|prop| prop.name.as_str()).collect(),
                is_child: spec.child(key.value()).is_some_and(|child| !child.name.is_empty()),
            });
            return None;
        };
        let value = self.value(entry, &known.value, &name.value)?;
        Some(Prop { name, value, via: None })
    }

    /// Values and properties that must be there.
    fn missing(
        &mut self,
        node: &KdlNode,
        count: usize,
        name: &Spanned<String>,
        spec: &'static NodeSpec,
    ) {
        if let Some(value) = spec.value.as_ref().filter(|value| count < value.min) {
            self.problems.add(NodeProblem::MissingValue {
                node: name.clone(),
                spec: value,
                example: &spec.example,
            });
        }
        let props = spec.props.iter().filter(|prop| prop.value.min > 0);
        for prop in props.filter(|prop| node.entry(prop.name.as_str()).is_none()) {
            let (node, prop) = (name.clone(), prop.name.as_str());
            self.problems.add(NodeProblem::MissingProperty { node, prop, example: &spec.example });
        }
    }

    fn value(
        &mut self,
        entry: &KdlEntry,
        spec: &'static ValueSpec,
        of: &str,
    ) -> Option<Spanned<Value>> {
        let span = self.value_span(entry);
        let spelling = entry.format().map_or("", |format| format.value_repr.as_str());
        match value::parse(spec, entry.value(), spelling) {
            Ok(value) => Some(Spanned::new(value, span)),
            Err(bad) => {
                let value = entry.value().clone();
                self.problems.add(NodeProblem::BadValue {
                    of: of.to_owned(),
                    spec,
                    value,
                    bad,
                    at: span,
                });
                None
            }
        }
    }

    fn spanned(&self, identifier: &KdlIdentifier) -> Spanned<String> {
        Spanned::new(identifier.value().to_owned(), self.span(identifier.span()))
    }

    fn span(&self, span: miette::SourceSpan) -> Span {
        self.place(span.offset()..span.offset() + span.len())
    }

    /// The place of bytes of the text that KDL read.
    fn place(&self, range: std::ops::Range<usize>) -> Span {
        let range = self.missing.original(range);
        Span { file: self.file, start: range.start, end: range.end }
    }

    /// The place of an entry's value, without its name.
    fn value_span(&self, entry: &KdlEntry) -> Span {
        let (start, length) = (entry.span().offset(), entry.span().len());
        let value = entry.format().map_or(length, |format| format.value_repr.len());
        self.place((start + length).saturating_sub(value)..start + length)
    }
}

/// Whether what looks like a value is the next node, with no `;` before it: a bare word that names
/// a node of the same place, where a value has no more business.
fn is_next_node(entry: &KdlEntry, count: usize, spec: &NodeSpec, parent: &NodeSpec) -> bool {
    let bare = entry.format().is_some_and(|format| !format.value_repr.starts_with(['"', '#']));
    let names = |text| parent.child(text).is_some_and(|sibling| !sibling.name.is_empty());
    let enough = spec.value.as_ref().is_none_or(|value| {
        count >= value.min && count > 0 && value.format.as_deref() != Some("name")
    });
    bare && enough && entry.value().as_string().is_some_and(names)
}

/// `'a`: a bare word to KDL.
fn is_single_quoted(entry: &KdlEntry) -> bool {
    entry.format().is_some_and(|format| format.value_repr.starts_with('\''))
}
