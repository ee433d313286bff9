//! What the services said.

use crate::support::{Stack, eventually};

#[test]
fn every_line_of_a_flood_is_there_in_order() {
    let stack = Stack::new(r#"service "a" { run "@testbed flood 20000" }"#);
    stack.up();
    let log = || stack.run("logs a --raw").exits(0).out;
    eventually("the last line", || log().contains("line 000020000"));
    let expected: String = (1..=20000).map(|line| format!("line {line:09}\n")).collect();
    assert!(log() == expected, "lines are missing, torn or out of order");
}

#[test]
fn the_last_ones_and_those_of_one_service() {
    let stack = Stack::new(
        r#"
        service "a" { run "@testbed flood 100" }
        service "b" { run "@testbed print 'from b'" }
        "#,
    );
    stack.up();
    eventually("both", || {
        let log = stack.run("logs").exits(0).out;
        log.contains("line 000000100") && log.contains("from b")
    });
    let last = stack.run("logs -n 3 --raw a").exits(0).out;
    assert_eq!(last, "line 000000098\nline 000000099\nline 000000100\n");
    assert!(!stack.run("logs a").exits(0).out.contains("from b"));
    let found = stack.run("logs a --raw --grep 00077$").exits(0).out;
    assert_eq!(found, "line 000000077\n");
    let last = stack.run("logs a --raw -n 2 --grep 5$").exits(0).out;
    assert_eq!(last, "line 000000085\nline 000000095\n");
    let groups = stack.run("logs a --raw -C 1 --grep 00[28]0$").exits(0).out;
    let lines: Vec<&str> =
        groups.lines().map(|line| line.trim_start_matches("line 0000000")).collect();
    assert_eq!(lines, ["19", "20", "21", "--", "79", "80", "81"]);
}

#[test]
fn following_goes_on_across_restarts_of_service_and_supervisor() {
    let stack = Stack::new(r#"service "a" { run "@testbed print hello tick 20" }"#);
    stack.up();
    let mut follow = stack.start("logs -f a");
    let hellos = || follow.out().matches("hello").count();
    eventually("the first start", || hellos() == 1);
    stack.run("restart a").exits(0);
    eventually("the second start", || hellos() == 2);
    let supervisor = stack.supervisor();
    supervisor.kill();
    eventually("another one", || stack.supervisor().pid != supervisor.pid);
    stack.run("restart a").exits(0);
    eventually("the third start", || hellos() == 3);
    follow.signal(rustix::process::Signal::INT);
    let _ = follow.ends();
}

#[test]
fn a_last_line_without_an_end_is_kept() {
    let stack = Stack::new(
        r#"service "a" { shell "printf 'one\ntwo'; exit 1"; restart "never"; ready { delay "5s" } }"#,
    );
    stack.run("up").exits(1);
    stack.run("logs a").exits(0).says("two");
}

#[test]
fn both_outputs_keep_their_order() {
    let stack = Stack::new(
        r#"service "a" { run "@testbed print one eprint two print three eprint four" }"#,
    );
    stack.up();
    let log = || stack.run("logs a --raw").exits(0).out;
    eventually("all", || log().contains("four"));
    assert_eq!(log(), "one\ntwo\nthree\nfour\n");
}

#[test]
fn logs_remain_after_down_and_know_their_times() {
    let stack = Stack::new(r#"service "a" { run "@testbed print early" }"#);
    stack.up();
    eventually("the line", || stack.run("logs a").exits(0).out.contains("early"));
    stack.down();
    stack.run("logs a").exits(0).says("early");
    let out = stack.run("logs a --json").exits(0).out;
    let items: Vec<serde_json::Value> =
        out.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let line = items.iter().find(|item| item["line"] == "early").expect("the line");
    assert_eq!(line["name"], "a");
    let events: Vec<&str> = items.iter().filter_map(|item| item["event"].as_str()).collect();
    assert_eq!(events, ["spawned", "ready", "stopping", "exited"]);
    assert_eq!(stack.run("logs a --raw").exits(0).out, "early\n");
}

#[test]
fn what_happened_stands_between_the_lines() {
    let stack = Stack::new(r#"service "a" { run "@testbed print hello" }"#);
    stack.up();
    let shown = || stack.run("logs a").exits(0).out;
    eventually("the first start", || shown().contains("hello"));
    stack.run("restart a").exits(0);
    eventually("the second start", || shown().matches("hello").count() == 2);
    let out = shown();
    let order = [
        "(generation 1), pid",
        "hello",
        "stopping (stackrun restart a",
        "ended: SIGTERM",
        "(generation 2), pid",
        "hello",
    ];
    let mut rest = out.as_str();
    for part in order {
        let (_, after) = rest.split_once(part).unwrap_or_else(|| panic!("no `{part}` in {out}"));
        rest = after;
    }
    let last = stack.run("logs a --raw --since last-start").exits(0).out;
    assert_eq!(last, "hello\n");
}

#[test]
fn lines_of_json_are_readable() {
    let stack = Stack::new(
        r##"service "a" { shell #"echo '{"level":"warn","time":1,"msg":"disk is full","free":0}'; sleep 100"# }"##,
    );
    stack.up();
    eventually("the line", || {
        stack.run("logs a").exits(0).out.contains("WARN  disk is full free=0")
    });
    assert!(stack.run("logs a --raw").exits(0).out.starts_with("{\"level\""));
}

#[test]
fn following_with_nothing_running_is_3() {
    let stack = Stack::new(r#"service "a" { run "@testbed" }"#);
    stack.run("logs -f").exits(3);
}

#[test]
fn last_words_and_the_next_first_ones_are_apart() {
    let stack = Stack::new(
        r#"
        service "a" {
            shell "echo hello; printf 'last words'; exit 3"
            restart "on-failure" tries=2 delay="10ms"
            ready { delay "5s" }
        }
        "#,
    );
    stack.run("up").exits(1);
    let out = stack.run("logs a").exits(0).out;
    let order = [
        "(generation 1), pid",
        "hello\n",
        "last words\n",
        "ended: exit 3",
        "(generation 2), pid",
        "hello\n",
        "last words\n",
        "ended: exit 3",
    ];
    let mut rest = out.as_str();
    for part in order {
        let (_, after) = rest.split_once(part).unwrap_or_else(|| panic!("no `{part}` in {out}"));
        rest = after;
    }
    assert!(stack.run("logs a --raw").exits(0).out.starts_with("hello\nlast wordshello\n"));
}

#[test]
fn a_line_of_any_length_and_kind_is_raw() {
    let stack = Stack::new(
        r#"
        service "a" {
            shell "head -c 9000000 /dev/zero | tr '\\0' x; printf '\\n\\377\\001\\033[2J\\nend'; sleep 600"
            log max-size="2MiB"
        }
        service "b" { run "@testbed print 'from b'" }
        "#,
    );
    stack.up();
    let raw = || stack.command("logs a --raw").output().expect("it runs").stdout;
    eventually("all of it", || raw().ends_with(b"end"));
    let expected = [&vec![b'x'; 9_000_000][..], b"\n\xff\x01\x1b[2J\nend"].concat();
    assert!(raw() == expected, "not as it came");
    // For people it harms no terminal.
    stack.has_logged("b", "from b");
    let shown = stack.run("logs").exits(0).out;
    assert!(
        shown.contains("from b") && shown.contains("\u{fffd}^A\n") && !shown.contains('\u{1b}')
    );
    assert_eq!(shown.matches("a │ x").count() + shown.matches("a | x").count(), 1);
}

#[test]
fn a_log_that_somebody_empties_or_removes_goes_on() {
    let stack = Stack::new(r#"service "a" { shell "while :; do echo tick; sleep 0.02; done" }"#);
    stack.up();
    let log = stack.path(".stackrun/logs/a.log");
    let has_lines = || std::fs::read_to_string(&log).is_ok_and(|text| text.contains("tick\n"));
    eventually("lines", has_lines);
    let mut follow = stack.start("logs -f -n 0 a --raw");
    eventually("a follower", || follow.out().contains("tick"));
    std::fs::write(&log, "").expect("emptied");
    eventually("lines again", has_lines);
    assert!(!std::fs::read(&log).expect("read").contains(&0), "no hole");
    std::fs::remove_file(&log).expect("removed");
    eventually("a new file", has_lines);
    std::fs::rename(&log, log.with_extension("log.old")).expect("moved");
    eventually("another new file", has_lines);
    let before = follow.out().len();
    eventually("followed", || follow.out().len() > before);
    // Whatever the last one is, it may not have come whole yet.
    let out = follow.out();
    assert!(out.split_inclusive('\n').rev().skip(1).all(|line| line == "tick\n"), "{out}");
    // An index that makes no sense is made anew.
    stack.down();
    std::fs::write(log.with_extension("log.idx"), vec![0xff; 100]).expect("damaged");
    stack.up();
    assert!(stack.run("logs a -t").exits(0).out.contains("tick"));
    let stamped = stack.run("logs a --since 1h --raw").exits(0).out;
    assert!(stamped.contains("tick"));
    follow.signal(rustix::process::Signal::INT);
    let _ = follow.ends();
}

#[test]
fn a_follower_ends_with_its_reader_and_by_ctrl_c() {
    let stack = Stack::new(r#"service "a" { shell "while :; do echo tick; sleep 0.02; done" }"#);
    stack.up();
    let mut follow = stack.start("logs -f");
    eventually("lines", || follow.out().contains("tick"));
    follow.signal(rustix::process::Signal::INT);
    follow.ends().exits(130);
    let mut reader = stack.command("logs -f");
    let mut reader = reader.stdout(std::process::Stdio::piped()).spawn().expect("it runs");
    let mut lines =
        std::io::BufRead::lines(std::io::BufReader::new(reader.stdout.take().expect("out")));
    assert!(lines.next().is_some_and(|line| line.is_ok()));
    drop(lines);
    eventually("the end", || reader.try_wait().expect("waited").is_some());
}

#[test]
fn both_outputs_in_files_of_their_own() {
    let stack = Stack::new(
        r#"service "a" { run "@testbed print one eprint two print three"; log split=#true }"#,
    );
    stack.up();
    eventually("all", || stack.run("logs a --raw").exits(0).out.lines().count() == 3);
    assert_eq!(stack.read(".stackrun/logs/a.log"), "one\nthree\n");
    assert_eq!(stack.read(".stackrun/logs/a.err.log"), "two\n");
    stack.run("logs a").exits(0).says("a.err");
}

#[test]
fn what_a_crash_left_on_stderr_is_shown_though_it_is_apart() {
    let stack = Stack::new(
        r#"
        service "a" {
            shell "echo fine; echo 'no database' >&2; exit 1"
            restart "never"
            ready { delay "5s" }
            log split=#true
        }
        "#,
    );
    let ran = stack.run("up").exits(1);
    assert!(format!("{}{}", ran.out, ran.err).contains("no database"));
    stack.run("why a").says("no database");
}
