//! The live display, seen through a terminal in memory.

use indicatif::{InMemoryTerm, ProgressDrawTarget, TermLike};
use proptest::prelude::*;

use super::*;
use crate::reporters::view::{self, Frame};

/// What stands on a terminal of that size at a moment of a recorded start.
fn screen(stack: &Stack, records: &[Record], until: i64, rows: u16, columns: u16) -> String {
    let terminal = InMemoryTerm::new(rows, columns);
    let target = ProgressDrawTarget::term_like_with_hz(Box::new(terminal.clone()), 255);
    let size = Size { rows: rows.into(), columns: columns.into() };
    let mut reporter = replay(stack, records, until, size, target);
    // The rate of drawing is limited by the real clock; what was printed is always drawn.
    std::thread::sleep(std::time::Duration::from_millis(20));
    reporter.tick(at(until));
    let contents = terminal.contents();
    drop(reporter);
    contents
}

#[test]
fn a_start_at_several_widths() {
    for columns in [40, 80, 120] {
        let shown: Vec<String> = [500, 1800, 3000]
            .map(|until| {
                format!("-- {until} ms\n{}", screen(&shop(), &shop_starts(), until, 24, columns))
            })
            .into();
        insta::assert_snapshot!(format!("start_{columns}"), shown.join("\n"));
    }
}

#[test]
fn a_failure_shows_its_reason_and_its_last_lines() {
    for columns in [40, 80] {
        let shown = screen(&shop(), &shop_fails(), 3000, 24, columns);
        insta::assert_snapshot!(format!("failure_{columns}"), shown);
    }
}

#[test]
fn sixty_services_on_24_rows() {
    let (stack, records) = sixty();
    insta::assert_snapshot!(screen(&stack, &records, 100, 24, 80));
}

#[test]
fn what_settled_stays_when_the_live_lines_go() {
    let terminal = InMemoryTerm::new(24, 80);
    let target = ProgressDrawTarget::term_like_with_hz(Box::new(terminal.clone()), 255);
    let size = Size { rows: 24, columns: 80 };
    let mut reporter = replay(&shop(), &shop_starts(), 5000, size, target);
    reporter.finish();
    insta::assert_snapshot!(terminal.contents());
}

#[test]
fn a_notice_wider_than_the_terminal_is_broken_and_leaves_nothing_behind() {
    let text = "the disk that holds the logs of this stack is full: lines of its services are lost";
    let mut records = shop_starts();
    records.insert(8, record(25, "", Event::notice(text)));
    let shown = screen(&shop(), &records, 1800, 24, 40);
    let notice = "▲ the disk that holds the logs of this\n  stack is full: lines of its services\n  \
                  are lost\n";
    assert!(shown.contains(notice), "{shown}");
    assert_eq!(shown.matches("ready · ").count(), 1, "{shown}");
}

#[test]
fn a_task_that_a_crash_loop_has_skipped_again_and_again_is_told_once() {
    let skipped = || Event::Skipped;
    let mut records = Vec::new();
    for round in 0..3 {
        records.push(record(round * 100, "migrate", Event::Starting));
        records.push(record(round * 100 + 1, "migrate", skipped()));
    }
    let shown = screen(&shop(), &records, 1000, 24, 80);
    assert_eq!(shown.matches("skipped").count(), 1, "{shown}");
    records.push(record(400, "migrate", Event::Running { pid: 7, log: None }));
    records.push(record(401, "migrate", Event::Done { after_ms: 1 }));
    records.push(record(500, "migrate", skipped()));
    let shown = screen(&shop(), &records, 1000, 24, 80);
    assert_eq!(shown.matches("skipped").count(), 2, "news after a run: {shown}");
}

proptest! {
    /// No line is wider than the terminal, and there are never more than fit.
    #[test]
    fn any_size_will_do(rows in 0_usize..30, columns in 0_usize..130, until in 0_i64..4000) {
        for (stack, records) in [(shop(), shop_starts()), (shop(), shop_fails()), sixty()] {
            let mut board = LiveModel::of_stack(&stack, Goal::Up);
            let size = Size { rows, columns };
            for record in records.iter().filter(|record| record.at <= at(until)) {
                let Some(change) = board.fold(record) else { continue };
                if let crate::reporters::live_model::Change::Ended(index) = change {
                    let lines = view::settled(&board.rows[index], 10, Some(columns), SYMBOLS);
                    prop_assert!(lines.iter().all(|line| fits(line, columns)));
                }
            }
            let frame = Frame { size, theme: SYMBOLS, now: at(until), began: at(0), step: 3 };
            let lines = view::live(&board, &frame);
            prop_assert!(lines.len() <= rows.saturating_sub(2).max(1));
            for line in &lines {
                prop_assert!(fits(line, columns), "{line:?} is wider than {columns}");
            }
        }
    }
}

fn fits(line: &str, columns: usize) -> bool {
    console::measure_text_width(line) <= columns && !line.contains('\n')
}

#[test]
fn a_tiny_terminal_is_survived() {
    // The terminal in memory cannot have a single row.
    for (rows, columns) in [(2, 1), (2, 80), (24, 1), (2, 2), (4, 10)] {
        let terminal = InMemoryTerm::new(rows, columns);
        assert_eq!(terminal.width(), columns);
        screen(&shop(), &shop_fails(), 3000, rows, columns);
    }
}
