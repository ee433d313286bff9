//! A request that takes time: records go to the reporter until the outcome comes.

use std::time::{Duration, Instant};

use super::{ambient, error::Error, interrupt};
use crate::{
    control::{Answer, Client, ClientError, Left, Obstacle, Reply, Request},
    core::stack::Outcome,
    event::Record,
    reporters::{Reporter, progress::TICK},
    status::Status,
};

/// When the time is up, what has been said already is listened to for no longer than this.
const HEARING: Duration = Duration::from_secs(1);

/// The two things that a conversation needs of a connection.
pub(super) trait Link {
    /// Sends a request; its answers carry the number that is returned.
    fn ask(&mut self, request: Request) -> Result<u64, ClientError>;
    /// The next answer; `None` when `timeout` ran out or a signal came first.
    fn next(&mut self, timeout: Duration) -> Result<Option<Answer>, ClientError>;
    /// What keeps the stack from doing what it is asked for, if that can be told.
    fn obstacle(&self) -> Option<Obstacle>;
}

impl Link for Client {
    fn ask(&mut self, request: Request) -> Result<u64, ClientError> {
        Self::ask(self, request)
    }

    fn next(&mut self, timeout: Duration) -> Result<Option<Answer>, ClientError> {
        Self::next(self, Some(timeout))
    }

    fn obstacle(&self) -> Option<Obstacle> {
        Self::obstacle(self)
    }
}

/// A stopped process is looked for so often, while nothing happens.
const LOOK: Duration = Duration::from_secs(1);
/// One that has stood still for so long is told of,
const TELL: Duration = Duration::from_secs(2);
/// and waited for no longer than that: it is not for a command to hang.
const GIVE_UP: Duration = Duration::from_secs(10);

/// What keeps the stack from doing what it is asked for, over time.
#[derive(Debug, Default)]
struct Watch {
    looked: Option<Instant>,
    since: Option<Instant>,
    told: bool,
}

impl Watch {
    /// Looks, if nothing has happened for long enough; tells of an obstacle once.
    fn look(&mut self, link: &impl Link, reporter: &mut Reporter) -> Result<(), Error> {
        let now = ambient::instant();
        if now - *self.looked.get_or_insert(now) < LOOK {
            return Ok(());
        }
        self.looked = Some(now);
        let Some(obstacle) = link.obstacle() else {
            *self = Self { looked: self.looked, ..Self::default() };
            return Ok(());
        };
        let lasts = now - *self.since.get_or_insert(now);
        if lasts >= GIVE_UP {
            return Err(ClientError::from(obstacle).into());
        }
        if lasts >= TELL && !std::mem::replace(&mut self.told, true) {
            reporter.warn(&obstacle.to_string(), &obstacle.advice());
        }
        Ok(())
    }
}

/// How a conversation ended.
#[derive(Debug)]
pub(super) enum Ended {
    /// The request is done.
    Outcome {
        /// How it ended.
        outcome: Outcome,
        /// After the `down` of everything: what is left.
        left: Option<Left>,
        /// After an `up`: the stack then.
        status: Option<Box<Status>>,
    },
    /// The wait was over first; the request continues.
    Early(Early),
}

/// Why a wait was over before what was waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Early {
    /// `--timeout` ran out.
    Timeout,
    /// Ctrl-C.
    Interrupted,
}

/// What Ctrl-C does to a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum OnInterrupt {
    /// It continues without us.
    Leave,
    /// It is cancelled, and its end waited for; the second time it continues without us.
    Cancel,
}

/// Sends a request and shows what happens until it is done. `idle` is called about every tenth of
/// a second: whatever else is to be shown meanwhile; and before a record is shown, with that.
pub(super) fn carry_out(
    link: &mut impl Link,
    request: Request,
    limits: (Option<Duration>, OnInterrupt),
    reporter: &mut Reporter,
    mut idle: impl FnMut(&mut Reporter, Option<&Record>) -> Result<(), Error>,
) -> Result<Ended, Error> {
    let (timeout, mut on_interrupt) = limits;
    interrupt::watch();
    let deadline = timeout.and_then(|timeout| ambient::instant().checked_add(timeout));
    let mut late_since = None;
    let mut watch = Watch::default();
    let id = link.ask(request)?;
    loop {
        if interrupt::take() {
            if on_interrupt == OnInterrupt::Leave {
                return Ok(Ended::Early(Early::Interrupted));
            }
            link.ask(Request::CancelRun { ask: id })?;
            on_interrupt = OnInterrupt::Leave;
        }
        let now = ambient::instant();
        let left = deadline.map(|deadline: Instant| deadline - now);
        let late = left.is_some_and(|left| left.is_zero());
        // What was said in time counts, though this process may have been stopped meanwhile.
        if late && now - *late_since.get_or_insert(now) > HEARING {
            return Ok(Ended::Early(Early::Timeout));
        }
        match link.next(left.map_or(TICK, |left| left.min(TICK)))? {
            None if late => return Ok(Ended::Early(Early::Timeout)),
            None => {
                watch.look(link, reporter)?;
                reporter.tick(ambient::now());
            }
            Some(answer) if answer.id != id => {}
            Some(answer) => match answer.reply {
                Reply::Record { record } => {
                    idle(reporter, Some(&record))?;
                    reporter.record(&record, ambient::now());
                }
                Reply::Outcome { outcome, left, status } => {
                    idle(reporter, None)?;
                    return Ok(Ended::Outcome { outcome, left, status });
                }
                Reply::Error { message } => return Err(Error::Other(message)),
                // Left-out records cost a line on the screen, nothing else.
                _ => {}
            },
        }
        idle(reporter, None)?;
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use super::*;
    use crate::{
        reporters::{
            Theme,
            live_model::{Goal, LiveModel},
        },
        status::Status,
    };

    /// A supervisor that says what it was told to say.
    struct Script(VecDeque<Option<(u64, Reply)>>);

    impl Link for Script {
        fn ask(&mut self, _: Request) -> Result<u64, ClientError> {
            Ok(7)
        }

        fn next(&mut self, timeout: Duration) -> Result<Option<Answer>, ClientError> {
            match self.0.pop_front() {
                Some(answer) => Ok(answer.map(|(id, reply)| Answer { id, reply })),
                None => {
                    std::thread::sleep(timeout);
                    Ok(None)
                }
            }
        }

        fn obstacle(&self) -> Option<Obstacle> {
            None
        }
    }

    fn carry_out_script(
        script: Vec<Option<(u64, Reply)>>,
        timeout: Option<Duration>,
    ) -> Result<Ended, Error> {
        let status = Status {
            format: 1,
            stack: "shop".into(),
            file: "stack.kdl".into(),
            supervisor: None,
            services: Vec::new(),
            tasks: Vec::new(),
            notices: Vec::new(),
        };
        let mut reporter = Reporter::quiet(LiveModel::of_status(&status, Goal::Up), Theme::PLAIN);
        let limits = (timeout, OnInterrupt::Leave);
        carry_out(&mut Script(script.into()), Request::Status, limits, &mut reporter, |_, _| Ok(()))
    }

    fn outcome() -> Reply {
        Reply::Outcome { outcome: Outcome::default(), left: None, status: None }
    }

    #[test]
    fn it_ends_with_its_own_outcome() {
        let error = Reply::Error { message: "of another request".into() };
        let script = vec![None, Some((3, error)), Some((3, outcome())), Some((7, outcome()))];
        assert!(matches!(carry_out_script(script, None), Ok(Ended::Outcome { .. })));
    }

    #[test]
    fn a_refusal_ends_it() {
        let script = vec![Some((7, Reply::Error { message: "no".into() }))];
        let error = carry_out_script(script, None).expect_err("refused");
        assert_eq!(error.to_string(), "no");
    }

    #[test]
    fn what_was_said_in_time_counts() {
        let script = vec![Some((3, outcome())), Some((7, outcome()))];
        let ended = carry_out_script(script, Some(Duration::ZERO));
        assert!(matches!(ended, Ok(Ended::Outcome { .. })));
    }

    #[test]
    fn the_time_runs_out() {
        let ended = carry_out_script(Vec::new(), Some(Duration::from_millis(30)));
        assert!(matches!(ended, Ok(Ended::Early(Early::Timeout))));
    }
}
