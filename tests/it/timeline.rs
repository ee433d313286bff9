//! Where the time of a start went.

use serde_json::Value;

use crate::support::Stack;

const CHAIN: &str = r#"
    service "db" { run "@testbed"; ready { delay "200ms" } }
    task "migrate" { needs "db"; shell "sleep 0.2" }
    service "beside" { run "@testbed"; ready { delay "20ms" } }
    service "api" { needs "db" "migrate" "beside"; run "@testbed"; ready { delay "200ms" } }
"#;

fn start(stack: &Stack, line: &str) -> Value {
    let ran = stack.run(line).exits(0);
    let json: Value = serde_json::from_str(&ran.out).expect("JSON alone on stdout");
    json["start"].clone()
}

#[test]
fn the_last_start_its_critical_path_and_the_start_before() {
    let stack = Stack::new(CHAIN);
    stack.run("timeline").exits(3);
    stack.up();
    let first = start(&stack, "timeline --json");
    assert_eq!(first["critical"], serde_json::json!(["db", "migrate", "api"]));
    assert_eq!(first["before_ms"], Value::Null);
    assert!(first["took_ms"].as_u64() >= Some(600), "{first:#}");
    let api = first["rows"].as_array().expect("rows").iter().find(|row| row["name"] == "api");
    let parts = api.expect("a row")["parts"].as_array().expect("parts").clone();
    assert!(parts.iter().any(|part| part["what"] == "waiting" && part["on"][0] == "migrate"));
    assert!(parts.iter().any(|part| part["what"] == "checking" && part["check"] == "delay 200ms"));

    stack.run("restart api").exits(0);
    let again = start(&stack, "timeline --json");
    assert_eq!(again["command"], "stackrun restart api");
    assert_eq!(again["rows"].as_array().map(Vec::len), Some(1));
    assert!(again["rows"][0]["before_ms"].as_u64() >= Some(200), "{again:#}");
    assert_eq!(start(&stack, "timeline --back 1 --json")["rows"], first["rows"]);

    stack.down();
    stack.up();
    let second = start(&stack, "timeline --json");
    assert_eq!(second["before_ms"], first["took_ms"]);
    // It is read from the disk, too.
    stack.down();
    assert_eq!(start(&stack, "timeline --json")["rows"], second["rows"]);
    let shown = stack.run("timeline").exits(0);
    assert!(shown.out.contains("critical path: db"), "{shown:#?}");
    assert!(!shown.out.contains('\x1b'), "{shown:#?}");
}

#[test]
fn an_up_that_starts_nothing_is_no_start() {
    let stack = Stack::new(CHAIN);
    stack.up();
    let first = start(&stack, "timeline --json");
    stack.up();
    assert_eq!(start(&stack, "timeline --json"), first);
}

#[test]
fn a_failure_is_part_of_it() {
    let stack = Stack::new(
        r#"
        service "bad" { shell "exit 3"; restart "never"; ready { delay "20s" } }
        service "after" { needs "bad"; run "@testbed" }
        "#,
    );
    stack.run("up").exits(1);
    let start = start(&stack, "timeline --json");
    assert_eq!(start["rows"][0]["end"], "failed", "{start:#}");
}

#[test]
fn what_never_answered_is_not_told_as_having_done_so() {
    let stack = Stack::new(
        r#"
        service "web" {
            run "@testbed after 600 exit 1"
            port @0
            ready every="50ms" { http "/health" }
            restart "never"
        }
        service "deaf" { run "@testbed after 600 exit 1"; port @1; restart "never" }
        service "slow" {
            run "@testbed"
            ready within="400ms" every="50ms" { shell "false" }
            restart tries=1 delay="10ms"
        }
        service "well" { run "@testbed after 300 listen @2"; port @2; ready { http "/" } }
        "#,
    );
    stack.run("up").exits(1);
    let shown = stack.run("timeline -v").exits(0).out;
    // However its lines are broken.
    let words = shown.split_whitespace().collect::<Vec<_>>().join(" ");
    for fact in [
        "GET /health never ",
        &format!("port {} never opened in ", stack.port(1)),
        "shell false never succeeded in ",
        "GET / answered after ",
        "▒ stopping or pausing",
    ] {
        assert!(words.contains(fact), "no `{fact}` in {shown}");
    }
    assert!(!words.contains("held"), "{shown}");
    let start = start(&stack, "timeline --json");
    let row = |name: &str| {
        let mut rows = start["rows"].as_array().expect("rows").iter();
        rows.find(|row| row["name"] == name).cloned().expect("a row")
    };
    let held = |name: &str| {
        let row = row(name);
        let parts = row["parts"].as_array().expect("parts").iter();
        parts.filter(|part| part["what"] == "checking").map(|part| part["held"] == true).collect()
    };
    let expected: [(&str, Vec<bool>); 4] = [
        ("web", vec![false]),
        ("deaf", vec![false]),
        ("slow", vec![false, false]),
        ("well", vec![true]),
    ];
    for (name, held_of) in expected {
        let got: Vec<bool> = held(name);
        assert_eq!(got, held_of, "{name}: {start:#}");
        assert_eq!(row(name)["end"], if name == "well" { "ready" } else { "failed" }, "{start:#}");
    }
}
