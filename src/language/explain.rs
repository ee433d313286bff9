//! The reference for a node or property, out of the schema.

use std::sync::LazyLock;

use super::schema::{self, NodeSpec, PropSpec, ValueSpec};
use crate::{model::nearest, printable};

/// A key that is in no reference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownKey {
    /// The key that it was probably meant to be.
    pub near: Option<String>,
}

/// The reference for a node (`restart`, `ready.http`), a property (`restart.tries`, `tries`), or
/// `values`: plain text, lines no longer than need be.
///
/// # Errors
/// Nothing has that name.
pub fn explain(key: &str) -> Result<String, UnknownKey> {
    if key == "values" {
        return Ok(VALUES.to_owned());
    }
    let all = entries();
    let wanted: Vec<&str> = key.split('.').collect();
    let found: Vec<&Entry> = all.iter().filter(|entry| entry.answers(&wanted)).collect();
    // A node's own page tells its properties: they are listed only when no node has the name.
    let nodes: Vec<&&Entry> = found.iter().filter(|entry| entry.prop.is_none()).collect();
    let mut nodes = nodes;
    nodes.sort_by_key(|entry| entry.homes.iter().any(|home| home == "defaults"));
    let pages: Vec<String> = match nodes.as_slice() {
        [] => found.iter().map(|entry| entry.page()).collect(),
        nodes => nodes.iter().map(|entry| entry.page()).collect(),
    };
    if pages.is_empty() {
        return Err(UnknownKey { near: near(all, &wanted) });
    }
    Ok(pages.join("\n"))
}

/// What was probably meant: a key of the same home, else any.
fn near(all: &[Entry], wanted: &[&str]) -> Option<String> {
    let last = wanted.last()?;
    if let [.., home, _] = wanted {
        let siblings = all.iter().filter(|entry| match entry.prop {
            Some(_) => entry.spec.name == *home,
            None => entry.homes.iter().any(|known| known == home),
        });
        if let Some(near) = nearest(last, siblings.map(Entry::name)) {
            return Some(format!("{home}.{near}"));
        }
    }
    let known = all.iter().map(Entry::name);
    if known.clone().any(|name| name == *last) {
        return Some((*last).to_owned());
    }
    nearest(last, known.chain(["values"])).map(str::to_owned)
}

/// Every key that [`explain`] answers, for completion: names of nodes, then `node.property`.
pub fn keys() -> Vec<String> {
    let mut keys: Vec<String> = entries().iter().map(Entry::key).collect();
    keys.push("values".to_owned());
    keys.sort();
    keys.dedup();
    keys
}

/// The schema itself, as KDL.
pub fn schema_text() -> &'static str {
    schema::TEXT
}

/// The nodes in which one of that name may stand; `""` is the top. A few are enough.
pub(super) fn homes(name: &str) -> Vec<String> {
    let all = entries();
    let of_name = all.iter().filter(|entry| entry.prop.is_none() && entry.spec.name == name);
    let mut homes: Vec<String> = of_name.flat_map(|entry| entry.homes.clone()).collect();
    homes.dedup();
    // What stands in services stands in templates and profiles too.
    homes.retain(|home| !matches!(home.as_str(), "template" | "profile"));
    homes.truncate(3);
    homes
}

/// A node or property of the schema, and where it stands.
struct Entry {
    spec: &'static NodeSpec,
    prop: Option<&'static PropSpec>,
    /// The nodes in which the node may stand; `""` is the top.
    homes: Vec<String>,
}

/// Everything in the schema, each node once however many places it has.
fn entries() -> &'static [Entry] {
    static ENTRIES: LazyLock<Vec<Entry>> = LazyLock::new(|| {
        let mut entries = Vec::new();
        collect(schema::document(), &mut entries);
        entries
    });
    &ENTRIES
}

fn collect(parent: &'static NodeSpec, into: &mut Vec<Entry>) {
    for spec in parent.children.iter().flat_map(|children| children.iter()) {
        let home = parent.name.clone();
        let same = |entry: &&mut Entry| {
            entry.prop.is_none() && entry.spec.name == spec.name && entry.spec.doc == spec.doc
        };
        if let Some(known) = into.iter_mut().find(same) {
            if !known.homes.contains(&home) {
                known.homes.push(home);
            }
            continue;
        }
        into.push(Entry { spec, prop: None, homes: vec![home] });
        let props = spec.props.iter();
        into.extend(props.map(|prop| Entry { spec, prop: Some(prop), homes: Vec::new() }));
        collect(spec, into);
    }
}

impl Entry {
    fn name(&self) -> &'static str {
        self.prop.map_or(self.spec.name.as_str(), |prop| prop.name.as_str())
    }

    fn key(&self) -> String {
        match self.prop {
            Some(prop) => format!("{}.{}", self.spec.name, prop.name),
            None if self.spec.name.is_empty() => "env.KEY".to_owned(),
            None => self.spec.name.clone(),
        }
    }

    /// Whether the key, taken apart at its dots, means this one.
    fn answers(&self, wanted: &[&str]) -> bool {
        match (wanted, self.prop) {
            ([name], _) => self.name() == *name,
            ([.., node, name], Some(prop)) => self.spec.name == *node && prop.name == *name,
            ([.., home, name], None) => {
                let own = if self.spec.name.is_empty() { "KEY" } else { &self.spec.name };
                own == *name && self.homes.iter().any(|known| known == home)
            }
            ([], _) => false,
        }
    }

    fn page(&self) -> String {
        match self.prop {
            Some(prop) => {
                let mut page = format!("{}\n{}\n", self.key(), hanging("", &prop.doc));
                page.push_str(&row("type", &type_of(&prop.value)));
                page.push_str(&default_row(&prop.value));
                page.push_str(&row(
                    "example",
                    &format!("{} … {}={}", self.spec.name, prop.name, prop.example),
                ));
                page
            }
            None => self.node_page(),
        }
    }

    fn node_page(&self) -> String {
        let spec = self.spec;
        let mut page = format!("{}\n{}\n", self.key(), hanging("", &spec.doc));
        page.push_str(&row("write", &signature(spec)));
        if let Some(value) = &spec.value {
            page.push_str(&row("value", &type_of(value)));
            page.push_str(&default_row(value));
        }
        page.push_str(&row("in", &in_words(&self.homes)));
        page.push_str(&row("how often", if spec.is_single() { "once" } else { "any number" }));
        page.push_str(&row("example", &spec.example));
        page.push_str(&row("since", &spec.since));
        for prop in &spec.props {
            let default = prop.value.default.as_ref().map(|d| format!("; default {d}"));
            let default = default.unwrap_or_default();
            let text = format!("{}{default}. {}", type_of(&prop.value), prop.doc);
            page.push('\n');
            page.push_str(&hanging(&format!("{}=", prop.name), &text));
        }
        let children = spec.children.iter().flat_map(|children| children.iter());
        let children: Vec<&NodeSpec> = children.filter(|child| !child.name.is_empty()).collect();
        if !children.is_empty() {
            page.push_str("\n  in its braces:\n");
        }
        for child in children {
            let begin = format!("    {:<14} ", child.name);
            page.push_str(&wrapped(&begin, first_sentence(&child.doc)));
        }
        page
    }
}

/// `port NUMBER name="…" …`
fn signature(spec: &NodeSpec) -> String {
    let mut words = vec![if spec.name.is_empty() { "KEY".to_owned() } else { spec.name.clone() }];
    if let Some(value) = &spec.value {
        let word = match value.types.first().map(String::as_str) {
            Some("number") => "NUMBER",
            Some("boolean") => "#true",
            _ => "\"…\"",
        };
        let many = value.max != Some(1);
        let word = if many { format!("{word} …") } else { word.to_owned() };
        words.push(if value.min == 0 { format!("[{word}]") } else { word });
    }
    words.extend(spec.props.iter().map(|prop| match prop.value.min {
        0 => format!("[{}=…]", prop.name),
        _ => format!("{}=…", prop.name),
    }));
    if spec.children.is_some() {
        words.push("{ … }".to_owned());
    }
    words.join(" ")
}

/// What a value may be, in a few words.
fn type_of(value: &ValueSpec) -> String {
    if !value.choices.is_empty() {
        let all: Vec<String> = value.choices.iter().map(|choice| format!("\"{choice}\"")).collect();
        return all.join(" or ");
    }
    let words = match value.format.as_deref() {
        Some("name") => "a name",
        Some("text") => "a string, {{values}} filled in",
        Some("path") => "a path, {{values}} filled in",
        Some("glob") => "a pattern of paths, {{values}} filled in",
        Some("regex") => "a regular expression",
        Some("duration" | "interval") => "a time such as \"1.5s\" (ms, s, m, h, d)",
        Some("size") => "a size such as \"500MiB\" (KiB, MiB, GiB, KB, MB, GB)",
        Some("signal") => "a signal: \"SIGTERM\"",
        Some("port") => "a port: 8000, \"auto\", \"{{env.PORT:-8000}}\"",
        Some("port-ref") => "a port's number or name",
        Some("exit") => "exit codes and signals",
        Some("count") => "a number, 0 or more",
        Some("positive") => "a number, 1 or more",
        Some("amount") => "a number",
        Some("statuses") => "HTTP statuses: 204, \"200-299,404\", \"2xx,3xx\"",
        Some("cron") => "five cron fields",
        Some("version") => "versions: \">=18\", \">=1.2, <2\"",
        _ if value.types.iter().any(|type_| type_ == "boolean") => "#true or #false",
        _ => "a string",
    };
    words.to_owned()
}

fn default_row(value: &ValueSpec) -> String {
    value.default.as_ref().map(|default| row("default", default)).unwrap_or_default()
}

fn row(title: &str, text: &str) -> String {
    format!("  {title:<12} {text}\n")
}

fn in_words(homes: &[String]) -> String {
    let name = |home: &String| match home.as_str() {
        "" => "the top of the file".to_owned(),
        home => home.to_owned(),
    };
    homes.iter().map(name).collect::<Vec<_>>().join(", ")
}

/// Text in lines of at most 78 characters, behind a title if there is one.
fn hanging(title: &str, text: &str) -> String {
    match title {
        "" => wrapped("  ", text),
        title => wrapped(&format!("  {title:<12} "), text),
    }
}

/// Text in lines of at most 78 columns, all indented as far as the first begins.
fn wrapped(begin: &str, text: &str) -> String {
    let indent = begin.chars().count();
    let lines = printable::wrap(text, 78 - indent);
    format!("{begin}{}\n", lines.join(&format!("\n{}", " ".repeat(indent))))
}

/// Up to the first stop that ends a word, outside parentheses.
fn first_sentence(text: &str) -> &str {
    let mut depth = 0_usize;
    for (at, letter) in text.char_indices() {
        let ends = text[at + letter.len_utf8()..].starts_with(char::is_whitespace);
        match letter {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            '.' | ':' | ';' if depth == 0 && ends => return &text[..at],
            _ => {}
        }
    }
    text.trim_end_matches(['.', ':', ';'])
}

/// The page of `values`.
const VALUES: &str = "\
values
  What you can write in strings between {{ and }}. It is filled in after a `run` has been split into
  words, so that a value is never split. {{{{ is a literal {{. `$` is never touched.

  {{port}}              the first port of this service
  {{port.NAME}}         its port of that name
  {{SERVICE.port}}      the first port of another service
  {{SERVICE.port.NAME}} a port of another service by name
  {{name}}              the name of this service or task
  {{dir}}               its working directory
  {{data}}              a folder of its own under .stackrun/data
  {{stack.name}}        the stack's name
  {{stack.dir}}         the stack's folder
  {{env.KEY}}           a variable of your environment or of an env file
  {{env.KEY:-default}}  the same, with a default if it is not set or empty
  {{now}}               the time of a task's run, as 20260102-030405
  {{replica}}           the number of this copy of a service
";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_has_first_sentences() {
        assert_eq!(first_sentence("How it is stopped: first by asking."), "How it is stopped");
        let text = "Several copies, `api.1` and so on; a port counts up.";
        assert_eq!(first_sentence(text), "Several copies, `api.1` and so on");
        let text = "A script (`/bin/sh`; on Windows `cmd`). No more.";
        assert_eq!(first_sentence(text), "A script (`/bin/sh`; on Windows `cmd`)");
    }
}
