//! Starts in the order of the needs, stops in the reverse one.

use std::{collections::HashMap, fmt::Write};

use crate::support::{Stack, eventually};

/// When each thing happened to each service, from the marks that the helpers write.
fn marks(stack: &Stack) -> HashMap<(String, String), u128> {
    let text = stack.read("marks.txt");
    let lines = text.lines().filter_map(|line| {
        let mut words = line.split(' ');
        let (what, name) = (words.next()?.to_owned(), words.next()?.to_owned());
        Some(((what, name), words.next()?.parse().ok()?))
    });
    lines.collect()
}

#[test]
fn a_chain_of_twenty_starts_link_by_link() {
    let mut text = String::new();
    for link in 0..20 {
        let need = if link == 0 { String::new() } else { format!("needs \"c{}\"", link - 1) };
        let expect = if link == 0 { String::new() } else { format!("expect @{}", link - 1) };
        writeln!(
            text,
            "service \"c{link}\" {{
                {need}
                run \"@testbed {expect} after 50 listen {{{{port}}}}\"
                port @{link}
            }}"
        )
        .expect("a string takes text");
    }
    let stack = Stack::new(&text);
    stack.up();
    assert_eq!(stack.read("violations.txt"), "");
    for link in 0..20 {
        assert_eq!(stack.state(&format!("c{link}")), "ready");
    }
    stack.down();
}

#[test]
fn stops_go_in_reverse_and_wait_for_each_other() {
    let edges = [("b", "a"), ("c", "a"), ("d", "b"), ("d", "c")];
    let stack = Stack::new(
        r#"
        service "a" { run "@testbed slow-stop 50 mark marks.txt a" }
        service "b" { needs "a"; run "@testbed stop-after go mark marks.txt b"; stop grace="5m" }
        service "c" { needs "a"; run "@testbed stop-after go mark marks.txt c"; stop grace="5m" }
        service "d" { needs "b" "c"; run "@testbed slow-stop 100 mark marks.txt d" }
        "#,
    );
    stack.up();
    eventually("all marks", || marks(&stack).len() == 4);
    let down = stack.start("down");
    // The two in the middle need nothing of each other: both are asked before one of them ends.
    let asked = |name: &str| marks(&stack).contains_key(&("term".to_owned(), name.to_owned()));
    eventually("both being asked", || asked("b") && asked("c"));
    stack.put("go", "");
    down.ends().exits(0);
    let marks = marks(&stack);
    let at = |what: &str, name: &str| marks[&(what.to_owned(), name.to_owned())];
    for (dependent, need) in edges {
        assert!(at("stop", dependent) < at("term", need), "{need} before {dependent}: {marks:#?}");
    }
}

#[test]
fn random_graphs_start_and_stop_in_order() {
    for seed in 1..=3 {
        let needs = random_graph(seed, 12);
        let mut text = String::from("defaults { stop grace=\"30s\" }\n");
        for (service, needs) in needs.iter().enumerate() {
            let names: String = needs.iter().map(|need| format!(" \"s{need}\"")).collect();
            let expect: String = needs.iter().map(|need| format!("expect @{need} ")).collect();
            let names = if needs.is_empty() { names } else { format!("needs{names};") };
            writeln!(
                text,
                "service \"s{service}\" {{ {names} port @{service}; run \"@testbed {expect}\
                 slow-stop {} mark marks.txt s{service} after {} listen {{{{port}}}}\" }}",
                (service * 7) % 40,
                (service * 13) % 60,
            )
            .expect("a string takes text");
        }
        let stack = Stack::new(&text);
        stack.up();
        assert_eq!(stack.read("violations.txt"), "", "seed {seed}");
        stack.down();
        let marks = marks(&stack);
        for (service, needs) in needs.iter().enumerate() {
            for need in needs {
                let stop = marks[&("stop".to_owned(), format!("s{service}"))];
                let term = marks[&("term".to_owned(), format!("s{need}"))];
                assert!(stop < term, "seed {seed}: s{need} was stopped before s{service} was gone");
            }
        }
    }
}

/// For each service those it needs: some of the earlier ones.
fn random_graph(seed: u64, services: usize) -> Vec<Vec<usize>> {
    // A generator from a textbook; what matters is that a seed gives the same graph again.
    let mut state = seed;
    let mut next = || {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        state >> 33
    };
    (0..services).map(|service| (0..service).filter(|_| next() % 4 == 0).collect()).collect()
}

#[test]
fn a_slow_sibling_holds_up_nobody_who_does_not_need_it() {
    let stack = Stack::new(
        r#"
        service "slow"  { run "@testbed"; ready { shell "test -e go" } }
        service "quick" { run "@testbed" }
        service "on-quick" { needs "quick"; run "@testbed" }
        service "on-slow"  { needs "slow"; run "@testbed" }
        "#,
    );
    let up = stack.start("up");
    stack.reaches("on-quick", "ready");
    assert_eq!(stack.state("slow"), "starting");
    assert_eq!(stack.state("on-slow"), "waiting");
    stack.put("go", "");
    up.ends().exits(0);
    assert_eq!(stack.state("on-slow"), "ready");
}

#[test]
fn a_need_that_fails_stops_its_dependents_from_starting_but_no_one_else() {
    let stack = Stack::new(
        r#"
        service "broken"    { run "@testbed exit 3"; restart "never"; ready { delay "10s" } }
        service "dependent" { needs "broken"; run "@testbed counted started.txt" }
        service "tolerant"  { needs "broken" optional=#true; run "@testbed" }
        service "other"     { run "@testbed" }
        "#,
    );
    stack.run("up").exits(1).says("broken");
    assert_eq!(stack.state("broken"), "failed");
    assert_eq!(stack.state("tolerant"), "ready");
    assert_eq!(stack.state("other"), "ready");
    assert_eq!(stack.read("started.txt"), "");
}

#[test]
fn up_of_one_brings_what_it_needs_and_nothing_else() {
    let stack = Stack::new(
        r#"
        service "db"    { run "@testbed" }
        service "api"   { needs "db"; run "@testbed" }
        service "web"   { needs "api"; run "@testbed" }
        service "later" { after "api"; run "@testbed" }
        service "manual" { autostart #false; run "@testbed" }
        "#,
    );
    stack.run("up api").exits(0);
    let states = || ["db", "api", "web", "later", "manual"].map(|name| stack.state(name));
    assert_eq!(states(), ["ready", "ready", "idle", "idle", "idle"]);
    stack.up();
    assert_eq!(states(), ["ready", "ready", "ready", "ready", "idle"]);
}
