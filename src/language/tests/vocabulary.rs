//! The schema and the code that reads stacks say the same.

use kdl::{KdlDocument, KdlEntry, KdlNode};

use super::{folder, load_in, options};
use crate::{
    language::schema::{NodeSpec, document},
    model::Stack,
};

/// What every node needs around it, in the stack `s` that it is tried in.
const AROUND: &str = r#"
stack "s"
service "postgres" { run "x"; port 6432 }
service "api" { run "x" }
service "worker" { run "x" }
task "build" { run "x" }
template "node" { tty #true }
"#;

fn stack_of(text: &str) -> Stack {
    let files = [
        ("stack.kdl", text),
        (".env", "FROM_FILE=1\n"),
        ("infra/stack.kdl", "service \"included\" { run \"x\" }\n"),
        ("api/x", ""),
    ];
    let dir = folder(&files);
    let mut options = options();
    options.env.insert("API_KEY".to_owned(), "key".to_owned());
    options.profiles = if text.contains("profile") { vec!["debug".to_owned()] } else { Vec::new() };
    let mut stack = match load_in(dir.path(), &options) {
        Ok(loaded) => loaded.stack,
        Err(reports) => panic!("{text}\n{reports:?}"),
    };
    // What is compared is what a stack says, not where.
    let json = serde_json::to_string(&stack).expect("JSON");
    let root = stack.dir.display().to_string();
    stack = serde_json::from_str(&json.replace(&root, "/s")).expect("a stack");
    stack.origins.clear();
    stack.profiles.clear();
    stack.sources.clear();
    stack
}

/// A place where a node may stand: what to write before and after it.
fn place(home: &str) -> Option<(&'static str, &'static str)> {
    Some(match home {
        "" => ("", ""),
        "service" => ("service \"s\" { port 7000 name=\"first\"\n", "\nBODY }"),
        "task" => ("task \"s\" {\n", "\nBODY }"),
        "defaults" => ("service \"s\" { run \"x\"; alive { run \"x\" } }\ndefaults {\n", "\n}"),
        "ready" => ("service \"s\" { run \"x\"; port 5432 name=\"http\"; ready {\n", "\n} }"),
        "http" => ("service \"s\" { run \"x\"; port 80; ready { http \"/\" {\n", "\n} } }"),
        "watch" => ("service \"s\" { run \"x\"; watch \"*\" {\n", "\n} }"),
        "stop" => ("service \"s\" { run \"x\"; stop {\n", "\n} }"),
        "env" => ("service \"s\" { run \"x\"; env {\n", "\n} }"),
        "step" => ("task \"s\" { step \"one\" {\n", "\nBODY } }"),
        "pipe" => ("task \"s\" { step \"one\" { pipe { run \"y\"\n", "\n} } }"),
        "before-start" => ("service \"s\" { run \"x\"; before-start { run \"y\"\n", "\n} }"),
        // `alive` takes what `ready` takes, the other hooks what `before-start` takes, templates
        // and profiles what services take, `on-failure` what tasks take.
        _ => return None,
    })
}

/// A text with `node` in its place; and the text without it.
fn with_and_without(home: &str, name: &str, node: &str) -> Option<(String, String)> {
    let (before, after) = place(home)?;
    // Something to run, unless the node itself says what.
    let body = |own: bool| if own { "" } else { "run \"x\"" };
    let own = matches!(name, "run" | "shell" | "external" | "step" | "pipe");
    let text =
        |node: &str, own: bool| format!("{before}{node}{}", after.replace("BODY", body(own)));
    Some((text(node, own), text("", false)))
}

fn visit(spec: &'static NodeSpec, home: &str, see: &mut dyn FnMut(&str, &'static NodeSpec)) {
    for child in spec.children.iter().flat_map(|children| children.iter()) {
        see(home, child);
        visit(child, &child.name, see);
    }
}

/// Every node of the schema is read: a stack with its example is another one than without.
#[test]
fn every_node_counts() {
    let mut seen = 0;
    visit(document(), "", &mut |home, spec| {
        assert!(!spec.example.is_empty() || spec.name == "hook", "{} has no example", spec.name);
        assert!(!spec.doc.is_empty() && !spec.since.is_empty(), "{} in {home}", spec.name);
        let example = spec.example.replace("\"postgres\" {", "\"s2\" {");
        let around =
            if spec.name == "stack" { AROUND.replace("stack \"s\"", "") } else { AROUND.into() };
        let example = match (home, spec.name.as_str()) {
            ("", "service" | "task") => example.replace("\"api\"", "\"new\""),
            // A template counts once a service takes it.
            ("", "template") => format!("service \"t\" template=\"n\" {{ run \"x\" }}\n{example}")
                .replace("template \"node\"", "template \"n\""),
            _ => example,
        };
        let Some((with, without)) = with_and_without(home, &spec.name, &example) else { return };
        let (with, without) = (format!("{around}{with}"), format!("{around}{without}"));
        assert_ne!(stack_of(&with), stack_of(&without), "{} in {home}", spec.name);
        seen += 1;
    });
    assert!(seen > 70, "{seen}");
}

/// Every property of the schema is read: its example makes another stack.
#[test]
fn every_property_counts() {
    let mut seen = 0;
    visit(document(), "", &mut |home, spec| {
        if place(home).is_none() || matches!(home, "" | "defaults") {
            return;
        }
        // Whether a missing file is an error shows in no stack; there is a test of its own.
        for prop in spec.props.iter().filter(|prop| prop.name != "optional" || spec.name == "needs")
        {
            let document: KdlDocument = spec.example.parse().expect("the example parses");
            let mut node: KdlNode = document.nodes()[0].clone();
            node.retain(|entry| entry.name().is_none());
            let bare = node.to_string();
            let entry = format!("{}={}", prop.name, prop.example);
            let entry: KdlEntry = entry.parse().expect("the property's example parses");
            node.push(entry);
            node.entries_mut().iter_mut().for_each(KdlEntry::clear_format);
            let needs_one = prop.value.min > 0 || spec.name == "keep";
            let Some((with, _)) = with_and_without(home, &spec.name, &node.to_string()) else {
                continue;
            };
            let (without, _) = if needs_one {
                let node = spec.example.replace("newest=5", "newest=9").replace("500", "7");
                with_and_without(home, &spec.name, &node).expect("placed")
            } else {
                with_and_without(home, &spec.name, &bare).expect("placed")
            };
            let (with, without) = (format!("{AROUND}{with}"), format!("{AROUND}{without}"));
            assert_ne!(stack_of(&with), stack_of(&without), "{}.{}", spec.name, prop.name);
            seen += 1;
        }
    });
    assert!(seen > 40, "{seen}");
}

/// The defaults that the schema tells are those that hold.
#[test]
fn the_defaults_are_those_of_the_schema() {
    let service = document().child("service").expect("service");
    let mut explicit = String::new();
    let mut bare = String::new();
    for spec in service.children.iter().flat_map(|children| children.iter()) {
        let value = spec.value.as_ref().and_then(|value| value.default.clone());
        let props = spec.props.iter();
        let props: Vec<String> = props
            .filter_map(|prop| Some(format!("{}={}", prop.name, prop.value.default.as_ref()?)))
            .collect();
        if value.is_none() && props.is_empty() || spec.name == "external" {
            continue;
        }
        // What takes a value without a default, or must have checks, gets that in both.
        let own = match spec.name.as_str() {
            "port" => "8000",
            "needs" => "\"postgres\"",
            "env-file" => "\".env\"",
            "watch" => "\"*\"",
            "url" => "\"http://x\"",
            _ => "",
        };
        let block = if spec.name == "alive" { "{ run \"x\" }" } else { "" };
        let (name, value) = (&spec.name, value.unwrap_or_default());
        explicit.push_str(&format!("{name} {own} {value} {} {block}\n", props.join(" ")));
        if !own.is_empty() || !block.is_empty() {
            bare.push_str(&format!("{name} {own} {block}\n"));
        }
    }
    let stack = |nodes: &str| stack_of(&format!("{AROUND}service \"s\" {{ run \"x\"\n{nodes}}}\n"));
    assert_eq!(stack(&explicit), stack(&bare), "{explicit}");
}

/// A page for every key that is offered.
#[test]
fn every_key_is_explained() {
    for key in crate::language::keys() {
        let page = crate::language::explain(&key);
        assert!(page.is_ok_and(|page| page.lines().count() > 2), "{key}");
    }
    let near = crate::language::explain("restrat").expect_err("unknown").near;
    assert_eq!(near.as_deref(), Some("restart"));
    insta::assert_snapshot!("explain_restart", crate::language::explain("restart").expect("known"));
    insta::assert_snapshot!("explain_ready", crate::language::explain("ready").expect("known"));
    insta::assert_snapshot!("explain_tries", crate::language::explain("tries").expect("known"));
}
