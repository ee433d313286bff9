//! Environments: which of several values wins, what `{{env.KEY}}` sees, and what a change restarts.

use crate::support::{Ran, Running, Stack, eventually};

/// `stackrun LINE` with these variables in the caller's environment.
fn run(stack: &Stack, line: &str, env: &[(&str, &str)]) -> Ran {
    let mut command = stack.command(line);
    command.envs(env.iter().copied());
    Running::start(line.to_owned(), command).ends()
}

/// Every variable is set in its own layer and in all before it.
#[test]
fn the_later_layer_wins() {
    let stack = Stack::new(
        r#"
        env-file ".env"
        env { IN_STACK "stack"; PORT "stack"; PORT_HTTP "stack"; OF_SERVICE "stack"; LAST "stack"; GONE #null }
        service "api" {
            run "@testbed listen {{port}}"
            port @0 name="http"
            env-file "api.env"
            env { LAST "service" }
        }
        "#,
    );
    let line = |keys: &[&str], value: &str| -> String {
        keys.iter().map(|key| format!("{key}={value}\n")).collect()
    };
    let all = ["IN_FILE", "IN_STACK", "PORT", "PORT_HTTP", "OF_SERVICE", "LAST", "GONE"];
    stack.put(".env", &line(&all, "file"));
    stack.put("api.env", &line(&["OF_SERVICE", "LAST", "PORT_HTTP"], "own-file"));
    let mut caller: Vec<(&str, &str)> = all.iter().map(|key| (*key, "caller")).collect();
    caller.push(("CALLERS", "caller"));
    run(&stack, "up", &caller).exits(0);
    let port = stack.port(0).to_string();
    let expected = [
        ("CALLERS", "caller"),
        ("IN_FILE", "file"),
        ("IN_STACK", "stack"),
        ("PORT", &port),
        ("PORT_HTTP", "own-file"),
        ("OF_SERVICE", "own-file"),
        ("LAST", "service"),
    ];
    let environ = std::fs::read(format!("/proc/{}/environ", stack.pid("api"))).expect("it runs");
    let environ: Vec<&[u8]> = environ.split(|byte| *byte == 0).collect();
    for (key, value) in expected {
        assert!(environ.contains(&format!("{key}={value}").as_bytes()), "{key} is not {value}");
    }
    assert!(!environ.iter().any(|variable| variable.starts_with(b"GONE=")), "#null unsets");
    let shown = stack.run("env api --secrets").exits(0);
    for (key, value) in expected {
        assert!(shown.out.contains(&format!("{key}={value}\n")), "{key}: {shown:#?}");
    }
}

#[test]
fn values_in_strings_see_the_caller_and_the_files_alone() {
    let stack = Stack::new(
        r#"
        env-file ".env" secret=#false
        env { NODE "node"; BOTH "node" }
        service "a" { run "@testbed"; describe "{{env.CALLER}} {{env.BOTH}} {{env.NODE:-none}}" }
        service "b" { run "@testbed"; env-file "b.env" secret=#false; describe "{{env.BOTH}}" }
        "#,
    );
    stack.put(".env", "BOTH=file\n");
    stack.put("b.env", "BOTH=own-file\n");
    run(&stack, "up", &[("CALLER", "caller"), ("BOTH", "caller")]).exits(0);
    assert_eq!(stack.node("a")["describe"], "caller file none");
    assert_eq!(stack.node("b")["describe"], "own-file");
}

#[test]
fn a_changed_file_is_an_edit_and_the_callers_environment_is_none() {
    let stack = Stack::new(
        r#"
        env-file ".env"
        service "plain" { run "@testbed counted plain.starts" }
        service "using" { run "@testbed counted using.starts print {{env.USED}}" }
        "#,
    );
    stack.put(".env", "FILE=1\n");
    let starts = |name: &str| stack.read(&format!("{name}.starts")).len();
    let counts = |plain, using| {
        eventually("the starts", || (starts("plain"), starts("using")) == (plain, using));
    };
    let used = |value| [("USED", value), ("OTHER", value)];
    run(&stack, "up", &used("one")).exits(0);
    counts(1, 1);
    // Another terminal, another environment: whoever does not use it goes on.
    run(&stack, "up", &used("two")).exits(0);
    counts(1, 2);
    run(&stack, "up", &[("USED", "two"), ("OTHER", "three")]).exits(0).says("nothing to do");
    counts(1, 2);
    stack.put(".env", "FILE=2\n");
    assert!(stack.run("status").out.contains(".env has changed since it was applied"));
    run(&stack, "up", &used("two")).exits(0);
    counts(2, 3);
}

#[test]
fn a_command_line_that_shows_a_secret_is_warned_of() {
    let stack = Stack::new(
        r#"
        env-file ".env"
        service "a" {
            run "x" "--token={{env.API_TOKEN}}" "{{env.PLAIN}}"
            before-start { shell "x {{ env.DB_PASSWORD:-none }}" }
            env { OK "{{env.API_TOKEN}}" }
            ready { http "http://localhost:1/{{env.API_TOKEN}}"; run "x" "{{env.SECRET_KEY}}" }
        }
        task "t" { step "s" { pipe { run "x {{env.API_TOKEN}}"; run "y" } } }
        "#,
    );
    stack.put(".env", "API_TOKEN=a\nPLAIN=b\nDB_PASSWORD=c\nSECRET_KEY=d\n");
    let check = stack.run("check --json").exits(0);
    let json: serde_json::Value = serde_json::from_str(&check.out).expect("JSON");
    let problems = json["problems"].as_array().expect("a list");
    let told: Vec<(&str, u64)> = problems
        .iter()
        .filter(|problem| problem["code"] == "secret-in-command")
        .map(|problem| {
            (problem["message"].as_str().expect("text"), problem["line"].as_u64().expect("a line"))
        })
        .collect();
    let of = |key: &str| format!("the value of `{key}` becomes part of a command line");
    let expected =
        [(of("API_TOKEN"), 4), (of("DB_PASSWORD"), 5), (of("SECRET_KEY"), 7), (of("API_TOKEN"), 9)];
    assert_eq!(told, expected.each_ref().map(|(text, line)| (text.as_str(), *line)));
    stack.run("check").exits(0).says("every user of this machine can read it there");
}
