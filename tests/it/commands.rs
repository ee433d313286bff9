//! The rest of the command line: questions, plans, reference.

use serde_json::{Value, json};

use crate::support::{Running, Stack, eventually, repository};

const SHOP: &str = r#"
    stack "shop"
    service "db"  { run "@testbed listen {{port}}"; port @0; env { PASSWORD "hunter2" secret=#true } }
    task "migrate" { needs "db"; run "true" }
    service "api" { needs "db" "migrate"; run "@testbed"; describe "the API" }
    group "back" "db" "api"
"#;

#[test]
fn check_says_nothing_is_wrong_or_all_that_is() {
    let stack = Stack::new(SHOP);
    stack.run("check").exits(0);
    stack.write("service \"a\" {\n    run \"ls | wc\"\n    prot 80\n}\n");
    stack.run("check").exits(2).says("stack.kdl").says("shell").says("prot").says("port");
    let problems = stack.run("check --json").exits(2).out;
    let problems: Value = serde_json::from_str(&problems).expect("JSON");
    assert!(problems.to_string().contains("prot"), "{problems}");
    assert!(problems.to_string().contains("\"line\":3"), "{problems}");
}

#[test]
fn every_stack_file_that_is_shown_here_is_right() {
    let readme = std::fs::read_to_string(repository().join("README.md")).expect("the README");
    let block = readme.split("```kdl\n").nth(1).and_then(|rest| rest.split("```").next());
    let stack = Stack::new(block.expect("a stack file in the README"));
    stack.run("check").exits(0);
    let examples = repository().join("examples").read_dir().expect("the examples");
    let folders = examples.map(|entry| entry.expect("an example").path());
    for folder in folders.chain([repository().to_owned()]) {
        let mut check = stack.command("check");
        check.current_dir(&folder);
        Running::start(format!("check in {}", folder.display()), check).ends().exits(0);
    }
}

#[test]
fn graph_in_each_format() {
    let stack = Stack::new(SHOP);
    let graph = |format: &str| stack.run(&format!("graph --format {format}")).exits(0).out;
    assert_eq!(
        graph("text"),
        "api\n\
         ├─ db\n\
         └─ migrate (task)\n   \
            └─ db\n"
    );
    insta::assert_snapshot!(graph("dot"), @r#"
    digraph stack {
        rankdir=LR;
        node [shape=box];
        "db";
        "api";
        "migrate" [shape=ellipse];
        "db" -> "api";
        "migrate" -> "api";
        "db" -> "migrate";
    }
    "#);
    insta::assert_snapshot!(graph("mermaid"), @r#"
    graph LR
        n0["db"]
        n1["api"]
        n2(["migrate"])
        n0 --> n1
        n2 --> n1
        n0 --> n2
    "#);
    let json: Value = serde_json::from_str(&graph("json")).expect("JSON");
    let edges = json["edges"].as_array().expect("edges").iter();
    let edges: Vec<_> = edges.map(|edge| (&edge["from"], &edge["kind"], &edge["to"])).collect();
    let expected = [("api", "db"), ("api", "migrate"), ("migrate", "db")];
    let expected = expected.map(|(from, to)| json!([from, "needs", to]));
    assert_eq!(json!(edges), json!(expected));
    assert_eq!(json["groups"], json!([{"name": "back", "members": ["db", "api"]}]));
}

#[test]
fn explain_prints_the_reference_of_a_word() {
    let stack = Stack::new(SHOP);
    let restart = stack.run("explain restart").exits(0).out;
    for line in [
        "restart",
        r#"  write        restart ["…"] [tries=…] [within=…] [delay=…] [max-delay=…]"#,
        r#"  value        "on-failure" or "always" or "never""#,
        r#"  default      "on-failure""#,
        "  in           defaults, service, template",
        r#"  example      restart "always" tries=3 delay="1s""#,
    ] {
        assert!(restart.lines().any(|shown| shown == line), "{line} in {restart}");
    }
    stack.run("explain reddy").exits(2).says("there is no `reddy`").says("did you mean `ready`?");
}

#[test]
fn show_tells_values_and_where_they_stand_with_a_profile_too() {
    let stack = Stack::new(
        r#"
        service "a" { run "@testbed"; env { WORD "plain" } }
        profile "dev" { service "a" { env { WORD "other" } }; service "b" { run "@testbed" } }
        "#,
    );
    stack.run("show a").exits(0).says("plain");
    stack.run("show b").exits(2);
    stack.up();
    stack.run("show a --profile dev").exits(0).says("other").says("profile dev");
    stack.run("show b --profile dev").exits(0).says("service b");
    stack.run("show a --profile dve").exits(2).says("dev");
    stack.run("show a").exits(0).says("plain");
}

#[test]
fn a_group_is_shown_by_its_members() {
    let stack = Stack::new(&format!("group \"front\" \"api\" \"migrate\"\n{SHOP}"));
    stack.run("show front").exits(0).says("group front").says("api migrate").says("stack.kdl:1");
    let shown = stack.run("show front --json").exits(0).out;
    let shown: Value = serde_json::from_str(&shown).expect("JSON");
    assert_eq!(shown["kind"], "group");
    assert_eq!(shown["settings"][0]["value"], "api migrate");
}

#[test]
fn a_signal_for_a_task_is_refused_as_what_it_is() {
    let stack = Stack::new(r#"task "t" { run "@testbed" }"#);
    stack.run("signal t USR1").exits(2).says("`t` is a task").says("stackrun down t");
    let run = stack.start("run t");
    eventually("a run", || stack.state("t") == "running");
    stack.run("signal t USR1").exits(2).says("`t` is a task");
    assert_eq!(stack.state("t"), "running");
    stack.run("down t").exits(0);
    assert_ne!(run.ends().code, 0);
}

#[test]
fn what_a_service_is_for_is_told_when_it_is_ready() {
    let stack = Stack::new(
        r#"
        service "a" {
            run "@testbed listen {{port}}"
            port @0
            url "http://localhost:{{port}}/x"
            describe "what the shop is asked"
        }
        "#,
    );
    let up = stack.up();
    let url = format!("http://localhost:{}/x ", stack.port(0));
    let line = up.err.lines().find(|line| line.contains(&url));
    let line = line.unwrap_or_else(|| panic!("{}", up.err));
    assert!(line.ends_with("what the shop is asked"), "{line}");
}

#[test]
fn run_and_exec_tell_their_own_failures_from_those_of_a_command() {
    let stack = Stack::new(SHOP);
    // Nothing was touched: as everywhere.
    stack.run("run nope").exits(2).says("no service, task or group `nope`");
    stack.run("exec nope true").exits(2).says("no service, task or group `nope`");
    stack.run("run api").exits(2).says("is a service");
    stack.run("exec api -- no-such-program-anywhere").exits(127);
    stack.run("exec api -- /etc/passwd").exits(126);
    stack.run("exec api -- false").exits(1);
}

#[test]
fn wait_for_each_end() {
    let stack = Stack::new(SHOP);
    stack.run("wait api --for down").exits(0);
    stack.run("wait api --for ready --timeout 60s").exits(3);
    stack.up();
    stack.run("wait api --for ready").exits(0);
    stack.run("wait migrate --for done").exits(0);
    stack.run("wait api --for done").exits(2).says("`api` is a service").says("`--for down`");
    let wait = stack.start("wait db --for down --timeout 60s");
    stack.down();
    wait.ends().exits(0);
}

#[test]
fn exec_runs_a_command_where_the_service_lives() {
    let stack = Stack::new(
        r#"
        service "a" { dir "sub"; env { WORD "hello" }; run "@testbed listen {{port}}"; port @0 }
        "#,
    );
    stack.put("sub/file.txt", "x");
    stack.up();
    stack.run("exec a -- ls").exits(0).says("file.txt");
    stack.run("exec a -- printenv WORD PORT").exits(0).says(&stack.port(0).to_string());
    stack.run("exec a -- false").exits(1);
    stack.run("exec a -- no-such-program-anywhere").exits(127);
}

#[test]
fn events_tell_what_happened_and_who_asked() {
    let stack = Stack::new(SHOP);
    stack.up();
    stack.run("restart api").exits(0);
    let lines = stack.run("events --json").exits(0).out;
    let events: Vec<Value> =
        lines.lines().map(|line| serde_json::from_str(line).expect("an object a line")).collect();
    let numbers: Vec<u64> = events.iter().filter_map(|event| event["seq"].as_u64()).collect();
    assert!(numbers.len() == events.len() && numbers.is_sorted(), "{lines}");
    assert!(events.iter().any(|event| event["event"] == "ready" && event["name"] == "db"));
    assert!(lines.contains("restart api"), "{lines}");
}

#[test]
fn following_events_misses_none_where_a_supervisor_is_killed() {
    let stack = Stack::new(r#"service "a" { run "@testbed" }"#);
    stack.up();
    let follow = stack.start("events -f --json");
    eventually("the first records", || follow.out().contains("seq"));
    let supervisor = stack.supervisor();
    supervisor.kill();
    eventually("another one", || stack.supervisor().pid != supervisor.pid);
    stack.run("restart a").exits(0);
    eventually("the restart", || follow.out().contains("stackrun restart a"));
    stack.down();
    let ran = follow.ends().exits(0);
    assert!(ran.err.contains("the stack is down"), "{}", ran.err);
    let seen: Vec<u64> = ran
        .out
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok()?["seq"].as_u64())
        .collect();
    let all: Vec<u64> = (seen[0]..).take(seen.len()).collect();
    assert_eq!(seen, all, "none twice, none left out");
}

#[test]
fn groups_stand_for_their_members() {
    let stack = Stack::new(SHOP);
    stack.run("up back").exits(0);
    assert_eq!(stack.state("api"), "ready");
    stack.run("down back").exits(0);
    assert_eq!(stack.state("db"), "idle");
}

#[test]
fn secrets_are_masked_wherever_they_would_be_shown() {
    let stack = Stack::new(SHOP);
    stack.up();
    for line in ["show db", "status --json", "events --json", "why db"] {
        let ran = stack.run(line).exits(0);
        assert!(!ran.out.contains("hunter2") && !ran.err.contains("hunter2"), "{ran:#?}");
    }
    stack.run("exec db -- printenv PASSWORD").exits(0).says("hunter2");
    let stack = Stack::new(
        r#"
        service "a" {
            run "@testbed"
            env { KEY "hunter2" secret=#true }
            url "http://localhost/?key=hunter2"
        }
        "#,
    );
    stack.up();
    stack.run("status").exits(0).says("http://localhost/?key=•••");
}

#[test]
fn signal_reaches_the_main_process() {
    let stack = Stack::new(r#"service "a" { run "@testbed mark marks.txt a"; restart "never" }"#);
    stack.up();
    eventually("its start", || stack.read("marks.txt").contains("start a"));
    stack.run("signal a SIGTERM").exits(0);
    eventually("its end", || stack.read("marks.txt").contains("stop a"));
    let events = stack.run("events").exits(0);
    events.says("SIGTERM sent to the main process  (stackrun signal a SIGTERM, pid ");
}

#[test]
fn ls_lists_running_stacks() {
    let stack = Stack::new(r#"service "a" { run "@testbed" }"#);
    stack.up();
    let folder = stack.folder().display().to_string();
    stack.run("ls").exits(0).says(&folder);
    stack.down();
    let ran = stack.run("ls");
    assert!(!ran.out.contains(&folder), "{ran:#?}");
}

#[test]
fn the_file_is_found_from_a_folder_below_and_by_name() {
    let stack = Stack::new(r#"service "a" { run "@testbed" }"#);
    stack.put("deep/down/file", "");
    let mut command = stack.command("up");
    command.current_dir(stack.path("deep/down"));
    let ran = Running::start("up from below".to_owned(), command).ends();
    ran.exits(0);
    assert_eq!(stack.state("a"), "ready");
    let mut command = stack.command("--file");
    command.arg(stack.path("stack.kdl")).arg("status").current_dir("/");
    Running::start("--file … status".to_owned(), command).ends().exits(0);
}

#[test]
fn what_has_no_effect_yet_is_told_with_its_place() {
    let stack =
        Stack::new("service \"a\" {\n    run \"@testbed listen @0\"\n    port @0 share=#true\n}\n");
    stack.up().says("`a.port.share` has no effect yet").says("stack.kdl:3");
}

#[test]
fn fmt_indents_and_changes_nothing_else() {
    let text = "// first\nservice \"a\" {\nrun \"sleep 600\" // last\n      port 8080\n}\n";
    let stack = Stack::new(text);
    stack.run("fmt --check").exits(1);
    assert_eq!(stack.read("stack.kdl"), text, "a check changes nothing");
    stack.run("fmt").exits(0);
    stack.run("fmt --check").exits(0);
    let formatted = stack.read("stack.kdl");
    let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(words(&formatted), words(text));
    assert!(formatted.contains("\n    port 8080\n"), "{formatted}");
}

#[test]
fn init_writes_a_file_that_is_right_and_overwrites_none() {
    let stack = Stack::new("");
    std::fs::remove_file(stack.path("stack.kdl")).expect("the stack file");
    stack.put("package.json", r#"{"name": "x", "scripts": {"dev": "vite"}}"#);
    stack.run("init").exits(0);
    stack.run("check").exits(0);
    let first = stack.read("stack.kdl");
    assert!(first.contains("service"), "{first}");
    assert_ne!(stack.run("init").code, 0);
    assert_eq!(stack.read("stack.kdl"), first);
}

#[test]
fn the_schema_and_the_completions_are_printed() {
    let stack = Stack::new(SHOP);
    stack.run("schema").exits(0).says("ready");
    stack.run("completions bash").exits(0).says("stackrun");
    stack.run("doctor").exits(0);
}

#[test]
fn the_system_calls_our_processes_by_our_name() {
    let stack = Stack::new(r#"service "a" { run "sleep 600" }"#);
    stack.up();
    let keeper = stack.keeper_by_lock().expect("a keeper");
    for (pid, role) in [(keeper, "keeper"), (stack.supervisor().pid, "supervisor")] {
        let of = |file: &str| std::fs::read_to_string(format!("/proc/{pid}/{file}"));
        assert_eq!(of("comm").expect("its name"), "stackrun\n");
        let line = of("cmdline").expect("its command line");
        assert!(line.starts_with(&format!("stackrun\0{role}\0")), "{line:?}");
    }
}

#[test]
fn show_has_the_ports_that_a_running_stack_was_given() {
    let stack = Stack::new(
        r#"
        service "a" { run "@testbed listen {{port}}"; port "auto" name="http"; describe "at {{port}}" }
        service "moved" { run "@testbed listen {{port}}"; port @0 busy="next" }
        service "many" { run "@testbed listen {{port}}"; port "auto"; replicas 2 }
        task "t" { needs "a"; step "ask" { run "echo {{a.port.http}} {{now}}" } }
        "#,
    );
    stack.run("show a").exits(0).says("{{a.port}}").says("auto name=http");
    let taken = stack.stranger(&["listen", &stack.port(0).to_string()], &[]);
    eventually("the other one", || crate::support::listening(stack.port(0)));
    stack.up();
    let port = |name: &str| stack.node(name)["ports"][0]["port"].as_u64().expect("a port");
    for name in ["a", "many.1", "many.2"] {
        let ran = stack.run(&format!("show {name}")).exits(0);
        let port = port(name);
        assert!(!ran.out.contains("{{"), "{ran:#?}");
        ran.says(&format!("listen {port}")).says(&format!("{port} (auto)"));
    }
    let moved = port("moved");
    let ran = stack.run("show moved").exits(0).says(&format!("listen {moved}"));
    ran.says(&format!("{moved} (in place of {})", stack.port(0)));
    stack.run("show t").exits(0).says(&format!("echo {} {{{{now}}}}", port("a")));
    let json = stack.run("show a --json").exits(0).out;
    assert!(json.contains(&format!("at {}", port("a"))), "{json}");
    drop(taken);
}
