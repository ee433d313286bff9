//! One table of sentences: what is data everywhere else, as people read it.

use super::*;
use crate::{
    event::Cause,
    model::{Background, Exit, Hook, ServiceState, Signal, State},
    reason::{
        CheckAnswer, CheckLabel, EarlyExit, FailedCheck, Failure, HookFailure, LastLine, Notice,
        Reason, Repeated,
    },
    status::{Because, Evidence, StartStep, StopStep},
};

const SIX: Option<Repeated> = Some(Repeated { times: 6, over_ms: 8700, alike: true });

fn exited(exit: Exit, early: Option<EarlyExit>) -> Failure {
    Failure::Exited { exit, early }
}

fn said(text: &str, is_error: bool) -> Option<LastLine> {
    Some(LastLine { text: text.into(), is_error })
}

fn check(check: CheckLabel, answer: CheckAnswer) -> FailedCheck {
    FailedCheck { check, answer }
}

fn http(answer: CheckAnswer) -> FailedCheck {
    check(CheckLabel::Http { target: "/health".into() }, answer)
}

fn prints() -> FailedCheck {
    check(CheckLabel::Prints { pattern: "^at work".into() }, CheckAnswer::NoLine)
}

fn silent(instead: &[u16]) -> FailedCheck {
    let answer = CheckAnswer::NothingListens { port: 8000, instead: instead.to_vec() };
    check(CheckLabel::Listening { ports: vec![8000] }, answer)
}

fn not_ready(check: FailedCheck) -> Failure {
    Failure::NotReady { within_ms: 3000, check: Some(check) }
}

#[test]
fn the_cause_of_a_failure_comes_first() {
    let early = Some(EarlyExit::BeforeReady);
    let (code, ok) = (Exit::Code(1), Exit::SUCCESS);
    let node = said("Error: Cannot find module 'express'", true);
    let again = Some(Repeated { times: 3, over_ms: 6500, alike: false });
    let background = Background { pid: 7, command: "nginx: master".into() };
    let holder = || "pid 812 (nginx)".to_owned();
    let table: Vec<(Failure, Option<Repeated>, Option<LastLine>, &str)> = vec![
        (exited(code, None), None, None, "exit 1"),
        (exited(code, early), None, None, "exit 1 before it was ready"),
        (exited(code, early), SIX, None, "exit 1 before it was ready, 6 times in 8.7s"),
        (
            exited(code, early),
            SIX,
            node.clone(),
            "Cannot find module 'express': exit 1, 6 times in 8.7s",
        ),
        (exited(code, early), None, said("no config", false), "no config: exit 1"),
        (
            exited(ok, Some(EarlyExit::AfterStart)),
            SIX,
            said("bye", false),
            "exit 0 right after its start, 6 times in 8.7s, last line: bye",
        ),
        (exited(code, None), again, None, "exit 1, the last of 3 failures in 6.5s"),
        (exited(code, None), None, said("GET / 200", false), "exit 1, last line: GET / 200"),
        (exited(code, None), None, node, "Cannot find module 'express': exit 1"),
        (
            not_ready(http(CheckAnswer::Status { code: 404 })),
            None,
            None,
            "GET /health answered 404: not ready after 3s",
        ),
        (
            not_ready(http(CheckAnswer::Status { code: 404 })),
            Some(Repeated { times: 3, over_ms: 6500, alike: true }),
            said("GET /health 404", false),
            "GET /health answered 404 at 3 starts",
        ),
        (not_ready(silent(&[])), None, None, "nothing listens on port 8000: not ready after 3s"),
        (
            not_ready(silent(&[9000])),
            SIX,
            None,
            "nothing listens on port 8000, but the service listens on 9000: not ready after 3s, 6 times in 8.7s",
        ),
        (not_ready(prints()), None, None, "no line matches ^at work: not ready after 3s"),
        (
            Failure::Unhealthy { check: http(CheckAnswer::NoAnswer { within_ms: 2000 }) },
            None,
            None,
            "GET /health: no answer within 2s (unhealthy)",
        ),
        (
            Failure::Background { process: background, instead: "add `-g \"daemon off;\"`".into() },
            None,
            None,
            "it put itself into the background (pid 7, nginx: master): add `-g \"daemon off;\"`",
        ),
        (
            Failure::Memory { bytes: 90 << 20, max_bytes: 64 << 20 },
            SIX,
            None,
            "memory above 64 MiB, 6 times in 8.7s",
        ),
        (Failure::OutOfMemory, None, None, "killed by the kernel: out of memory"),
        (
            Failure::PortHeld { port: 80, holder: holder() },
            None,
            None,
            "port 80 is held by pid 812 (nginx)",
        ),
        (
            Failure::BeforeStart { how: HookFailure::Exit { exit: code } },
            SIX,
            None,
            "before-start: exit 1, 6 times in 8.7s",
        ),
        (
            Failure::TooLong { within_ms: 5000, step: Some("apply".into()) },
            None,
            None,
            "not done within 5s, in step `apply`",
        ),
    ];
    for (failure, repeated, last_line, expected) in table {
        let why = Reason { repeated, last_line, ..failure.into() };
        assert_eq!(reason(&why), expected);
    }
    let on_failure = Some(HookFailure::TooLong);
    let why = Reason { on_failure, ..exited(Exit::Code(4), None).into() };
    assert_eq!(reason(&why), "exit 4; on-failure failed too: it took too long and was killed");
}

#[test]
fn what_is_tried_again_says_when() {
    let crashed = Reason::from(exited(Exit::Code(3), None));
    assert_eq!(backoff(&crashed, 152, None), "exit 3 (tries again in 152ms)");
    assert_eq!(backoff(&crashed, 152, Some((2, 5))), "exit 3 (tries again in 152ms, 2 of 5)");
    let ended = Reason::from(exited(Exit::SUCCESS, None));
    assert_eq!(backoff(&ended, 200, Some((0, 5))), "exit 0 (starts again in 200ms)");
    assert_eq!(tried_again(&crashed, 152, None), "crashed: exit 3 (tries again in 152ms)");
}

#[test]
fn a_check_on_the_way_says_what_is_waited_for() {
    let refused = CheckAnswer::Error("connection refused".into());
    let tcp = check(CheckLabel::Tcp { ports: vec![5432] }, refused);
    let delay = check(CheckLabel::Delay { delay_ms: 5000 }, CheckAnswer::TooEarly);
    let notify = check(CheckLabel::Notify, CheckAnswer::NotNotified);
    for (failed, expected) in [
        (http(CheckAnswer::Status { code: 503 }), "checking GET /health → 503"),
        (prints(), "waiting for a line that matches ^at work"),
        (silent(&[]), "nothing listens on port 8000 yet"),
        (silent(&[9000]), "nothing listens on port 8000, but the service listens on 9000"),
        (tcp, "checking tcp 5432 → connection refused"),
        (delay, "waiting for its delay of 5s"),
        (notify, "waiting for READY=1"),
    ] {
        assert_eq!(pending(&failed), expected);
    }
}

#[test]
fn each_state_has_a_reason() {
    let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    let unhealthy = |restart_in_ms| Because::Unhealthy {
        check: http(CheckAnswer::Status { code: 500 }),
        restart_in_ms,
    };
    let after = Some(exited(Exit::Signal(Signal::KILL), None));
    let sentences: Vec<String> = [
        Because::Waiting { on: names(&["db", "cache"]) },
        Because::Blocked { by: "db".into() },
        Because::Held { by: "restore".into() },
        Because::Starting { stage: StartStep::Ports },
        Because::Checking { failed: None },
        unhealthy(Some(90_000)),
        unhealthy(None),
        Because::Stopping { stage: StopStep::Signal, after: None },
        Because::Stopping { stage: StopStep::Kill, after },
        Because::Stuck { processes: names(&["812 (postgres), uninterruptible"]) },
        Because::Step { step: "apply".into(), number: 2, of: 3 },
        Because::OnFailure { reason: exited(Exit::Code(4), None).into() },
        Because::Recording,
        Because::InputsUnchanged,
    ]
    .iter()
    .map(because)
    .collect();
    insta::assert_snapshot!(sentences.join("\n"));
}

#[test]
fn evidence_says_since_when_and_why() {
    let since = |state, checked, cause, after| Evidence::Since {
        state: State::Service(state),
        checked,
        for_ms: 722,
        cause,
        after,
    };
    let up = || Cause::Command { command: "stackrun up".into(), pid: 7 };
    let killed = Some(exited(Exit::Signal(Signal::KILL), None));
    let slow = Some(not_ready(silent(&[])));
    let (ready, failed) = (ServiceState::Ready, ServiceState::Failed);
    for (fact, expected) in [
        (since(ready, true, up(), None), "ready for 722ms (stackrun up, pid 7)"),
        (since(ready, false, up(), None), "started 722ms ago (stackrun up, pid 7)"),
        (
            since(ready, true, Cause::Exit, killed),
            "ready for 722ms, restarted after a crash (SIGKILL)",
        ),
        (
            since(ready, true, Cause::Start, slow),
            "ready for 722ms, restarted after a failure (nothing listens on port 8000: not ready after 3s)",
        ),
        (since(failed, true, Cause::Start, None), "failed 722ms ago"),
        (Evidence::Restarts { times: 1 }, "restarted once so far"),
        (Evidence::Restarts { times: 5 }, "restarted 5 times so far"),
    ] {
        assert_eq!(evidence(&fact), expected);
    }
}

#[test]
fn notices_are_sentences() {
    let process = Background { pid: 7, command: "redis-server".into() };
    let how = HookFailure::Exit { exit: Exit::Code(9) };
    let sentences: Vec<String> = [
        Notice::Memory { bytes: 90 << 20, max_bytes: 64 << 20 },
        Notice::OutOfMemory,
        Notice::PortsInUse,
        Notice::HookFailed { hook: Hook::AfterReady, how },
        Notice::HookTooLong { hook: Hook::AfterStop, within_ms: 10_000 },
        Notice::Background { hook: Some(Hook::BeforeStart), process },
        Notice::NotRecorded,
    ]
    .iter()
    .map(notice)
    .collect();
    insta::assert_snapshot!(sentences.join("\n"));
}
