use super::*;
use crate::{
    event::Tick,
    model::Exit,
    reason::{Action, CheckAnswer, CheckLabel, Failure, PlanReason, PlanStep, Reason},
};

fn at(millis: i64) -> Timestamp {
    Timestamp::from_millisecond(1_790_000_000_000 + millis).expect("in range")
}

fn record(millis: i64, command: &str, name: &str, event: Event) -> Record {
    let cause = Cause::Command { command: command.into(), pid: 7 };
    let name = Some(name.to_owned()).filter(|name| !name.is_empty());
    let tick = Tick::default();
    Record { seq: 1, at: at(millis), tick, event, name, generation: Some(1), cause }
}

fn waiting(on: &[&str]) -> Event {
    Event::Waiting { on: on.iter().copied().map(str::to_owned).collect() }
}

fn ready() -> Event {
    Event::Ready { after_ms: 1, checked: true, address: None, unhealthy_ms: None }
}

/// `db` (500 ms), `migrate` after it (300 ms), `api` after both and `cache`; `slow` beside them.
fn up() -> Vec<Record> {
    let up = "stackrun up";
    let spawned = || Event::Spawned { pid: 1, log: None };
    let (action, reason) = (Action::Start, PlanReason::NotRunning);
    let start = PlanStep { name: "db".into(), action, reason };
    vec![
        record(0, up, "", Event::Applied { steps: vec![start] }),
        record(0, up, "db", Event::Starting),
        record(0, up, "cache", Event::Starting),
        record(0, up, "slow", Event::Starting),
        record(1, up, "migrate", waiting(&["db"])),
        record(1, up, "api", waiting(&["db", "migrate", "cache"])),
        record(20, up, "db", spawned()),
        record(20, up, "cache", spawned()),
        record(20, up, "slow", spawned()),
        record(30, up, "db", Event::Checked { failed: refused() }),
        record(200, up, "cache", ready()),
        record(200, up, "api", waiting(&["db", "migrate"])),
        record(500, up, "db", ready()),
        record(500, up, "migrate", Event::Starting),
        record(500, up, "api", waiting(&["migrate"])),
        record(510, up, "migrate", Event::Running { pid: 2, log: None }),
        record(800, up, "migrate", Event::Done { after_ms: 300 }),
        record(800, up, "api", Event::Starting),
        record(820, up, "api", spawned()),
        record(900, up, "slow", ready()),
        record(1300, up, "api", ready()),
    ]
}

#[test]
fn the_chain_that_took_longest_is_found_by_who_waited_for_whom() {
    let starts = Start::all(&up(), at(5000));
    let [start] = starts.as_slice() else { panic!("one start: {starts:#?}") };
    assert_eq!((start.took_ms, start.unfinished), (1300, false));
    assert_eq!(start.critical, ["db", "migrate", "api"]);
    let names: Vec<&str> = start.rows.iter().map(|row| row.name.as_str()).collect();
    assert_eq!(names, ["db", "cache", "slow", "migrate", "api"]);
    let api = start.row("api").expect("a row");
    assert_eq!((api.end, api.took_ms(), api.to_ms()), (End::Ready, 500, 1300));
    let whats: Vec<(&What, u64)> =
        api.parts.iter().map(|part| (&part.what, part.took_ms())).collect();
    assert_eq!(whats.len(), 5, "{whats:?}");
    assert_eq!(whats[2], (&What::Waiting { on: vec!["migrate".into()] }, 300));
    let db = start.row("db").expect("a row");
    assert_eq!(db.parts[1].what, checking(Some(refused()), true));
    // Without a gap: each begins where the one before has ended.
    for row in &start.rows {
        assert!(row.parts.windows(2).all(|two| two[0].to_ms == two[1].from_ms), "{row:#?}");
    }
}

#[test]
fn a_restart_is_a_start_of_its_own_and_begins_with_the_stop() {
    let restart = "stackrun restart api";
    let mut records = up();
    let exit = Exit::Code(0);
    records.extend([
        record(2000, restart, "api", Event::Stopping),
        record(2090, restart, "api", Event::Exited { exit, expected: true, tail: Vec::new() }),
        record(2100, restart, "api", Event::Stopped),
        record(2100, restart, "api", Event::Starting),
        record(2110, restart, "api", Event::Spawned { pid: 9, log: None }),
        record(2600, restart, "api", ready()),
    ]);
    let starts = Start::all(&records, at(5000));
    let [first, second] = starts.as_slice() else { panic!("two: {starts:#?}") };
    assert_eq!(first.took_ms, 1300, "it is over");
    assert_eq!((second.began, second.took_ms), (at(2000), 600));
    let parts = &second.rows[0].parts;
    assert_eq!(parts[0], Part { what: What::Stopping, from_ms: 0, to_ms: 100 });
    assert!(!second.is_like(first) && second.is_like(second));
}

#[test]
fn what_is_on_the_way_ends_now_and_a_down_ends_all() {
    let mut records = up();
    records.truncate(14);
    let starts = Start::all(&records, at(600));
    assert!(starts[0].unfinished);
    assert_eq!(starts[0].took_ms, 600);
    records.push(record(700, "stackrun down", "", Event::Down));
    let starts = Start::all(&records, at(5000));
    assert_eq!(starts[0].row("api").map(|row| row.end), Some(End::Stopped));
    assert_eq!(starts[0].took_ms, 700);
}

#[test]
fn crashes_later_on_are_no_part_of_the_start() {
    let mut records = up();
    let crash = |millis, event| Record { cause: Cause::Exit, ..record(millis, "", "api", event) };
    records.extend([
        crash(9000, Event::Backoff { reason: exit_one(), delay_ms: 200, attempt: 1, of: 5 }),
        crash(9200, Event::Starting),
        crash(9300, ready()),
    ]);
    let starts = Start::all(&records, at(9999));
    assert_eq!(starts.len(), 1);
    assert_eq!(starts[0].took_ms, 1300);
}

/// The parts of the only row of the only start.
fn parts_of(records: &[Record]) -> (Vec<What>, End) {
    let starts = Start::all(records, at(5000));
    let [start] = starts.as_slice() else { panic!("one start: {starts:#?}") };
    let [row] = start.rows.as_slice() else { panic!("one row: {start:#?}") };
    (row.parts.iter().map(|part| part.what.clone()).collect(), row.end)
}

fn exit_one() -> Reason {
    Failure::Exited { exit: Exit::Code(1), early: None }.into()
}

fn refused() -> FailedCheck {
    let check = CheckLabel::Tcp { ports: vec![5432] };
    FailedCheck { check, answer: CheckAnswer::Error("connection refused".into()) }
}

fn checking(failed: Option<FailedCheck>, held: bool) -> What {
    What::Checking { failed, held }
}

#[test]
fn a_check_that_never_held_is_told_as_one() {
    let up = "stackrun up";
    let answer = || Event::Checked { failed: refused() };
    let exit = Exit::Code(1);
    let own = |millis, cause, event| Record { cause, ..record(millis, "", "a", event) };
    let crashed = [
        record(0, up, "a", Event::Starting),
        record(10, up, "a", Event::Spawned { pid: 1, log: None }),
        record(20, up, "a", answer()),
        own(600, Cause::Exit, Event::Exited { exit, expected: false, tail: Vec::new() }),
        own(650, Cause::Exit, Event::Failed { reason: exit_one(), tail: Vec::new() }),
    ];
    let (parts, end) = parts_of(&crashed);
    let never = checking(Some(refused()), false);
    assert_eq!(parts, [What::Starting, never.clone(), What::ClearingUp]);
    assert_eq!(end, End::Failed);

    // One that is too slow is stopped for that, and tried again.
    let too_slow = |millis, event| own(millis, Cause::Start, event);
    let slow = [
        record(0, up, "a", Event::Starting),
        record(10, up, "a", Event::Spawned { pid: 1, log: None }),
        record(20, up, "a", answer()),
        too_slow(500, Event::Stopping),
        too_slow(550, Event::Exited { exit, expected: true, tail: Vec::new() }),
        too_slow(560, Event::Backoff { reason: exit_one(), delay_ms: 9, attempt: 1, of: 1 }),
        too_slow(600, Event::Starting),
        too_slow(610, Event::Spawned { pid: 2, log: None }),
        too_slow(700, ready()),
    ];
    let (parts, end) = parts_of(&slow);
    let again = [What::Starting, checking(None, true)];
    assert_eq!(parts[..4], [What::Starting, never, What::Stopping, What::Pausing]);
    assert_eq!((&parts[4..], end), (&again[..], End::Ready));
}

#[test]
fn what_nothing_checks_has_to_live_for_a_while() {
    let up = "stackrun up";
    let started = Event::Ready { after_ms: 1, checked: false, address: None, unhealthy_ms: None };
    let records = [
        record(0, up, "a", Event::Starting),
        record(10, up, "a", Event::Spawned { pid: 1, log: None }),
        record(510, up, "a", started),
    ];
    assert_eq!(parts_of(&records), (vec![What::Starting, What::Proving], End::Ready));
}
