//! One node by itself: what may stand in it.

use super::{
    Description,
    description::{list, near, or},
    value,
};
use crate::language::{
    name,
    schema::ValueSpec,
    source::{Span, Spanned},
    value::BadValue,
};

/// A problem of one node.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::language) enum NodeProblem {
    /// Nothing of that name may stand there; `elsewhere` it may.
    UnknownNode {
        node: Spanned<String>,
        parent: &'static str,
        known: Vec<&'static str>,
        elsewhere: Vec<String>,
    },
    /// It has no property of that name; there may be a child.
    UnknownProperty {
        prop: Spanned<String>,
        node: String,
        known: Vec<&'static str>,
        is_child: bool,
    },
    /// It stands once, and is there twice.
    TwiceNode { node: String, first: Span, second: Span },
    /// A property is there twice.
    TwiceProperty { prop: Spanned<String>, first: Span },
    /// It must have a certain child.
    MissingNode { parent: String, child: String, at: Span },
    /// It must have values.
    MissingValue { node: Spanned<String>, spec: &'static ValueSpec, example: &'static str },
    /// It must have a certain property.
    MissingProperty { node: Spanned<String>, prop: &'static str, example: &'static str },
    /// It takes fewer values.
    TooManyValues { node: String, max: usize, at: Span },
    /// It has no children.
    NoBraces { node: Spanned<String> },
    /// `'…'` is no string.
    SingleQuotes { at: Span },
    /// What looks like a value is the next node.
    MissingSemicolon { next: Spanned<String> },
    /// Not the name of a variable.
    BadVariable { name: Spanned<String> },
    /// A value will not do.
    BadValue { of: String, spec: &'static ValueSpec, value: kdl::KdlValue, bad: BadValue, at: Span },
}

impl NodeProblem {
    pub(super) fn describe(&self) -> Description {
        match self {
            Self::UnknownNode { node, parent, known, elsewhere } => {
                unknown_node(node, parent, known, elsewhere)
            }
            Self::UnknownProperty { prop, node, known, is_child } => {
                let name = &prop.value;
                let child = format!("`{name}` is a node: write `{node} … {{ {name} … }}`");
                Description::new("unknown-property", format!("`{node}` has no property `{name}`"))
                    .at(prop.span, "unknown property")
                    .maybe_help(is_child.then_some(child))
                    .maybe_help(near(name, known))
                    .maybe_help(list(&format!("the properties of `{node}` are"), known))
                    .help(format!("`{node}` takes no properties"))
            }
            Self::TwiceNode { node, first, second } => {
                Description::new("twice", format!("`{node}` is given twice"))
                    .at(*second, "again here")
                    .at(*first, "first here")
                    .help("keep one of them")
            }
            Self::TwiceProperty { prop, first } => {
                Description::new("twice", format!("the property `{}` is given twice", prop.value))
                    .at(prop.span, "again here")
                    .at(*first, "first here")
                    .help("keep one of them")
            }
            Self::MissingNode { parent, child, at } => {
                Description::new("missing", format!("`{parent}` has no `{child}`"))
                    .at(*at, format!("needs a `{child}` in braces"))
                    .help(format!("write `{parent} {{ {child} … }}`"))
            }
            Self::MissingValue { node, spec, example } => {
                let what = match (spec.min, spec.format.as_deref()) {
                    (1, Some("name")) => "a name".to_owned(),
                    (1, _) => "a value".to_owned(),
                    (min, _) => format!("{min} values"),
                };
                Description::new("missing", format!("`{}` needs {what}", node.value))
                    .at(node.span, "no value")
                    .help(format!("for example: {example}"))
            }
            Self::MissingProperty { node, prop, example } => {
                Description::new("missing", format!("`{}` needs `{prop}=…`", node.value))
                    .at(node.span, format!("without `{prop}`"))
                    .help(format!("for example: {example}"))
            }
            Self::TooManyValues { node, max, at } => {
                let takes = match max {
                    0 => "no value".to_owned(),
                    1 => "one value".to_owned(),
                    max => format!("{max} values"),
                };
                Description::new("too-many", format!("`{node}` takes {takes}"))
                    .at(*at, "too many")
                    .help("remove it; to write two nodes on one line, put a `;` between them")
            }
            Self::NoBraces { node } => {
                Description::new("no-braces", format!("`{}` takes nothing in braces", node.value))
                    .at(node.span, "has a `{`")
                    .help("remove the braces, or write what is in them directly after it")
            }
            Self::SingleQuotes { at } => {
                Description::new("syntax", "strings are written in double quotes")
                    .at(*at, "`'` does not begin a string")
                    .help("write `\"…\"`")
            }
            Self::MissingSemicolon { next } => {
                Description::new("missing", format!("a `;` is missing before `{}`", next.value))
                    .at(next.span, "two nodes on one line")
                    .help("write `;` between them, put each on a line of its own, or quote it if it is a value")
            }
            Self::BadVariable { name } => {
                Description::new("bad-name", format!("`{}` is not a valid variable name", name.value))
                    .at(name.span, "use letters, digits and `_`, not a digit first")
                    .help(format!("for example `{}`", name::variable(&name.value)))
            }
            Self::BadValue { of, spec, value, bad, at } => {
                value::describe(of, spec, value, bad, *at)
            }
        }
    }
}

fn unknown_node(
    node: &Spanned<String>,
    parent: &str,
    known: &[&str],
    elsewhere: &[String],
) -> Description {
    let name = &node.value;
    let place = |home: &str| match home {
        "" => "at the top level".to_owned(),
        home => format!("in `{home}`"),
    };
    let here = place(parent);
    let homes: Vec<String> = elsewhere.iter().map(|home| place(home)).collect();
    let message = match homes.as_slice() {
        [] => format!("unknown node `{name}`"),
        _ => format!("`{name}` is not allowed {here}"),
    };
    let colon = name.strip_suffix(':').map(|bare| {
        format!("write no `:` after a name: `{bare} …`, or `{bare} {{ … }}` for what is in it")
    });
    let label = match homes.as_slice() {
        [] => format!("unknown {here}"),
        _ => "belongs elsewhere".to_owned(),
    };
    Description::new("unknown-node", message)
        .at(node.span, label)
        .maybe_help(colon)
        .maybe_help((!homes.is_empty()).then(|| {
            let few = (1..=3)
                .contains(&known.len())
                .then(|| list(&format!("; {here} you can write"), known));
            format!("it belongs {}{}", or(&homes), few.flatten().unwrap_or_default())
        }))
        .maybe_help(near(name, known))
        .maybe_help(list(&format!("allowed {here}:"), known))
}
