//! A stack file that is being made: nodes, and how they are written as KDL.

use std::fmt::Write;

use super::kdl_text::{identifier, lines, quoted};

/// A stack file that is being made.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Draft {
    /// The stack's name.
    pub(super) name: String,
    /// The nodes after `stack`.
    pub(super) nodes: Vec<Node>,
    /// A remark at the end.
    pub(super) remark: Option<&'static str>,
}

/// A node of it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Node {
    pub(super) name: String,
    args: Vec<Arg>,
    props: Vec<(&'static str, Arg)>,
    pub(super) children: Vec<Node>,
    /// Where the other tool's file says it, from 1.
    pub(super) from: Option<usize>,
}

/// An argument or the value of a property.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Arg {
    /// A string; what stands in `{{…}}` is filled in by stackrun.
    Text(String),
    Number(u64),
    Bool(bool),
}

impl From<&str> for Arg {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Arg {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<u64> for Arg {
    fn from(number: u64) -> Self {
        Self::Number(number)
    }
}

impl From<u16> for Arg {
    fn from(number: u16) -> Self {
        Self::Number(number.into())
    }
}

impl From<bool> for Arg {
    fn from(flag: bool) -> Self {
        Self::Bool(flag)
    }
}

impl Draft {
    pub(super) fn new(name: &str) -> Self {
        Self { name: super::names::of_stack(name), nodes: Vec::new(), remark: None }
    }

    /// Whether it declares nothing that could be run.
    pub(crate) fn is_empty(&self) -> bool {
        self.count("service") + self.count("task") == 0
    }

    fn count(&self, kind: &str) -> usize {
        self.nodes.iter().filter(|node| node.name == kind).count()
    }

    /// How many services it has.
    pub(crate) fn services(&self) -> usize {
        self.count("service")
    }

    /// How many tasks it has.
    pub(crate) fn tasks(&self) -> usize {
        self.count("task")
    }

    /// The text of the file.
    pub(crate) fn kdl(&self) -> String {
        self.write().text
    }

    /// The text, and which nodes begin in which of its lines.
    pub(super) fn write(&self) -> Written {
        let mut written = Written::default();
        written.line(0, &format!("stack {}", quoted(&self.name)));
        let mut before = "";
        for (index, node) in self.nodes.iter().enumerate() {
            let is_block = matches!(&*node.name, "service" | "task" | "profile");
            if is_block || before != node.name {
                written.line(0, "");
            }
            before = &node.name;
            written.node(node, &mut vec![index]);
        }
        if let Some(remark) = self.remark {
            written.line(0, "");
            remark.lines().for_each(|line| written.line(0, format!("// {line}").trim_end()));
        }
        written
    }

    /// Has everything start in this folder: that of the file that was imported, as seen from that
    /// of the stack file.
    pub(crate) fn relocate(&mut self, folder: &str) {
        for node in &mut self.nodes {
            match node.name.as_str() {
                "service" | "task" => {
                    let dir = node.children.iter_mut().find(|child| child.name == "dir");
                    match dir.and_then(|dir| dir.args.first_mut()) {
                        Some(Arg::Text(dir)) if dir.starts_with(['/', '{']) => {}
                        Some(Arg::Text(dir)) => *dir = format!("{folder}/{dir}"),
                        _ => node.children.insert(0, Node::new("dir").arg(folder)),
                    }
                    node.each_text(&|text| {
                        let from = "{{stack.dir}}";
                        if text.contains(from) {
                            *text = text.replace(from, &format!("{from}/{folder}"));
                        }
                    });
                }
                "env-file" => {
                    if let Some(Arg::Text(file)) = node.args.first_mut() {
                        *file = format!("{folder}/{file}");
                    }
                }
                _ => {}
            }
        }
    }

    /// Adds the services and tasks of another one, each of which needs all services of this one.
    pub(crate) fn join(&mut self, other: Self) {
        let named = |nodes: &[Node], kind: &str| -> Vec<String> {
            let nodes = nodes.iter().filter(|node| node.name == kind);
            nodes.filter_map(Node::first_text).map(str::to_owned).collect()
        };
        let needs = named(&self.nodes, "service");
        for mut node in other.nodes {
            let taken = node.first_text().is_some_and(|name| needs.iter().any(|used| used == name));
            if taken {
                continue;
            }
            if node.name == "service" && !needs.is_empty() {
                node.children.insert(0, Node::new("needs").args(needs.iter().map(String::as_str)));
            }
            self.nodes.push(node);
        }
    }

    /// Takes a node out: the indices of its ancestors and its own.
    pub(super) fn remove(&mut self, path: &[usize]) -> Option<Node> {
        let (last, ancestors) = path.split_last()?;
        let mut nodes = &mut self.nodes;
        for index in ancestors {
            nodes = &mut nodes.get_mut(*index)?.children;
        }
        (*last < nodes.len()).then(|| nodes.remove(*last))
    }

    /// The name of the service or task that a node belongs to.
    pub(super) fn owner(&self, path: &[usize]) -> Option<&str> {
        self.nodes.get(*path.first()?)?.first_text()
    }

    /// How deep a node is worth taking out: a service without its command is none.
    pub(super) fn is_essential(&self, path: &[usize]) -> bool {
        let &[top, child] = path else { return false };
        let Some(node) = self.nodes.get(top) else { return false };
        let Some(child) = node.children.get(child) else { return false };
        matches!(&*node.name, "service" | "task") && matches!(&*child.name, "run" | "shell")
    }
}

impl Node {
    pub(super) fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            args: Vec::new(),
            props: Vec::new(),
            children: Vec::new(),
            from: None,
        }
    }

    pub(super) fn arg(mut self, arg: impl Into<Arg>) -> Self {
        self.args.push(arg.into());
        self
    }

    pub(super) fn args<T: Into<Arg>>(mut self, args: impl IntoIterator<Item = T>) -> Self {
        self.args.extend(args.into_iter().map(Into::into));
        self
    }

    pub(super) fn prop(mut self, key: &'static str, value: impl Into<Arg>) -> Self {
        self.props.push((key, value.into()));
        self
    }

    pub(super) fn maybe(self, key: &'static str, value: Option<impl Into<Arg>>) -> Self {
        match value {
            Some(value) => self.prop(key, value),
            None => self,
        }
    }

    pub(super) fn with_props_of(mut self, other: Self) -> Self {
        self.props.extend(other.props);
        self
    }

    pub(super) fn child(mut self, child: Self) -> Self {
        self.children.push(child);
        self
    }

    pub(super) fn from(mut self, line: usize) -> Self {
        self.from = Some(line);
        self
    }

    fn each_text(&mut self, change: &impl Fn(&mut String)) {
        for arg in &mut self.args {
            if let Arg::Text(text) = arg {
                change(text);
            }
        }
        self.children.iter_mut().for_each(|child| child.each_text(change));
    }

    pub(super) fn first_text(&self) -> Option<&str> {
        match self.args.first()? {
            Arg::Text(text) => Some(text),
            Arg::Number(_) | Arg::Bool(_) => None,
        }
    }
}

/// A text that grows by lines.
#[derive(Debug, Default)]
pub(super) struct Written {
    pub(super) text: String,
    lines: usize,
    /// Of each node its path, its first line and its last, from 1.
    nodes: Vec<(Vec<usize>, usize, usize)>,
}

impl Written {
    /// The innermost node that has this line.
    pub(super) fn node_at(&self, line: usize) -> Option<&[usize]> {
        let there = self.nodes.iter().filter(|(_, first, last)| (*first..=*last).contains(&line));
        there.max_by_key(|(path, _, _)| path.len()).map(|(path, _, _)| path.as_slice())
    }

    fn line(&mut self, depth: usize, text: &str) {
        if !text.is_empty() {
            self.text.push_str(&"    ".repeat(depth));
        }
        self.text.push_str(text);
        self.text.push('\n');
        self.lines += 1 + text.matches('\n').count();
    }

    fn node(&mut self, node: &Node, path: &mut Vec<usize>) {
        let depth = path.len() - 1;
        let first = self.lines + 1;
        let mut head = identifier(&node.name);
        for arg in &node.args {
            let _ = write!(head, " {}", written(arg, depth));
        }
        for (key, value) in &node.props {
            let _ = write!(head, " {key}={}", written(value, depth));
        }
        // A check or two stand in their line.
        let inline = node.children.len() == 1 && node.children[0].children.is_empty();
        let inline = inline && matches!(&*node.name, "ready" | "alive" | "stop");
        match node.children.as_slice() {
            [] => self.line(depth, &head),
            [child] if inline => {
                let mut inner = Self::default();
                inner.node(child, &mut vec![0]);
                self.line(depth, &format!("{head} {{ {} }}", inner.text.trim()));
            }
            children => {
                self.line(depth, &format!("{head} {{"));
                let mut order: Vec<usize> = (0..children.len()).collect();
                if matches!(&*node.name, "service" | "task") {
                    order.sort_by_key(|index| rank(&children[*index].name));
                }
                for index in order {
                    path.push(index);
                    self.node(&children[index], path);
                    path.pop();
                }
                self.line(depth, "}");
            }
        }
        self.nodes.push((path.clone(), first, self.lines));
    }
}

/// Where a node stands in a service or task: as in the documentation.
fn rank(name: &str) -> usize {
    const ORDER: [&str; 18] = [
        "describe",
        "needs",
        "after",
        "tool",
        "dir",
        "env-file",
        "env",
        "before-start",
        "run",
        "shell",
        "port",
        "ready",
        "alive",
        "restart",
        "succeeds-with",
        "stop",
        "memory",
        "watch",
    ];
    ORDER.iter().position(|known| *known == name).unwrap_or(ORDER.len())
}

fn written(arg: &Arg, depth: usize) -> String {
    match arg {
        Arg::Text(text) if text.trim_end().contains('\n') => lines(text, depth + 1),
        Arg::Text(text) => quoted(text),
        Arg::Number(number) => number.to_string(),
        Arg::Bool(flag) => format!("#{flag}"),
    }
}
