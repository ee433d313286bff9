//! The vocabulary: `schema/stack.schema.kdl`, loaded.

use std::{
    collections::HashMap,
    sync::{Arc, LazyLock},
};

use kdl::{KdlDocument, KdlNode, KdlValue};

use super::{fast_parser, scan};

/// The schema as it is published.
pub(super) const TEXT: &str = include_str!("../../schema/stack.schema.kdl");

static SCHEMA: LazyLock<NodeSpec> =
    LazyLock::new(|| load(TEXT).expect("the embedded schema is read by a test"));

/// The document itself: a node without a name whose children are the top level.
pub(super) fn document() -> &'static NodeSpec {
    &SCHEMA
}

/// What the schema says of a node.
#[derive(Debug, Clone, Default)]
pub(super) struct NodeSpec {
    /// Its name; empty for one whose name is the user's to choose (a variable).
    pub(super) name: String,
    /// One line about it.
    pub(super) doc: String,
    /// How often it must stand.
    pub(super) min: usize,
    /// How often it may stand.
    pub(super) max: Option<usize>,
    /// Its values.
    pub(super) value: Option<ValueSpec>,
    /// Its properties.
    pub(super) props: Vec<PropSpec>,
    /// What may stand in its braces; `None` if it takes none.
    pub(super) children: Option<Arc<Vec<NodeSpec>>>,
    /// How it is written.
    pub(super) example: String,
    /// The version that brought it.
    pub(super) since: String,
}

/// What the schema says of values.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct ValueSpec {
    /// How many there must be.
    pub(super) min: usize,
    /// How many there may be.
    pub(super) max: Option<usize>,
    /// The types that will do.
    pub(super) types: Vec<String>,
    /// What else they must be.
    pub(super) format: Option<String>,
    /// The only ones that will do, if any are listed.
    pub(super) choices: Vec<String>,
    /// What holds without one, as it would be written.
    pub(super) default: Option<String>,
}

/// What the schema says of a property.
#[derive(Debug, Clone, Default)]
pub(super) struct PropSpec {
    /// Its name.
    pub(super) name: String,
    /// One line about it.
    pub(super) doc: String,
    /// Its value; `min` 1 for one that must be there.
    pub(super) value: ValueSpec,
    /// A value, as it would be written.
    pub(super) example: String,
}

impl NodeSpec {
    /// The child of that name.
    pub(super) fn child(&self, name: &str) -> Option<&NodeSpec> {
        let children = self.children.as_deref()?;
        children.iter().find(|child| child.name == name || child.name.is_empty())
    }

    /// The property of that name.
    pub(super) fn prop(&self, name: &str) -> Option<&PropSpec> {
        self.props.iter().find(|prop| prop.name == name)
    }

    /// Whether it stands once (and layers merge into it), rather than as often as one likes.
    pub(super) fn is_single(&self) -> bool {
        self.max == Some(1)
    }
}

/// The definitions of a schema, by their `id`.
type Definitions<'a> = HashMap<&'a str, &'a KdlNode>;

fn load(text: &str) -> Result<NodeSpec, String> {
    let schema = fast_parser::document(text, &scan::tokens(text)).map_err(|_| "not plain KDL")?;
    let mut definitions = Definitions::new();
    collect(&schema, &mut definitions);
    let document = schema.get("document").and_then(KdlNode::children).ok_or("no document")?;
    let children = children(document, &definitions)?;
    Ok(NodeSpec { children: Some(Arc::new(children)), ..NodeSpec::default() })
}

fn collect<'a>(document: &'a KdlDocument, into: &mut Definitions<'a>) {
    for node in document.nodes() {
        if let Some(id) = string(node, "id") {
            into.insert(id, node);
        }
        if let Some(children) = node.children() {
            collect(children, into);
        }
    }
}

fn children(
    document: &KdlDocument,
    definitions: &Definitions<'_>,
) -> Result<Vec<NodeSpec>, String> {
    let nodes = document.nodes().iter().filter(|node| node.name().value() == "node");
    nodes.map(|child| node(child, definitions)).collect()
}

/// A node's own children, and the node that its `ref` names.
fn resolve<'a>(
    node: &'a KdlNode,
    definitions: &Definitions<'a>,
) -> Result<Option<&'a KdlNode>, String> {
    let Some(reference) = string(node, "ref") else { return Ok(None) };
    let id = reference.strip_prefix("[id=").and_then(|rest| rest.strip_suffix(']'));
    let found = id.and_then(|id| definitions.get(id).copied());
    found.map(Some).ok_or_else(|| format!("nothing has {reference}"))
}

fn node(node_: &KdlNode, definitions: &Definitions<'_>) -> Result<NodeSpec, String> {
    let mut spec = match resolve(node_, definitions)? {
        Some(definition) => node(definition, definitions)?,
        None => NodeSpec::default(),
    };
    if let Some(name) = first(node_) {
        name.clone_into(&mut spec.name);
    }
    if let Some(doc) = string(node_, "description") {
        doc.clone_into(&mut spec.doc);
    }
    for part in node_.children().map(KdlDocument::nodes).unwrap_or_default() {
        match part.name().value() {
            "min" => spec.min = count(part)?,
            "max" => spec.max = Some(count(part)?),
            "value" => spec.value = Some(value(part)?),
            "prop" => spec.props.push(prop(part, definitions)?),
            "children" => spec.children = Some(Arc::new(children_of(part, definitions)?)),
            "example" => written(part).clone_into(&mut spec.example),
            "since" => written(part).clone_into(&mut spec.since),
            other => return Err(format!("`{other}` in a node")),
        }
    }
    Ok(spec)
}

fn children_of(part: &KdlNode, definitions: &Definitions<'_>) -> Result<Vec<NodeSpec>, String> {
    let from = resolve(part, definitions)?.unwrap_or(part);
    children(from.children().ok_or("children without children")?, definitions)
}

fn prop(node: &KdlNode, definitions: &Definitions<'_>) -> Result<PropSpec, String> {
    let from = resolve(node, definitions)?.unwrap_or(node);
    let example = from.children().and_then(|parts| parts.get("example"));
    Ok(PropSpec {
        name: first(node).ok_or("a prop without a name")?.to_owned(),
        doc: string(from, "description").unwrap_or_default().to_owned(),
        value: value(from)?,
        example: example.map(written).unwrap_or_default(),
    })
}

fn value(node: &KdlNode) -> Result<ValueSpec, String> {
    let mut spec = ValueSpec::default();
    for part in node.children().map(KdlDocument::nodes).unwrap_or_default() {
        let strings = || part.iter().filter_map(|entry| entry.value().as_string());
        match part.name().value() {
            "min" => spec.min = count(part)?,
            "max" => spec.max = Some(count(part)?),
            "type" => spec.types = strings().map(str::to_owned).collect(),
            "format" => spec.format = strings().next().map(str::to_owned),
            "enum" => spec.choices = strings().map(str::to_owned).collect(),
            "default" => spec.default = part.get(0).map(spelled),
            "example" => {}
            other => return Err(format!("`{other}` in a value")),
        }
    }
    Ok(spec)
}

fn first(node: &KdlNode) -> Option<&str> {
    node.get(0).and_then(KdlValue::as_string)
}

fn string<'a>(node: &'a KdlNode, prop: &str) -> Option<&'a str> {
    node.get(prop).and_then(KdlValue::as_string)
}

fn count(node: &KdlNode) -> Result<usize, String> {
    let number = node.get(0).and_then(KdlValue::as_integer);
    number.and_then(|number| usize::try_from(number).ok()).ok_or_else(|| format!("{node}"))
}

/// A value as one writes it: strings in quotes.
fn spelled(value: &KdlValue) -> String {
    match value {
        KdlValue::String(text) => format!("{text:?}"),
        other => other.to_string(),
    }
}

/// A value as it would be written: a string holds the very spelling.
fn written(node: &KdlNode) -> String {
    match node.get(0) {
        Some(KdlValue::String(text)) => text.clone(),
        Some(other) => other.to_string(),
        None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_embedded_schema_loads() {
        let document = load(TEXT).expect("loads");
        let service = document.child("service").expect("service");
        let ready = service.child("ready").expect("ready");
        assert_eq!(ready.prop("within").expect("within").value.default.as_deref(), Some("\"60s\""));
        assert!(service.child("env").expect("env").child("ANY").is_some());
    }
}
