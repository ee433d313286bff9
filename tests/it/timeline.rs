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
