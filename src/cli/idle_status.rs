//! The status of a stack of which nothing runs.

use crate::{
    model::{Stack, Text},
    secrets,
    status::{PortStatus, ServiceState, ServiceStatus, Status, TaskState, TaskStatus},
};

/// The status of a stack of which nothing runs.
pub(super) fn idle_status(stack: &Stack) -> Status {
    // As the status of a stack that runs is: before anything is cut to fit.
    let masker = secrets::masker();
    let masked = |text: &Text| masker.text(&text.to_string()).into_owned();
    let masked_url = |url: &Text| {
        let mut url = url.as_declared().as_literal()?.to_owned();
        masker.hide_in_url(&mut url);
        Some(url)
    };
    let services = stack.services.iter().map(|service| ServiceStatus {
        name: service.name.clone(),
        state: ServiceState::Idle,
        checked: service.is_checked(),
        proven: true,
        wanted: false,
        because: None,
        pid: None,
        generation: 0,
        ports: service
            .ports
            .iter()
            .map(|port| PortStatus {
                name: port.name.clone(),
                port: port.number.fixed().unwrap_or(0),
            })
            .collect(),
        since: None,
        uptime_ms: None,
        restarts: 0,
        exit: None,
        processes: 0,
        memory_bytes: 0,
        cpu_percent: 0.0,
        needs: service.needs.iter().map(|need| need.name.clone()).collect(),
        url: service.url.as_ref().and_then(masked_url),
        describe: service.describe.as_ref().map(masked),
        notices: Vec::new(),
    });
    let tasks = stack.tasks.iter().map(|task| TaskStatus {
        name: task.name.clone(),
        state: TaskState::Idle,
        wanted: false,
        because: None,
        exit: None,
        since: None,
        next: None,
        needs: task.needs.iter().map(|need| need.name.clone()).collect(),
        describe: task.describe.as_ref().map(masked),
    });
    Status {
        format: 1,
        stack: stack.name.clone(),
        file: stack.file.strip_prefix(&stack.dir).unwrap_or(&stack.file).to_owned(),
        supervisor: None,
        services: services.collect(),
        tasks: tasks.collect(),
        notices: Vec::new(),
    }
}
