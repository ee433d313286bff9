//! What is seen: recorded streams of records, replayed on terminals of several sizes.

mod logs;
mod progress;
mod replay;
mod steps;
mod views;

use jiff::Timestamp;

use super::{
    live_model::{Goal, LiveModel},
    progress::Progress,
    reporter::Reporter,
    theme::Theme,
    view::Size,
};
use crate::{
    event::{Cause, Event, Record, Tick},
    model::{
        Busy, Check, Exit, HttpCheck, HttpTarget, Need, Port, PortNumber, Service, Stack, Task,
        TaskBody, Text,
    },
    reason::{
        CheckAnswer, CheckLabel, EarlyExit, FailedCheck, Failure, LastLine, Reason, Repeated,
    },
};

/// With symbols, without colour.
const SYMBOLS: Theme = Theme { color: false, unicode: true };

/// A moment of the recorded streams.
fn at(millis: i64) -> Timestamp {
    Timestamp::from_millisecond(1_790_000_000_000 + millis).expect("in range")
}

fn record(millis: i64, name: &str, event: Event) -> Record {
    let cause = Cause::Command { command: "stackrun up".into(), pid: 4711 };
    let name = Some(name.to_owned()).filter(|name| !name.is_empty());
    Record {
        seq: 1,
        at: at(millis),
        tick: Tick::default(),
        event,
        name,
        generation: Some(1),
        cause,
    }
}

fn waiting(on: &[&str]) -> Event {
    Event::Waiting { on: on.iter().copied().map(str::to_owned).collect() }
}

/// A check that does not hold, as records tell of it.
fn failed_check(check: CheckLabel, answer: CheckAnswer) -> FailedCheck {
    FailedCheck { check, answer }
}

fn refused(port: u16) -> Event {
    let answer = CheckAnswer::Error("connection refused".into());
    Event::Checked { failed: failed_check(CheckLabel::Tcp { ports: vec![port] }, answer) }
}

fn health(code: u16) -> FailedCheck {
    let check = CheckLabel::Http { target: "/health".into() };
    failed_check(check, CheckAnswer::Status { code })
}

/// An end before the checks had held.
fn exit_early(code: i32) -> Failure {
    Failure::Exited { exit: Exit::Code(code), early: Some(EarlyExit::BeforeReady) }
}

fn service(name: &str, needs: &[&str], port: Option<u16>, http: bool) -> Service {
    let mut service = Service::new(name, "/shop");
    service.needs = needs.iter().map(|need| Need::new(*need)).collect();
    service.ports.extend(port.map(|number| Port {
        name: None,
        number: PortNumber::Fixed(number),
        host: None,
        busy: Busy::default(),
        share: false,
        any_owner: false,
    }));
    if http {
        let target = HttpTarget::Path { path: Text::literal("/health"), port: None };
        let check = HttpCheck { target, status: None, headers: Vec::new(), insecure: false };
        service.ready.checks.push(Check::Http(check));
    }
    service
}

/// A shop of four services and a task.
fn shop() -> Stack {
    let mut migrate = Task::new("migrate", "/shop", TaskBody::Steps(Vec::new()));
    migrate.needs = vec![Need::new("postgres")];
    Stack {
        name: "shop".into(),
        services: vec![
            service("postgres", &[], Some(5432), false),
            service("mailpit", &[], None, false),
            service("api", &["postgres", "migrate"], Some(8000), true),
            service("web", &["api"], Some(5173), true),
        ],
        tasks: vec![migrate],
        ..Stack::default()
    }
}

/// Its start.
fn shop_starts() -> Vec<Record> {
    vec![
        record(0, "postgres", Event::Starting),
        record(0, "mailpit", Event::Starting),
        record(1, "api", waiting(&["postgres", "migrate"])),
        record(1, "web", waiting(&["api"])),
        record(1, "migrate", waiting(&["postgres"])),
        record(4, "postgres", Event::Spawned { pid: 101, log: None }),
        record(5, "mailpit", Event::Spawned { pid: 102, log: None }),
        record(20, "postgres", refused(5432)),
        record(
            30,
            "mailpit",
            Event::Ready { after_ms: 30, checked: true, address: None, unhealthy_ms: None },
        ),
        record(
            900,
            "postgres",
            Event::Ready { after_ms: 900, checked: true, address: None, unhealthy_ms: None },
        ),
        record(901, "migrate", Event::Running { pid: 103, log: None }),
        record(1500, "migrate", Event::Done { after_ms: 599 }),
        record(1501, "api", Event::Starting),
        record(1505, "api", Event::Spawned { pid: 104, log: None }),
        record(1700, "api", Event::Checked { failed: health(503) }),
        record(
            2705,
            "api",
            Event::Ready { after_ms: 1204, checked: true, address: None, unhealthy_ms: None },
        ),
        record(2706, "web", Event::Starting),
        record(2710, "web", Event::Spawned { pid: 105, log: None }),
        record(
            3400,
            "web",
            Event::Ready { after_ms: 694, checked: true, address: None, unhealthy_ms: None },
        ),
    ]
}

/// Its start, with an api that does not come up.
fn shop_fails() -> Vec<Record> {
    let mut records: Vec<Record> =
        shop_starts().into_iter().filter(|record| record.at <= at(1505)).collect();
    let tail = [
        "Traceback (most recent call last):",
        "  File \"/shop/api/server.py\", line 12, in <module>",
        "\u{1b}[31mKeyError: 'DATABASE_URL'\u{1b}[0m",
    ];
    let tail: Vec<String> = tail.map(str::to_owned).into();
    let exited = Event::Exited { exit: Exit::Code(1), expected: false, tail: tail.clone() };
    let key_error = LastLine { text: "KeyError: 'DATABASE_URL'".into(), is_error: true };
    let reason = Reason { last_line: Some(key_error), ..exit_early(1).into() };
    let repeated = Some(Repeated { times: 5, over_ms: 60_000, alike: true });
    records.extend([
        record(1800, "api", exited),
        record(
            1801,
            "api",
            Event::Backoff { reason: reason.clone(), delay_ms: 200, attempt: 1, of: 5 },
        ),
        record(2900, "api", Event::Failed { reason: Reason { repeated, ..reason }, tail }),
    ]);
    records
}

/// Sixty services, of which every third waits for the one before it.
fn sixty() -> (Stack, Vec<Record>) {
    let name = |number: usize| format!("service-{number:02}");
    let services: Vec<Service> = (0..60)
        .map(|number| service(&name(number), &[], Some(9000 + number as u16), false))
        .collect();
    let mut records = Vec::new();
    for number in 0..60 {
        records.push(match number % 3 {
            2 => record(2, &name(number), waiting(&[&name(number - 1)])),
            _ => record(1, &name(number), Event::Starting),
        });
    }
    for number in (0..60).filter(|number| number % 3 != 2) {
        let at = 300 + number as i64 * 40;
        records.push(record(at / 2, &name(number), refused(9000)));
        records.push(record(
            at,
            &name(number),
            Event::Ready { after_ms: at as u64, checked: true, address: None, unhealthy_ms: None },
        ));
    }
    for number in (0..60).filter(|number| number % 3 == 2) {
        let at = 320 + number as i64 * 40;
        records.push(record(at, &name(number), Event::Starting));
        records.push(record(
            at + 900,
            &name(number),
            Event::Ready { after_ms: 900, checked: true, address: None, unhealthy_ms: None },
        ));
    }
    records.sort_by_key(|record| record.at);
    (Stack { name: "many".into(), services, ..Stack::default() }, records)
}

/// A reporter on a terminal of that size, fed with what happened up to a moment.
fn replay(
    stack: &Stack,
    records: &[Record],
    until: i64,
    size: Size,
    target: indicatif::ProgressDrawTarget,
) -> Reporter {
    let progress = Progress::on(target, Some(size), SYMBOLS, at(0));
    let mut reporter = Reporter::bars(LiveModel::of_stack(stack, Goal::Up), progress, SYMBOLS);
    for record in records.iter().filter(|record| record.at <= at(until)) {
        reporter.record(record, record.at);
    }
    reporter.tick(at(until));
    reporter
}
