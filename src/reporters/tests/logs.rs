//! Lines of logs, and what happened between them.

use jiff::tz::TimeZone;
use regex::bytes::Regex;

use super::*;
use crate::reporters::logs::{LogPrinter, Piece, Style};

const PEOPLE: Style = Style::Prefixed { names: true, times: false };

fn printer<'a>(style: Style, theme: Theme, names: impl Iterator<Item = &'a str>) -> LogPrinter {
    LogPrinter::new(style, theme, TimeZone::UTC, names)
}

/// A terminal's escapes made visible.
fn visible(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).replace('\u{1b}', "␛")
}

/// A service that crashes, is started again, and does not behave.
fn crash(printer: &mut LogPrinter) -> Vec<u8> {
    let mut out = Vec::new();
    let line = |printer: &mut LogPrinter, out: &mut Vec<u8>, millis, name, text: &str, ends| {
        let piece = Piece { name, at: at(millis), text: text.as_bytes(), begins: true, ends };
        printer.piece(out, &piece);
    };
    let second = |millis, event| Record { generation: Some(2), ..record(millis, "api", event) };
    printer.mark(&mut out, &record(0, "api", Event::Spawned { pid: 4310, log: None }));
    line(printer, &mut out, 10, "api", "listening on \u{1b}[36m8000\u{1b}[0m", true);
    printer.mark(
        &mut out,
        &record(
            20,
            "api",
            Event::Ready { after_ms: 20, checked: true, address: None, unhealthy_ms: None },
        ),
    );
    line(printer, &mut out, 500, "postgres", "\u{1b}[2J\u{1b}[1;1Hcleared\u{7}", true);
    line(printer, &mut out, 900, "postgres", "10 %\r20 %\rdone\r", true);
    let pino = r#"{"level":50,"time":1,"msg":"no database","code":"ECONNREFUSED"}"#;
    line(printer, &mut out, 1000, "api", pino, true);
    line(printer, &mut out, 1001, "api", "last words", false);
    let exit = Exit::Code(1);
    printer.mark(
        &mut out,
        &record(1002, "api", Event::Exited { exit, expected: false, tail: Vec::new() }),
    );
    printer.mark(&mut out, &second(1500, Event::Spawned { pid: 4333, log: None }));
    line(printer, &mut out, 1600, "api", "password: ", false);
    printer.piece(
        &mut out,
        &Piece { name: "api", at: at(1700), text: b"secret", begins: false, ends: true },
    );
    printer.spared(&mut out, "postgres", at(1800), (4711, 1));
    printer.mark(&mut out, &second(1900, Event::Stopping));
    line(printer, &mut out, 2000, "api", "bye", false);
    printer.finish(&mut out);
    out
}

#[test]
fn a_crash_in_plain_text() {
    let mut printer = printer(PEOPLE, SYMBOLS, ["api", "postgres"].into_iter());
    insta::assert_snapshot!(visible(&crash(&mut printer)));
}

#[test]
fn a_crash_in_colours_with_times() {
    let style = Style::Prefixed { names: true, times: true };
    let colors = Theme { color: true, unicode: true };
    let mut printer = printer(style, colors, ["api", "postgres"].into_iter());
    insta::assert_snapshot!(visible(&crash(&mut printer)));
}

#[test]
fn a_crash_as_json() {
    let mut printer = printer(Style::Json, SYMBOLS, std::iter::empty());
    insta::assert_snapshot!(visible(&crash(&mut printer)));
}

#[test]
fn raw_is_raw() {
    let mut printer = printer(Style::Raw, SYMBOLS, std::iter::empty());
    insta::assert_snapshot!(visible(&crash(&mut printer)).replace('\r', "␍").replace('\u{7}', "␇"));
}

#[test]
fn many_services_without_symbols() {
    let names: Vec<String> = (1..=60).map(|number| format!("worker-{number}")).collect();
    let mut printer = printer(PEOPLE, Theme::PLAIN, names.iter().map(String::as_str));
    let mut out = Vec::new();
    for name in [&names[0], &names[59], &"a-service-that-came-later".to_owned(), &names[0]] {
        let piece = Piece { name, at: at(0), text: b"a line", begins: true, ends: true };
        printer.piece(&mut out, &piece);
    }
    insta::assert_snapshot!(visible(&out));
}

#[test]
fn what_was_searched_for_is_visible() {
    let colors = Theme { color: true, unicode: true };
    let printer = printer(PEOPLE, colors, ["api"].into_iter());
    let mut printer = printer.highlighting(Some(Regex::new("data|no").expect("a regex")));
    insta::assert_snapshot!(visible(&crash(&mut printer)));
}

#[test]
fn long_names_leave_room_for_lines() {
    let names = ["api", "a-service-with-a-rather-long-name.12", "übersetzungsdienst", "worker.1"];
    let narrow = |columns| printer(PEOPLE, SYMBOLS, names.into_iter()).within(columns);
    let mut out = Vec::new();
    for mut printer in [narrow(Some(40)), narrow(Some(80)), narrow(Some(20)), narrow(None)] {
        for name in names {
            let text = b"a line";
            printer.piece(&mut out, &Piece { name, at: at(0), text, begins: true, ends: true });
        }
        printer.gap(&mut out);
    }
    insta::assert_snapshot!(visible(&out));
}
