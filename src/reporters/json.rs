//! What is published as JSON: the data, and beside each reason the sentence that people see.

use std::{borrow::Cow, collections::BTreeMap};

use serde::Serialize;
use serde_json::{Value, json};

use super::wording;
use crate::{
    core::stack::{Why, WhyLink},
    event::{Event, Record},
    status::{ServiceStatus, Status, SupervisorStatus, TaskStatus},
    timeline::{Part, What},
};

/// Data with sentences beside it.
#[derive(Debug, Serialize)]
struct Worded<'a, T> {
    #[serde(flatten)]
    data: &'a T,
    #[serde(flatten)]
    words: Words,
}

type Words = BTreeMap<&'static str, Value>;

/// A record of the ledger: `reason`, `check`, `answer`, `text` and `plan` are in words.
pub fn record(record: &Record) -> impl Serialize {
    Worded { data: record, words: words_of(&record.event) }
}

fn words_of(event: &Event) -> Words {
    match event {
        Event::Applied { steps } => {
            let plan: Vec<String> = steps.iter().map(wording::plan_step).collect();
            [("plan", json!(plan))].into()
        }
        Event::Checked { failed } => {
            let check = wording::check_label(&failed.check);
            let answer = wording::check_answer(&failed.answer);
            [("check", check.into()), ("answer", answer.into())].into()
        }
        Event::Unhealthy { check } => [("reason", wording::failing(check).into())].into(),
        Event::Backoff { reason, .. } | Event::Failed { reason, .. } => {
            [("reason", wording::reason(reason).into())].into()
        }
        Event::Skipped => [("reason", wording::INPUTS_UNCHANGED.into())].into(),
        Event::Notice { notice } => [("text", wording::notice(notice).into())].into(),
        Event::SupervisorStarted { .. }
        | Event::Waiting { .. }
        | Event::Starting
        | Event::Spawned { .. }
        | Event::Ready { .. }
        | Event::Stopping
        | Event::Signalled { .. }
        | Event::Exited { .. }
        | Event::Swept { .. }
        | Event::Stopped
        | Event::Stuck { .. }
        | Event::Running { .. }
        | Event::Step { .. }
        | Event::StepEnded { .. }
        | Event::Done { .. }
        | Event::Hook { .. }
        | Event::Down => Words::new(),
    }
}

/// The status of a stack: `reason` and `notices` are in words.
pub fn status(status: &Status) -> impl Serialize {
    #[derive(Serialize)]
    struct Published<'a> {
        format: u32,
        stack: &'a str,
        // What is shown is text, whatever the file is called.
        file: Cow<'a, str>,
        supervisor: &'a Option<SupervisorStatus>,
        services: Vec<Worded<'a, ServiceStatus>>,
        tasks: Vec<Worded<'a, TaskStatus>>,
        #[serde(skip_serializing_if = "<[String]>::is_empty")]
        notices: &'a [String],
    }
    let Status { format, stack, file, supervisor, services, tasks, notices } = status;
    Published {
        format: *format,
        stack,
        file: file.to_string_lossy(),
        supervisor,
        services: services.iter().map(service).collect(),
        tasks: tasks.iter().map(task).collect(),
        notices,
    }
}

fn service(service: &ServiceStatus) -> Worded<'_, ServiceStatus> {
    let ServiceStatus { because, notices, .. } = service;
    let mut words = Words::from([("reason", json!(because.as_ref().map(wording::because)))]);
    if !notices.is_empty() {
        let notices: Vec<String> = notices.iter().map(wording::notice).collect();
        words.insert("notices", json!(notices));
    }
    Worded { data: service, words }
}

fn task(task: &TaskStatus) -> Worded<'_, TaskStatus> {
    let reason = json!(task.because.as_ref().map(wording::because));
    Worded { data: task, words: [("reason", reason)].into() }
}

/// A causal chain: `because`, `evidence` and `advice` are in words.
pub fn why(why: &Why) -> impl Serialize {
    #[derive(Serialize)]
    struct Published<'a> {
        links: Vec<Worded<'a, WhyLink>>,
    }
    Published { links: why.links.iter().map(link).collect() }
}

fn link(link: &WhyLink) -> Worded<'_, WhyLink> {
    let WhyLink { because, evidence, advice, .. } = link;
    let evidence: Vec<String> = evidence.iter().map(wording::evidence).collect();
    let advice: Vec<String> = advice.iter().map(wording::advice).collect();
    let because = json!(because.as_ref().map(wording::because));
    let words = [("because", because), ("evidence", json!(evidence)), ("advice", json!(advice))];
    Worded { data: link, words: words.into() }
}

/// A part of a start: `check` and `answer` are in words.
pub fn part(part: &Part) -> impl Serialize {
    let words = match &part.what {
        What::Checking { failed: Some(failed), .. } => {
            let check = wording::check_label(&failed.check);
            let answer = wording::check_answer(&failed.answer);
            [("check", check.into()), ("answer", answer.into())].into()
        }
        _ => Words::new(),
    };
    Worded { data: part, words }
}
