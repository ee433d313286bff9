//! What is shown once: tables, graphs, plans, summaries, lines without a terminal.

use std::time::Duration;

use jiff::tz::TimeZone;

use super::*;
use crate::{
    core::plan::Plan,
    core::stack::{ItemOutcome, ItemResult, Outcome, Why, WhyLink},
    model::{Group, NeedUntil, State},
    reason::{Action, Change, PlanReason, PlanStep, TakesEffect},
    reporters::{
        events, graph,
        live_model::{RowOutcome, RowState},
        logs, plan, summary, table, why,
    },
    status::{
        Because, Evidence, PortStatus, ServiceState, ServiceStatus, Status, SupervisorStatus,
        TaskState, TaskStatus,
    },
};

/// All of it.
pub(super) const SHOP: summary::What<'static> = summary::What { stack: "shop", names: &[] };

/// The outcome that a board amounts to.
pub(super) fn outcome_of(board: &LiveModel) -> Outcome {
    let results = board.rows.iter().map(|row| {
        let how = match &row.state {
            RowState::Ended(RowOutcome::Failed { reason, .. }) => {
                ItemOutcome::Failed { reason: reason.clone(), exit: Some(Exit::Code(1)) }
            }
            RowState::Ended(RowOutcome::Ready { after_ms, .. } | RowOutcome::Done { after_ms }) => {
                ItemOutcome::Ready { after_ms: *after_ms }
            }
            RowState::Ended(_) | RowState::Quiet => ItemOutcome::Unchanged,
            RowState::Active(_) => ItemOutcome::Blocked { by: "api".into() },
        };
        ItemResult { name: row.name.clone(), how }
    });
    Outcome { results: results.collect(), ..Outcome::default() }
}

fn board_after(records: &[Record]) -> LiveModel {
    let mut board = LiveModel::of_stack(&shop(), Goal::Up);
    for record in records {
        board.fold(record);
    }
    board
}

fn status() -> Status {
    let service = |name: &str, state, because| ServiceStatus {
        name: name.into(),
        state,
        checked: true,
        proven: true,
        wanted: true,
        because,
        pid: Some(4310),
        generation: 1,
        ports: vec![PortStatus { name: None, port: 8000 }],
        since: Some(at(0)),
        uptime_ms: Some(7_500_000),
        restarts: 0,
        exit: None,
        processes: 2,
        memory_bytes: 51_234_816,
        cpu_percent: 0.3,
        needs: Vec::new(),
        url: None,
        describe: None,
        notices: Vec::new(),
    };
    let mut postgres = service("postgres", ServiceState::Ready, None);
    postgres.restarts = 2;
    let checking = Because::Checking { failed: Some(health(503)) };
    let api = service("api", ServiceState::Starting, Some(checking));
    let waiting = Because::Waiting { on: vec!["api".into()] };
    let mut web = service("web", ServiceState::Waiting, Some(waiting));
    web.pid = None;
    web.uptime_ms = None;
    let supervisor = SupervisorStatus { pid: 42, version: "0.1.0".into(), since: at(0) };
    Status {
        format: 1,
        stack: "shop".into(),
        file: "/shop/stack.kdl".into(),
        supervisor: Some(supervisor),
        services: vec![postgres, api, web],
        tasks: vec![TaskStatus {
            name: "migrate".into(),
            state: TaskState::Done,
            wanted: true,
            because: None,
            exit: Some(Exit::SUCCESS),
            since: Some(at(-60_000)),
            next: None,
            needs: Vec::new(),
            describe: None,
        }],
        notices: vec!["stack.kdl has changed since the last `up`".into()],
    }
}

#[test]
fn a_table_fits_its_terminal() {
    for columns in [40, 60, 80, 120] {
        let shown = table::show(&status(), at(0), Some(columns), SYMBOLS);
        let widest = shown.lines().map(console::measure_text_width).max();
        // Notices are sentences, and not part of the table.
        assert!(widest <= Some(columns.max(44)), "{shown}");
        insta::assert_snapshot!(format!("table_{columns}"), shown);
    }
}

#[test]
fn one_long_name_costs_the_others_nothing() {
    let mut status = status();
    status.notices.clear();
    status.tasks[0].name = "fill-the-database-with-what-tests-want".into();
    let shown = table::show(&status, at(0), Some(40), SYMBOLS);
    let waits = status.services.iter().find(|service| service.because.is_some()).expect("one");
    let line = shown.lines().find(|line| line.starts_with(&waits.name)).expect("its line");
    assert!(line.contains("checking"), "{shown}");
    assert!(shown.lines().all(|line| console::measure_text_width(line) <= 40), "{shown}");

    let mut board = board_after(&shop_starts());
    let (ready, width) = (board.rows.remove(0), 24);
    let line = &crate::reporters::view::settled(&ready, width, Some(40), SYMBOLS)[0];
    assert_eq!(line, "✔ postgres       ready in 900ms  port 5…");
}

#[test]
fn a_table_has_addresses_and_descriptions() {
    let mut status = status();
    status.notices.clear();
    status.services[0].describe = Some("all orders".into());
    for (service, state) in [(1, ServiceState::Ready), (2, ServiceState::Idle)] {
        let service = &mut status.services[service];
        (service.state, service.because) = (state, None);
        service.url = Some("http://localhost:8000".into());
        service.describe = Some("what the shop is asked".into());
    }
    status.tasks[0].describe = Some("brings tables up to date".into());
    let idle = TaskStatus { state: TaskState::Idle, since: None, ..status.tasks[0].clone() };
    status.tasks.push(TaskStatus { name: "reset".into(), ..idle });
    let shown = [Some(60), Some(90), None].map(|columns| {
        let shown = table::show(&status, at(0), columns, SYMBOLS);
        let widest = shown.lines().map(console::measure_text_width).max();
        assert!(widest <= Some(columns.unwrap_or(usize::MAX)), "{shown}");
        shown
    });
    insta::assert_snapshot!(shown.join("--\n"));
}

#[test]
fn without_a_terminal_there_is_a_line_a_change() {
    let mut board = LiveModel::of_stack(&shop(), Goal::Up);
    let mut lines = Vec::new();
    for record in shop_fails() {
        use crate::reporters::live_model::Change;
        match board.fold(&record) {
            Some(Change::Moved(index)) => lines.push(crate::reporters::lines::moving(
                &board.rows[index],
                board.name_width(),
                Theme::PLAIN,
            )),
            Some(Change::Ended(index)) => {
                let row = &board.rows[index];
                lines.extend(view_settled(row, board.name_width()));
            }
            Some(Change::StepEnded { .. } | Change::HookFailed { .. } | Change::Notice { .. })
            | None => {}
        }
    }
    let shown = lines.join("\n");
    assert!(!shown.contains('\u{1b}'), "no control codes");
    insta::assert_snapshot!(shown);
}

fn view_settled(row: &crate::reporters::live_model::Row, names: usize) -> Vec<String> {
    crate::reporters::view::settled(row, names, None, Theme::PLAIN)
}

#[test]
fn the_last_lines_of_up() {
    let took = Duration::from_millis(3400);
    let all = |records: &[Record]| {
        let board = board_after(records);
        summary::up(SHOP, &outcome_of(&board), &board, took, SYMBOLS).join("\n")
    };
    insta::assert_snapshot!([all(&shop_starts()), all(&shop_fails()), all(&[])].join("\n--\n"));
    let names = ["api".to_owned(), "web".to_owned()];
    let what = summary::What { names: &names, ..SHOP };
    let board = board_after(&shop_starts());
    let shown = summary::up(what, &outcome_of(&board), &board, took, SYMBOLS);
    assert_eq!(shown, ["✔ api and web are up: 4 services ready, 1 task done in 3.4s"]);
}

#[test]
fn the_last_lines_of_down() {
    let took = Duration::from_millis(400);
    let processes = ["812 (postgres), uninterruptible".to_owned()];
    let left = summary::Left { processes: &processes, ports: &[5432], proved: true, unproved: &[] };
    let clean = summary::Left { processes: &[], ports: &[], proved: false, unproved: &[] };
    let show = |left| summary::down(SHOP, &Outcome::default(), left, took, SYMBOLS).join("\n");
    insta::assert_snapshot!([show(None), show(Some(clean)), show(Some(left))].join("\n--\n"));
    // What another command has brought up meanwhile is not down.
    let results = vec![
        ItemResult { name: "db".into(), how: ItemOutcome::Stopped },
        ItemResult { name: "api".into(), how: ItemOutcome::Superseded },
    ];
    let beaten = Outcome { results, superseded: true, ..Outcome::default() };
    let shown = summary::down(SHOP, &beaten, None, took, SYMBOLS);
    assert_eq!(shown, ["▲ api: started by another command meanwhile"]);
}

#[test]
fn graphs() {
    let mut stack = shop();
    stack.services[3].after = vec!["mailpit".into()];
    stack.services[3].needs[0].follow = true;
    stack.services[2].needs[0].until = NeedUntil::Started;
    stack.groups = vec![Group { name: "front".into(), members: vec!["web".into()] }];
    let shown = [
        graph::text(&stack, SYMBOLS),
        graph::text(&stack, Theme::PLAIN),
        graph::dot(&stack),
        graph::mermaid(&stack),
        format!("{:#}", graph::json(&stack)),
    ];
    insta::assert_snapshot!(shown.join("\n"));
}

#[test]
fn plans() {
    let step = |name: &str, action, reason| PlanStep { name: name.into(), action, reason };
    let name = || "migrate".to_owned();
    let change = |key: &str, from: Option<&str>, to: Option<&str>, takes_effect| Change {
        key: key.into(),
        from: from.map(str::to_owned),
        to: to.map(str::to_owned),
        takes_effect,
    };
    let run = change("run", Some("\"a\""), Some("\"b\""), TakesEffect::Restart);
    let level = change("env.LEVEL", None, Some("\"debug\""), TakesEffect::Restart);
    let ready = change("ready", Some(""), Some(""), TakesEffect::NextStart);
    let done = PlanReason::Already { state: State::Task(TaskState::Done) };
    let up = PlanReason::Already { state: State::Service(ServiceState::Ready) };
    let steps = vec![
        step("old", Action::Stop, PlanReason::NotInFile),
        step("postgres", Action::Keep, up),
        step("install", Action::RunIfChanged, PlanReason::NeededBy { name: name() }),
        step("migrate", Action::Run, PlanReason::NeededBy { name: "api".into() }),
        step("seed", Action::Keep, done),
        step("jobs", Action::Start, PlanReason::NotRunning),
        step("api", Action::Restart, PlanReason::Edited { changes: vec![run, level] }),
        step("web", Action::Update, PlanReason::Edited { changes: vec![ready] }),
        step("docs", Action::Restart, PlanReason::Window { task: name() }),
    ];
    let nothing = Plan { steps: steps[1..2].to_vec() };
    let shown = [plan::show(&Plan { steps }, SYMBOLS), plan::show(&nothing, SYMBOLS)];
    insta::assert_snapshot!(shown.join("\n"));
}

#[test]
fn why_shows_the_chain() {
    let link = |name: &str, state, because| WhyLink {
        name: name.into(),
        state: State::Service(state),
        checked: true,
        because: Some(because),
        evidence: Vec::new(),
        setting: None,
        advice: Vec::new(),
        next: Vec::new(),
    };
    let repeated = Some(Repeated { times: 5, over_ms: 8700, alike: true });
    let reason = Reason { repeated, ..exit_early(1).into() };
    let mut root = link("postgres", ServiceState::Failed, Because::Failed { reason });
    let text = "FATAL: data directory is not empty".into();
    root.evidence = vec![Evidence::LogLine { text }];
    root.setting = Some("postgres.restart".into());
    root.next = vec!["stackrun logs postgres".into()];
    let waiting = Because::Waiting { on: vec!["api".into()] };
    let links = vec![link("web", ServiceState::Waiting, waiting), root];
    let place = |_: &str| Some("stack.kdl:12".to_owned());
    let why = Why { links };
    insta::assert_snapshot!(why::show(&why, SYMBOLS, None, place));
    let narrow = why::show(&why, SYMBOLS, Some(30), place);
    assert!(narrow.lines().all(|line| console::measure_text_width(line) <= 30), "{narrow}");
    let words = |text: &str| text.split([' ', '\n', '│']).collect::<String>();
    assert_eq!(words(&narrow), words(&why::show(&why, SYMBOLS, None, place)), "{narrow}");
    assert!(
        narrow.contains("\n    │ log: FATAL: data\n    │ directory is not empty\n"),
        "{narrow}"
    );
}

#[test]
fn events_are_one_line_each() {
    let shown: Vec<String> =
        shop_fails().iter().map(|record| events::show(record, &TimeZone::UTC, SYMBOLS)).collect();
    insta::assert_snapshot!(shown.join("\n"));
}

#[test]
fn lines_of_logs() {
    let names = ["api", "postgres"];
    let show = |style, theme| {
        let mut printer = logs::LogPrinter::new(style, theme, TimeZone::UTC, names.into_iter());
        let mut bytes = Vec::new();
        for (name, second, text) in
            [("api", 5, &b"\x1b[31mred\x1b[0m\x1b[2J \xff\r"[..]), ("postgres", 6, b"ready")]
        {
            let piece = logs::Piece { name, at: at(second), text, begins: true, ends: true };
            printer.piece(&mut bytes, &piece);
        }
        String::from_utf8_lossy(&bytes).into_owned()
    };
    let prefixed = |times| logs::Style::Prefixed { names: true, times };
    assert_eq!(show(prefixed(false), SYMBOLS), "api      │ red \u{fffd}\npostgres │ ready\n");
    assert!(show(prefixed(true), SYMBOLS).starts_with("2026-09-21 14:13:20.005 api "));
    let colored = show(prefixed(false), Theme { color: true, unicode: true });
    assert!(colored.contains("\u{1b}[31mred"), "a service's own colours are kept");
    assert!(!colored.contains("\u{1b}[2J"), "and nothing else");
    assert!(show(logs::Style::Raw, SYMBOLS).starts_with("\u{1b}[31mred"));
    let json = show(logs::Style::Json, SYMBOLS);
    let first: serde_json::Value =
        serde_json::from_str(json.lines().next().expect("a line")).expect("JSON");
    assert_eq!(first["name"], "api");
}
