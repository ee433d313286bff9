//! What may be wrong, and the mend.

use serde_json::Value;

use crate::support::{Process, Stack, eventually};

fn findings(ran: &str) -> Vec<Value> {
    let json: Value = serde_json::from_str(ran).expect("JSON alone on stdout");
    json["findings"].as_array().expect("findings").clone()
}

#[test]
fn all_is_well_with_a_stack_that_runs() {
    let stack = Stack::new(r#"service "a" { tool "sh"; run "@testbed listen {{port}}"; port @0 }"#);
    stack.up();
    let ran = stack.run("doctor --json").exits(0);
    let topics: Vec<Value> = findings(&ran.out).iter().map(|f| f["topic"].clone()).collect();
    for topic in ["version", "file", "programs", "ports", "supervisor", "limits"] {
        assert!(topics.iter().any(|known| known == topic), "{topic}: {topics:?}");
    }
    stack.run("doctor").exits(0).says("the supervisor answers");
}

#[test]
fn what_is_wrong_has_its_mend_and_is_1() {
    let stack = Stack::new(
        r#"
        service "a" { run "@testbed listen {{port}}"; port @0 }
        service "b" { tool "no-such-tool" hint="apt install no-such-tool"; run "@testbed" }
        "#,
    );
    let port = stack.port(0);
    let _stranger = stack.stranger(&["listen", &port.to_string()], &[]);
    eventually("the stranger", || crate::support::listening(port));
    let ran = stack.run("doctor --json").exits(1);
    let bad: Vec<Value> = findings(&ran.out).into_iter().filter(|f| f["state"] == "bad").collect();
    assert_eq!(bad.len(), 2, "{bad:#?}");
    assert_eq!(bad[0]["mend"], "apt install no-such-tool");
    assert_eq!(bad[1]["mend"], format!("stackrun ports --free {port}"));
    stack.write("service \"a\" { runn }");
    stack.run("doctor").exits(1).says("stackrun check");
}

#[test]
fn what_another_stack_has_left_is_named() {
    let left = Stack::new(r#"stack "left"; service "a" { run "@testbed" }"#);
    let here = Stack::new(r#"service "b" { run "@testbed" }"#);
    left.up();
    let pid = left.pid("a");
    let keeper = left.keeper_by_lock().and_then(Process::get).expect("a keeper");
    let supervisor = left.supervisor();
    // Frozen first: the one would start the other anew.
    keeper.signal(rustix::process::Signal::STOP);
    supervisor.kill();
    keeper.kill();
    eventually("both being gone", || {
        Process::get(supervisor.pid).is_none() && Process::get(keeper.pid).is_none()
    });
    let ran = here.run("doctor").exits(0);
    let folder = left.folder().display().to_string();
    assert!(ran.out.contains(&folder) && ran.out.contains(&pid.to_string()), "{ran:#?}");
    left.run("status").exits(0);
    let ran = here.run("doctor");
    assert!(!ran.out.contains(&folder), "somebody looks after it again: {ran:#?}");
}
