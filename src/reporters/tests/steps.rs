//! The steps of a task that a command is about.

use std::collections::BTreeMap;

use super::*;
use crate::{
    model::{Command, Step, StepCommand},
    reporters::view::{Frame, live, settled},
};

fn sync() -> Stack {
    let step = |name: &str| Step {
        name: name.into(),
        command: StepCommand::Command(Command::Run(vec!["true".into()])),
        dir: "/shop".into(),
        env: BTreeMap::new(),
        stdin: None,
        stdout: None,
    };
    let steps = ["backup", "dump-structure", "apply", "verify"].map(step);
    let task = Task::new("sync-structure", "/shop", TaskBody::Steps(steps.into()));
    let api = service("api", &[], None, false);
    Stack { name: "shop".into(), services: vec![api], tasks: vec![task], ..Stack::default() }
}

fn step(name: &str, on_failure: bool) -> Event {
    Event::Step { step: name.into(), on_failure }
}

fn ended(name: &str, on_failure: bool, after_ms: u64, failed: Option<&str>) -> Event {
    let exit = Exit::Code(i32::from(failed.is_some()));
    let failed = failed.map(str::to_owned);
    Event::StepEnded { step: name.into(), on_failure, exit, after_ms, failed }
}

fn records() -> Vec<Record> {
    let of = |millis, event| record(millis, "sync-structure", event);
    let failed = "`mariadb` exit 1, `mariadb-dump` exit 2";
    let failure = Failure::Step { step: "apply".into(), error: failed.into() };
    vec![
        of(0, Event::Starting),
        record(1, "api", Event::Stopping),
        of(2, waiting(&["api"])),
        record(30, "api", Event::Stopped),
        of(50, Event::Running { pid: 7, log: None }),
        of(60, step("backup", false)),
        of(2460, ended("backup", false, 2400, None)),
        of(2460, step("dump-structure", false)),
        of(2500, ended("dump-structure", false, 40, None)),
        of(2500, step("apply", false)),
        of(5000, ended("apply", false, 2500, Some(failed))),
        of(5100, step("undo", true)),
        of(6100, ended("undo", true, 1000, None)),
        of(6200, Event::Failed { reason: failure.into(), tail: vec![] }),
    ]
}

fn board_after(count: usize) -> LiveModel {
    let mut board = LiveModel::of_stack(&sync(), Goal::Up);
    let row = board.rows.iter_mut().find(|row| row.name == "sync-structure");
    row.expect("the task").expanded = true;
    for record in records().iter().take(count) {
        board.fold(record);
    }
    board
}

fn frame(rows: usize, columns: usize, millis: i64) -> Frame {
    let size = Size { rows, columns };
    Frame { size, theme: SYMBOLS, now: at(millis), began: at(0), step: 0 }
}

#[test]
fn each_step_has_a_line_with_its_time() {
    let mut shown = String::new();
    for (rows, columns) in [(24, 80), (24, 40), (6, 40)] {
        for (count, millis) in [(3, 20), (6, 1260), (10, 4700), (12, 5600)] {
            let lines = live(&board_after(count), &frame(rows, columns, millis)).join("\n");
            shown += &format!("--- {columns}x{rows} at {millis}\n{lines}\n");
        }
        let board = board_after(usize::MAX);
        let row = board.row("sync-structure").expect("the task");
        let lines = settled(row, board.name_width(), Some(columns), SYMBOLS).join("\n");
        shown += &format!("--- {columns} at the end\n{lines}\n");
        assert!(lines.lines().all(|line| console::measure_text_width(line) <= columns));
    }
    insta::assert_snapshot!(shown);
}

#[test]
fn without_a_terminal_each_end_of_a_step_is_a_line() {
    let mut board = board_after(0);
    let mut lines = Vec::new();
    for record in records() {
        match board.fold(&record) {
            Some(crate::reporters::live_model::Change::StepEnded { row, step }) => {
                let width = board.name_width();
                lines.extend(crate::reporters::lines::stepped(
                    &board.rows[row],
                    step,
                    width,
                    SYMBOLS,
                ));
            }
            Some(crate::reporters::live_model::Change::Moved(row)) => {
                lines.push(crate::reporters::lines::moving(
                    &board.rows[row],
                    board.name_width(),
                    SYMBOLS,
                ));
            }
            Some(crate::reporters::live_model::Change::Ended(row)) => {
                lines.extend(settled(&board.rows[row], board.name_width(), None, SYMBOLS));
            }
            Some(
                crate::reporters::live_model::Change::HookFailed { .. }
                | crate::reporters::live_model::Change::Notice { .. },
            )
            | None => {}
        }
    }
    insta::assert_snapshot!(lines.join("\n"));
}
