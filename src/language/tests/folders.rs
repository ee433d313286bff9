//! Stacks of several files, profiles, environments.

use super::{folder, load_in, options};
use crate::{
    language::{Options, unsupported},
    model::{Part, Stack, Text},
};

fn stack_of(files: &[(&str, &str)], options: &Options) -> Stack {
    let dir = folder(files);
    let mut stack = match load_in(dir.path(), options) {
        Ok(loaded) => loaded.stack,
        Err(reports) => panic!("{reports:?}"),
    };
    let root = dir.path().canonicalize().expect("there");
    assert_eq!(stack.dir, root);
    stack.origins.values_mut().for_each(|origin| {
        origin.file = origin.file.strip_prefix(&root).expect("inside").to_path_buf();
    });
    stack
}

fn value<'a>(stack: &'a Stack, service: &str, key: &str) -> Option<&'a str> {
    let service = stack.service(service).expect("there");
    service.env.get(key)?.value.as_ref()?.as_literal()
}

#[test]
fn an_included_file_keeps_its_own_folder() {
    let files = [
        (
            "stack.kdl",
            "include \"db/db.kdl\"\nservice \"api\" { needs \"db\"; run \"{{db.port}}\" }\n",
        ),
        (
            "db/db.kdl",
            "env-file \"db.env\"\nservice \"db\" { dir \"data\"; run \"x\"; port 5432; cleanup \"a/*.pid\" }\n",
        ),
        ("db/db.env", "FROM_DB=1\n"),
        ("db/data/x", ""),
    ];
    let stack = stack_of(&files, &options());
    let db = stack.service("db").expect("db");
    assert_eq!(db.dir, stack.dir.join("db/data"));
    assert_eq!(db.cleanup, [stack.dir.join("db/data/a/*.pid").to_string_lossy()]);
    assert_eq!(value(&stack, "api", "FROM_DB"), Some("1"));
    assert_eq!(stack.origins["db.port"].file.to_string_lossy(), "db/db.kdl");
    assert_eq!(stack.sources.len(), 3);
}

#[test]
fn a_profile_lies_over_all() {
    let text = r#"
        service "api" template="node" { run "api"; needs "db"; restart tries=2 }
        service "db" { run "db" }
        template "node" { restart "always"; env { A "1"; B "2" } }
        profile "debug" {
            service "api" { run "api --debug"; env { B "3" }; needs "mail"; restart delay="9s" }
            service "mail" template="node" { run "mail" }
            env { ALL "yes" }
        }
    "#;
    let plain = stack_of(&[("stack.kdl", text)], &options());
    assert!(plain.service("mail").is_none());
    let options = Options { profiles: vec!["debug".to_owned()], ..options() };
    let stack = stack_of(&[("stack.kdl", text)], &options);
    let api = stack.service("api").expect("api");
    assert_eq!(api.needs.iter().map(|need| &*need.name).collect::<Vec<_>>(), ["mail"]);
    assert_eq!((api.restart.tries, api.restart.delay.as_secs()), (2, 9));
    assert_eq!(api.restart.when, crate::model::RestartWhen::Always);
    assert_eq!((value(&stack, "api", "A"), value(&stack, "api", "B")), (Some("1"), Some("3")));
    assert_eq!(value(&stack, "db", "ALL"), Some("yes"));
    assert_eq!(stack.origins["api.run"].via.as_deref(), Some("profile debug"));
    assert_eq!(stack.origins["api.restart.tries"].via, None);
    assert!(stack.service("mail").is_some());
}

#[test]
fn environments_lie_over_one_another() {
    let files = [
        (
            "stack.kdl",
            r#"
            env-file "a.env" "b.env"
            env-file "none.env" optional=#true
            env { A "stack"; B "stack"; PORT "stack"; SECRET "{{env.TOKEN}}" secret=#true }
            service "s" {
                run "x {{env.A}} {{env.HOME}} {{env.EMPTY:-none}} {{env.NEW}} {{ name }}"
                port 8000 name="my-http"
                env-file "own.env"
                env { C "own"; HOME #null; DATA "{{data}}" }
            }
            "#,
        ),
        ("a.env", "A=a\nTOKEN=$x\nZ=a\n"),
        ("b.env", "A=b\n"),
        ("own.env", "B=own\nC=file\nPORT=9\nNEW=n\n"),
    ];
    let stack = stack_of(&files, &options());
    let is = |key| value(&stack, "s", key);
    assert_eq!((is("A"), is("B"), is("C")), (Some("stack"), Some("own"), Some("own")));
    assert_eq!((is("PORT"), is("Z")), (Some("9"), Some("a")));
    let port = stack.service("s").expect("s").env["PORT_MY_HTTP"].value.as_ref();
    assert_eq!(port.expect("a value").to_string(), "8000");
    assert_eq!(is("SECRET"), Some("$x"));
    let service = stack.service("s").expect("s");
    assert!(service.env["SECRET"].secret);
    assert_eq!(service.env["HOME"].value, None);
    let data = stack.dir.join(".stackrun/data/s");
    assert_eq!(is("DATA"), data.to_str());
    let crate::model::Command::Run(words) = service.command.as_ref().expect("a command") else {
        panic!("{:?}", service.command)
    };
    let words: Vec<String> = words.iter().map(Text::to_string).collect();
    assert_eq!(words, ["x", "b", "/home/me", "none", "n", "s"]);
    assert_eq!(stack.origins["s.env.B"].file.to_string_lossy(), "own.env");
    assert_eq!(stack.origins["s.env.B"].line, 1);
    assert_eq!(stack.origins["s.env.A"].via.as_deref(), Some("stack"));
    let missing = stack.sources.iter().find(|source| source.path.ends_with("none.env"));
    assert_eq!(missing.map(|source| source.fingerprint.as_str()), Some(""));
}

#[test]
fn a_name_may_come_from_the_environment() {
    let files = [
        (
            "stack.kdl",
            "stack \"shop-{{env.WHO}}\"\nenv-file \".env\"\nservice \"a\" { run \"{{stack.name}}\" }\n",
        ),
        (".env", "WHO=me\n"),
    ];
    let stack = stack_of(&files, &options());
    assert_eq!(stack.name, "shop-me");
    let run = stack.service("a").and_then(|service| service.command.clone());
    assert_eq!(run, Some(crate::model::Command::Run(vec![Text::from("shop-me")])));
}

#[test]
fn only_what_is_open_stays_open() {
    let text = r#"
        service "a" { run "x {{port}} {{b.port.web}} {{c.port}}"; port "auto"; needs "b" "c" }
        service "b" { run "x {{port}} {{replica}}"; port 8000 name="web"; replicas 2 }
        service "c" { run "x {{port}}"; port 9000 busy="next" }
        task "t" { run "x {{a.port}} {{now}} {{{{now}}" }
    "#;
    let stack = stack_of(&[("stack.kdl", text)], &options());
    let words = |name: &str| match stack.service(name).and_then(|s| s.command.clone()) {
        Some(crate::model::Command::Run(words)) => words.iter().map(Text::to_string).collect(),
        other => panic!("{other:?}"),
    };
    let (a, b, c): (Vec<String>, Vec<String>, Vec<String>) = (words("a"), words("b.2"), words("c"));
    assert_eq!(a, ["x", "{{a.port}}", "8000", "{{c.port}}"]);
    assert_eq!(b, ["x", "{{b.2.port}}", "2"]);
    assert_eq!(stack.service("b.2").map(|b| b.ports[0].number.fixed()), Some(Some(8001)));
    assert_eq!(c, ["x", "{{c.port}}"]);
    let port = Part::Port { service: "a".into(), port: None, declared: None };
    assert_eq!(stack.services[0].env["PORT"].value, Some(Text(vec![port])));
    assert_eq!(unsupported(&stack), []);
}
