//! `status` as a table that fits the terminal.

use jiff::Timestamp;

use super::{
    theme::{Symbol, Theme, Tone, pad, pad_left},
    wording,
};
use crate::{
    model::Exit,
    printable,
    status::{PortStatus, ServiceState, ServiceStatus, Status, TaskState, TaskStatus},
};

/// A column that is left out sooner than another where room is short has a higher number.
struct Column {
    title: &'static str,
    right: bool,
    leave_out: u8,
}

const COLUMNS: [Column; 9] = [
    Column { title: "NAME", right: false, leave_out: 0 },
    Column { title: "STATE", right: false, leave_out: 0 },
    Column { title: "PID", right: true, leave_out: 3 },
    Column { title: "PORTS", right: false, leave_out: 2 },
    Column { title: "UPTIME", right: true, leave_out: 4 },
    Column { title: "RESTARTS", right: true, leave_out: 6 },
    Column { title: "CPU", right: true, leave_out: 7 },
    Column { title: "MEMORY", right: true, leave_out: 5 },
    Column { title: "", right: false, leave_out: 0 },
];
/// The narrowest column of reasons that is worth having.
const REASON: usize = 30;

/// The narrowest that the column of names becomes.
const NAME: usize = 12;

/// The table; without `columns` (no terminal) nothing is cut.
pub fn show(status: &Status, now: Timestamp, columns: Option<usize>, theme: Theme) -> String {
    let rows = status.services.iter().map(|service| service_row(service, theme));
    let tasks = status.tasks.iter().map(|task| task_row(task, now, theme));
    let cell = |cell: String| printable::line(&cell).into_owned();
    let rows: Vec<[String; 9]> = rows.chain(tasks).map(|row| row.map(cell)).collect();
    let mut text = String::new();
    for notice in &status.notices {
        let notice = printable::line(notice);
        text.push_str(&format!("{} {notice}\n", theme.symbol(Symbol::Warn)));
    }
    if rows.is_empty() {
        text.push_str("the stack is empty\n");
        return text;
    }
    for line in lines(&rows, columns, theme) {
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

fn lines(rows: &[[String; 9]], columns: Option<usize>, theme: Theme) -> Vec<String> {
    let mut widths: Vec<usize> = (0..COLUMNS.len())
        .map(|column| {
            let cells = rows.iter().map(|row| console::measure_text_width(&row[column]));
            let widest = cells.max().unwrap_or(0);
            // A column without a cell is none.
            if widest == 0 { 0 } else { widest.max(COLUMNS[column].title.len()) }
        })
        .collect();
    if let Some(columns) = columns {
        fit(&mut widths, columns);
    }
    let titles = COLUMNS.map(|column| theme.paint(Tone::Faint, column.title));
    let all = std::iter::once(&titles).chain(rows);
    all.map(|row| {
        let cells = row.iter().zip(&widths).zip(&COLUMNS).filter(|((_, width), _)| **width > 0);
        let cells = cells.map(|((cell, width), column)| {
            let cell = theme.fit(cell, *width);
            if column.right { pad_left(&cell, *width) } else { pad(&cell, *width) }
        });
        let line = cells.collect::<Vec<_>>().join("  ");
        match columns {
            Some(columns) => theme.fit(line.trim_end(), columns).into_owned(),
            None => line,
        }
    })
    .collect()
}

/// Leaves columns out, then shortens the names, then the reason, until all fit.
fn fit(widths: &mut [usize], columns: usize) {
    let reason = widths.len() - 1;
    let total = |widths: &[usize], reason_width: usize| {
        let shown = widths[..reason].iter().filter(|width| **width > 0);
        shown.map(|width| width + 2).sum::<usize>() + reason_width
    };
    let least = widths[reason].min(REASON);
    let mut order: Vec<usize> = (0..reason).filter(|at| COLUMNS[*at].leave_out > 0).collect();
    order.sort_by_key(|at| COLUMNS[*at].leave_out);
    while total(widths, least) > columns {
        let Some(next) = order.pop() else { break };
        widths[next] = 0;
    }
    // One long name must not cost all the others their reason.
    let excess = total(widths, least).saturating_sub(columns);
    widths[0] = widths[0].saturating_sub(excess).max(widths[0].min((columns / 3).max(NAME)));
    let room = columns.saturating_sub(total(widths, 0));
    widths[reason] = widths[reason].min(room);
}

fn service_row(service: &ServiceStatus, theme: Theme) -> [String; 9] {
    let runs = service.pid.is_some();
    let number = |port: &PortStatus| match port.port {
        // Not chosen yet.
        0 => "auto".to_owned(),
        port => port.to_string(),
    };
    let ports: Vec<String> = service.ports.iter().map(number).collect();
    let uptime = service.uptime_ms.map(wording::millis).unwrap_or_default();
    [
        service.name.clone(),
        theme.paint(tone_of_service(service.state), service.state_word()),
        service.pid.map(|pid| pid.to_string()).unwrap_or_default(),
        ports.join(","),
        uptime,
        if service.restarts > 0 { service.restarts.to_string() } else { String::new() },
        if runs { format!("{:.1}%", service.cpu_percent) } else { String::new() },
        if runs { wording::bytes(service.memory_bytes) } else { String::new() },
        reason_of_service(service, theme),
    ]
}

fn reason_of_service(service: &ServiceStatus, theme: Theme) -> String {
    let ended = match (service.state, service.exit) {
        (ServiceState::Exited, Some(exit)) => Some(exit.to_string()),
        _ => None,
    };
    match (&service.because, ended, service.state) {
        (Some(because), _, _) => theme.plain_words(&wording::because(because)).into_owned(),
        (None, Some(ended), _) => ended,
        (None, None, ServiceState::Ready) if !service.notices.is_empty() => {
            let notices: Vec<String> = service.notices.iter().map(wording::notice).collect();
            theme.paint(Tone::Warn, notices.join("; "))
        }
        (None, None, ServiceState::Ready) => {
            about(service.url.clone(), service.describe.as_ref(), theme)
        }
        // Nothing answers at its address.
        (None, None, ServiceState::Idle) => about(None, service.describe.as_ref(), theme),
        (None, None, _) => String::new(),
    }
}

/// A fact and the description: the last column is cut at its end, and the fact is worth more.
fn about(fact: Option<String>, describe: Option<&String>, theme: Theme) -> String {
    let shown: Vec<String> = fact.into_iter().chain(describe.cloned()).collect();
    let separator = format!(" {} ", theme.bare(Symbol::Dot));
    theme.paint(Tone::Faint, shown.join(&separator))
}

fn task_row(task: &TaskStatus, now: Timestamp, theme: Theme) -> [String; 9] {
    let ago = task.since.map(|since| wording::duration(wording::between(since, now)));
    let next = task.next.map(|next| wording::duration(wording::between(now, next)));
    let reason = match (&task.because, task.state, &ago) {
        (Some(because), _, _) => theme.plain_words(&wording::because(because)).into_owned(),
        (None, TaskState::Idle | TaskState::Done | TaskState::Skipped, _) => {
            let next = next.map(|next| format!("next in {next}"));
            let ago = ago.as_ref().filter(|_| task.state != TaskState::Idle);
            let fact = next.or_else(|| ago.map(|ago| format!("{ago} ago")));
            about(fact, task.describe.as_ref(), theme)
        }
        (None, TaskState::Failed, _) => {
            task.exit.map_or(String::new(), |exit: Exit| exit.to_string())
        }
        (None, TaskState::Running, _) => about(None, task.describe.as_ref(), theme),
        (None, TaskState::Waiting, _) => String::new(),
    };
    let state = theme.paint(tone_of_task(task.state), task.state.word());
    let uptime = match task.state {
        TaskState::Running => ago.unwrap_or_default(),
        _ => String::new(),
    };
    let none = String::new;
    [task.name.clone(), state, none(), none(), uptime, none(), none(), none(), reason]
}

fn tone_of_service(state: ServiceState) -> Tone {
    match state {
        ServiceState::Ready => Tone::Good,
        ServiceState::Idle | ServiceState::Exited => Tone::Faint,
        ServiceState::Waiting | ServiceState::Starting | ServiceState::Stopping => Tone::Busy,
        ServiceState::Unhealthy | ServiceState::Backoff => Tone::Warn,
        ServiceState::Failed => Tone::Bad,
    }
}

fn tone_of_task(state: TaskState) -> Tone {
    match state {
        TaskState::Done => Tone::Good,
        TaskState::Idle | TaskState::Skipped => Tone::Faint,
        TaskState::Waiting | TaskState::Running => Tone::Busy,
        TaskState::Failed => Tone::Bad,
    }
}
