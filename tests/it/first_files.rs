//! A first stack file: from what is here (`init`), from what other tools have been told (`import`).

use std::fs;

use serde_json::Value;

use crate::support::Stack;

const COMPOSE: &str = r#"
name: shop
services:
  api:
    build: ./api
    command: ["sleep", "600"]
    ports: ["@0:@0"]
    privileged: true
"#;

/// A folder without a stack file.
fn folder() -> Stack {
    let stack = Stack::new("");
    fs::remove_file(stack.path("stack.kdl")).expect("the stack file");
    stack
}

#[test]
fn a_procfile_becomes_a_stack_that_runs() {
    let stack = folder();
    stack.put(
        "Procfile",
        "# two\nweb: sleep 600\nclock: while true; do sleep 600; done\nodd line\n",
    );
    let ran = stack.run("import Procfile").exits(0);
    assert!(ran.out.is_empty(), "messages are no data: {ran:#?}");
    assert!(ran.err.contains("Procfile:4") && ran.err.contains("odd line"), "{ran:#?}");
    stack.run("check").exits(0);
    stack.run("fmt --check").exits(0);
    stack.up();
    assert_eq!((stack.state("web"), stack.state("clock")), ("ready".into(), "ready".into()));
    stack.down();
}

#[test]
fn an_import_overwrites_nothing_and_may_go_elsewhere() {
    let stack = folder();
    stack.put("Procfile", "web: sleep 600\n");
    stack.put("stack.kdl", "// mine\n");
    stack.run("import Procfile").exits(1).says("stack.kdl already exists");
    assert_eq!(stack.read("stack.kdl"), "// mine\n");
    let ran = stack.run("import Procfile --stdout").exits(0);
    assert!(ran.out.contains("run \"sleep 600\""), "{ran:#?}");
    stack.run("import Procfile -o other.kdl").exits(0);
    assert_eq!(stack.read("other.kdl"), ran.out);
    stack.run("import Procfile -o other.kdl").exits(1);
    assert_eq!(stack.read("stack.kdl"), "// mine\n");
}

#[test]
fn what_was_not_carried_over_is_named_with_its_place() {
    let stack = folder();
    fs::create_dir(stack.path("api")).expect("a folder");
    let port = stack.port(0);
    stack.put("docker-compose.yml", &COMPOSE.replace("@0", &port.to_string()));
    let ran = stack.run("import docker-compose.yml --json").exits(0);
    let json: Value = serde_json::from_str(&ran.out).expect("JSON alone on stdout");
    assert_eq!(json["carried"][0]["name"], "api");
    let notes = json["notes"].as_array().expect("notes");
    let build = notes.iter().find(|note| note["what"] == "api.build").expect("a note");
    assert_eq!(build["line"], 5, "{json:#}");
    assert!(notes.iter().any(|note| note["what"] == "api.privileged" && note["line"] == 8));
    stack.run("check").exits(0).says("shop");
}

#[test]
fn a_file_in_another_folder_keeps_its_paths() {
    let stack = folder();
    stack.put("deploy/compose.yaml", "services: {a: {build: ./app, command: sleep 600}}\n");
    stack.put("deploy/app/file.txt", "");
    stack.run("import deploy/compose.yaml").exits(0);
    stack.up();
    stack.run("exec a -- ls").exits(0).says("file.txt");
}

#[test]
fn files_that_are_no_such_thing_are_refused() {
    let stack = folder();
    stack.put("bad.yml", "services: [\n");
    stack.put("none.yml", "a: 1\n");
    stack.put("x.js", "module.exports = require('./y')\n");
    fs::write(stack.path("bytes.yml"), [0xff, 0xfe, 0x00]).expect("a file");
    stack.run("import bad.yml").exits(2).says("line 2");
    stack.run("import none.yml").exits(2);
    stack.run("import x.js").exits(2).says("line 1");
    stack.run("import bytes.yml").exits(2);
    stack.run("import nowhere.yml").exits(2).says("there is no file");
    assert!(!stack.path("stack.kdl").exists());
    let kept: Vec<_> = fs::read_dir(stack.folder()).expect("the folder").flatten().collect();
    assert_eq!(kept.len(), 4, "nothing else is left: {kept:?}");
    stack.put("stack.kdl", "");
}

#[test]
fn init_takes_what_is_here() {
    let stack = folder();
    stack.put(
        "web/package.json",
        r#"{"scripts": {"dev": "vite"}, "devDependencies": {"vite": "5"}}"#,
    );
    stack.put("api/manage.py", "");
    stack.put("api/requirements.txt", "django\n");
    stack.put("tool/Cargo.toml", "[package]\nname = \"tool\"\n");
    stack.put("tool/src/main.rs", "fn main() {}\n");
    stack.put("lib/Cargo.toml", "[package]\nname = \"lib\"\n");
    stack.put("compose.yaml", "services: {db: {image: postgres, ports: [\"5432:5432\"]}}\n");
    stack.run("init").exits(0).says("Django").says("compose.yaml:1");
    stack.run("check").exits(0).says("4 services, 2 tasks");
    stack.run("fmt --check").exits(0);
    let text = stack.read("stack.kdl");
    assert!(
        text.contains("needs \"db\"") && text.contains("manage.py runserver {{port}}"),
        "{text}"
    );
    stack.run("init").exits(1).says("already exists");
    assert_eq!(stack.read("stack.kdl"), text);
}

#[test]
fn init_where_nothing_is_found_starts_nothing() {
    let stack = folder();
    stack.put(".env", "TOKEN=secret\n");
    stack.run("init").exits(0).says("nothing that can be run was found").says("stackrun check");
    stack.run("check").exits(0);
    stack.run("fmt --check").exits(0);
    let text = stack.read("stack.kdl");
    assert!(text.contains("// service \"app\" {"), "an example, and only that: {text}");
    let alive = |line: &str| !line.trim().is_empty() && !line.starts_with("//");
    assert_eq!(text.lines().filter(|line| alive(line)).count(), 1, "the name alone: {text}");
    assert_eq!(stack.run("init --stdout").exits(0).out, text);
    stack.up();
    assert_eq!(stack.status()["services"].as_array().map(Vec::len), Some(0));
}

#[test]
fn init_writes_no_server_that_hands_out_the_folder() {
    let stack = folder();
    stack.put(".env", "TOKEN=secret\n");
    stack.put("index.html", "");
    stack.put("package.json", r#"{"scripts": {"start": "npx serve ."}}"#);
    stack.run("init").exits(0).says("npx serve .").says("left out");
    stack.run("check").exits(0);
    assert!(!stack.read("stack.kdl").contains("serve"));
    // One that hands out what was built is none of them.
    fs::remove_file(stack.path("stack.kdl")).expect("the stack file");
    stack.put("package.json", r#"{"scripts": {"dev": "serve", "start": "serve dist"}}"#);
    stack.run("init").exits(0).says("1 service");
    assert!(stack.read("stack.kdl").contains("npm run start"));
}
