//! The ports that a service publishes.

use super::{Compose, values::port};
use crate::import::{kdl_writer::Node, report::Report, value::Value};

impl Compose<'_> {
    pub(super) fn port_nodes(
        &self,
        own: &str,
        value: &Value,
        native: bool,
        report: &mut Report,
    ) -> Vec<Node> {
        let mut nodes = Vec::new();
        for item in value.items() {
            let Some((inside, outside)) = port(item) else {
                report.left(
                    item.line,
                    format!("{own}.ports"),
                    "is not a single TCP port with a fixed number",
                );
                continue;
            };
            let number = if native { inside } else { outside };
            if native && inside != outside {
                let text = format!("the program listens on {inside}; it was reached at {outside}");
                report.changed(item.line, format!("{own}.ports"), text);
            }
            let mut node = Node::new("port").arg(number).from(item.line);
            if !nodes.is_empty() {
                node = node.prop("name", format!("p{inside}"));
            }
            nodes.push(if native { node } else { node.prop("owner", "any") });
        }
        nodes
    }
}
