//! What needs what, as text, for Graphviz, for Mermaid, and as data.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::theme::{Symbol, Theme, Tone};
use crate::model::{Need, NeedUntil, Stack};

/// As an outline: first what nothing needs, below each what it needs. Each is spelled out once.
pub fn text(stack: &Stack, theme: Theme) -> String {
    let needed: BTreeSet<&str> =
        stack.names().flat_map(|name| stack.needs(name)).map(|need| need.name.as_str()).collect();
    let mut outline = Outline { stack, theme, seen: BTreeSet::new(), text: String::new() };
    for name in stack.names().filter(|name| !needed.contains(name)) {
        outline.add(name, "", "", "");
    }
    // What is left is part of a cycle, which a checked file has not.
    let rest: Vec<&str> = stack.names().filter(|name| !outline.seen.contains(*name)).collect();
    for name in rest {
        outline.add(name, "", "", "");
    }
    outline.text
}

struct Outline<'a> {
    stack: &'a Stack,
    theme: Theme,
    seen: BTreeSet<&'a str>,
    text: String,
}

impl<'a> Outline<'a> {
    fn add(&mut self, name: &'a str, start: &str, indent: &str, how: &str) {
        let theme = self.theme;
        let needs = self.stack.needs(name);
        let again = !self.seen.insert(name) && !needs.is_empty();
        let shown = match self.stack.task(name) {
            Some(_) => format!("{name} {}", theme.paint(Tone::Faint, "(task)")),
            None => theme.paint(Tone::Strong, name),
        };
        let more = if again { theme.symbol(Symbol::Dots) } else { String::new() };
        let line = format!("{}{shown}{how} {more}", theme.paint(Tone::Faint, start));
        self.text.push_str(line.trim_end());
        self.text.push('\n');
        if again {
            return;
        }
        let (branch, corner, pipe) =
            if theme.unicode { ("├─ ", "└─ ", "│  ") } else { ("|- ", "`- ", "|  ") };
        let edges = edges_of(self.stack, name);
        for (number, edge) in edges.iter().enumerate() {
            let last = number + 1 == edges.len();
            let start = format!("{indent}{}", if last { corner } else { branch });
            let deeper = format!("{indent}{}", if last { "   " } else { pipe });
            let how = edge.how();
            let how =
                if how.is_empty() { how } else { format!(" {}", theme.paint(Tone::Faint, how)) };
            self.add(edge.to, &start, &deeper, &how);
        }
    }
}

/// One need or order.
struct Edge<'a> {
    to: &'a str,
    /// None: order alone.
    need: Option<&'a Need>,
}

impl Edge<'_> {
    /// What is special about it, in brackets.
    fn how(&self) -> String {
        let Some(need) = self.need else { return "(order alone)".into() };
        let mut words = Vec::new();
        words.extend((need.until == NeedUntil::Started).then_some("started"));
        words.extend(need.follow.then_some("follow"));
        words.extend(need.optional.then_some("optional"));
        if words.is_empty() { String::new() } else { format!("({})", words.join(", ")) }
    }
}

fn edges_of<'a>(stack: &'a Stack, name: &str) -> Vec<Edge<'a>> {
    let needs = stack.needs(name).iter();
    let needs = needs.map(|need| Edge { to: &need.name, need: Some(need) });
    let after = stack.after(name).iter().map(|name| Edge { to: name, need: None });
    needs.chain(after).collect()
}

/// For Graphviz: an arrow leads from what starts first to what needs it.
pub fn dot(stack: &Stack) -> String {
    let mut text = String::from("digraph stack {\n    rankdir=LR;\n    node [shape=box];\n");
    for name in stack.names() {
        let shape = if stack.task(name).is_some() { " [shape=ellipse]" } else { "" };
        text.push_str(&format!("    \"{name}\"{shape};\n"));
    }
    for name in stack.names() {
        for edge in edges_of(stack, name) {
            let style = match edge.need {
                None => " [style=dotted]",
                Some(need) if need.optional => " [style=dashed]",
                Some(_) => "",
            };
            text.push_str(&format!("    \"{}\" -> \"{name}\"{style};\n", edge.to));
        }
    }
    text.push_str("}\n");
    text
}

/// For Mermaid, as in a Markdown file.
pub fn mermaid(stack: &Stack) -> String {
    let mut text = String::from("graph LR\n");
    // A name such as `end` means something to Mermaid: nodes have numbers.
    let ids: BTreeMap<&str, usize> =
        stack.names().enumerate().map(|(number, name)| (name, number)).collect();
    for name in stack.names() {
        let id = ids[name];
        match stack.task(name) {
            Some(_) => text.push_str(&format!("    n{id}([\"{name}\"])\n")),
            None => text.push_str(&format!("    n{id}[\"{name}\"]\n")),
        }
    }
    for name in stack.names() {
        for edge in edges_of(stack, name) {
            let Some(from) = ids.get(edge.to) else { continue };
            let arrow = match edge.need {
                Some(need) if !need.optional => "-->",
                _ => "-.->",
            };
            text.push_str(&format!("    n{from} {arrow} n{}\n", ids[name]));
        }
    }
    text
}

/// As data.
pub fn json(stack: &Stack) -> Value {
    let nodes: Vec<Value> = stack
        .names()
        .map(|name| {
            let kind = if stack.task(name).is_some() { "task" } else { "service" };
            json!({ "name": name, "kind": kind })
        })
        .collect();
    let edges: Vec<Value> = stack
        .names()
        .flat_map(|name| edges_of(stack, name).into_iter().map(move |edge| edge_json(name, &edge)))
        .collect();
    let groups: Vec<Value> = stack
        .groups
        .iter()
        .map(|group| json!({ "name": group.name, "members": group.members }))
        .collect();
    json!({ "format": 1, "stack": stack.name, "nodes": nodes, "edges": edges, "groups": groups })
}

fn edge_json(from: &str, edge: &Edge<'_>) -> Value {
    match edge.need {
        None => json!({ "from": from, "to": edge.to, "kind": "after" }),
        Some(need) => json!({
            "from": from,
            "to": edge.to,
            "kind": "needs",
            "until": need.until,
            "follow": need.follow,
            "optional": need.optional,
        }),
    }
}
