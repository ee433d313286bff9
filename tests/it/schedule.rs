//! Tasks that run by themselves.

use crate::support::{Running, Stack, eventually};

#[test]
fn the_next_time_is_told_while_the_stack_is_up() {
    let stack = Stack::new(
        r#"
        service "a" { run "@testbed" }
        task "backup" { run "@testbed counted runs.txt exit 0"; schedule "0 3 * * *" }
        "#,
    );
    stack.up();
    let next = stack.node("backup")["next"].as_str().expect("a time").to_owned();
    assert!(next.contains(":00:00"), "{next}");
    stack.run("status").exits(0).says("next");
    assert_eq!(stack.read("runs.txt"), "", "it is not time yet");
    stack.edit(r#" schedule "0 3 * * *""#, "");
    stack.up();
    assert!(stack.node("backup")["next"].is_null());
}

#[test]
fn the_time_zone_is_that_of_the_latest_up() {
    let stack = Stack::new(
        r#"
        service "a" { run "@testbed" }
        task "noon" { run "true"; schedule "0 12 * * *" }
        task "stamp" { run "printf %s {{now}}" }
        "#,
    );
    let up = |zone: &str| {
        let mut command = stack.command("up");
        command.env("TZ", zone);
        Running::start("up".to_owned(), command).ends().exits(0);
        let next = stack.node("noon")["next"].as_str().expect("a time").to_owned();
        next.parse::<jiff::Timestamp>().expect("a moment")
    };
    let hour = |at: jiff::Timestamp| at.to_zoned(jiff::tz::TimeZone::UTC).hour();
    assert_eq!(hour(up("XXX-5")), 7);
    let service = stack.process("a");
    assert_eq!(hour(up("XXX+3")), 15);
    assert!(service.lives(), "nobody is restarted for it");
    // By the zone of that `up`, whoever decides meanwhile.
    let supervisor = stack.supervisor();
    supervisor.kill();
    eventually("another supervisor", || stack.supervisor().pid != supervisor.pid);
    let next = stack.node("noon")["next"].as_str().expect("a time").to_owned();
    assert_eq!(hour(next.parse().expect("a moment")), 15);
    // A run is asked for with an environment, too.
    let mut run = stack.command("run stamp");
    run.env("TZ", "XXX-14");
    let stamp = Running::start("run stamp".to_owned(), run).ends().exits(0).out;
    let zone = jiff::tz::TimeZone::fixed(jiff::tz::offset(14));
    let there = jiff::Timestamp::now().to_zoned(zone);
    let apart = jiff::civil::DateTime::strptime("%Y%m%d-%H%M%S", stamp.trim()).expect("a stamp");
    let apart = there.datetime().duration_since(apart).as_secs();
    assert!((0..600).contains(&apart), "{stamp} at {there}");
}
