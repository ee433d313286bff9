//! The stack itself: its file, programs, ports, supervisor.

use super::Finding;
use crate::{
    cli::{
        ambient, connect::status_of, context::Context, error::Error, missing::Missing,
        port_holder::look_at, programs, version,
    },
    control::Client,
    model::{EnvValue, Service, Stack},
    platform,
    reporters::wording,
};

/// The file and what it needs; the stack, if its file is right.
pub(in crate::cli) fn file(context: &Context, findings: &mut Vec<Finding>) -> Option<Stack> {
    match context.load(&[]) {
        Ok(loaded) => {
            let stack = loaded.stack;
            let mut facts = vec![wording::count(stack.services.len(), "service")];
            if !stack.tasks.is_empty() {
                facts.push(wording::count(stack.tasks.len(), "task"));
            }
            let text = format!("{}: {}", stack.file.display(), facts.join(", "));
            findings.push(match loaded.warnings.len() {
                0 => Finding::good("file", text),
                count => {
                    let text = format!("{text}, {}", wording::count(count, "warning"));
                    Finding::warning("file", text, "stackrun check")
                }
            });
            Some(stack)
        }
        Err(error @ Error::NoFile { .. }) => {
            findings.push(Finding::warning("file", error.to_string(), "stackrun init"));
            None
        }
        Err(error @ Error::Problems(_)) => {
            findings.push(Finding::bad("file", error.to_string(), "stackrun check"));
            None
        }
        Err(error) => {
            let fix = error.hint().unwrap_or_else(|| "stackrun check".into());
            findings.push(Finding::bad("file", error.to_string(), fix));
            None
        }
    }
}

/// Every program of every service and task, and the versions of those that are declared as tools.
pub(in crate::cli) fn programs(stack: &Stack) -> Vec<Finding> {
    let names: Vec<String> = stack.names().map(str::to_owned).collect();
    let programs::Found { missing, untold } =
        programs::look(stack, &ambient::environment(), &names);
    let untold = untold
        .iter()
        .map(|untold| Finding::warning("programs", untold.to_string(), programs::TELL));
    if missing.is_empty() {
        let tools = tools(stack);
        let text = match tools.is_empty() {
            true => "every program is there".to_owned(),
            false => format!("every program is there: {}", tools.join(", ")),
        };
        return std::iter::once(Finding::good("programs", text)).chain(untold).collect();
    }
    let bad = |missing: &Missing| {
        let fix = missing.hint().unwrap_or("install it, or fix PATH");
        Finding::bad("programs", missing.what(), fix.to_owned())
    };
    missing.iter().map(bad).chain(untold).collect()
}

/// `node 20.11.1`: of what the file names as a tool. No other program is asked, since nobody has
/// said that `--version` does no harm.
fn tools(stack: &Stack) -> Vec<String> {
    let services =
        stack.services.iter().map(|service| (&service.tools, &service.dir, &service.env));
    let tasks = stack.tasks.iter().map(|task| (&task.tools, &task.dir, &task.env));
    let mut shown: Vec<String> = Vec::new();
    for (tools, dir, env) in services.chain(tasks) {
        let path = match env.get("PATH") {
            Some(EnvValue { value: Some(text), .. }) => text.to_string(),
            _ => ambient::variable("PATH").unwrap_or_default(),
        };
        for tool in tools {
            let Some(program) = tool.program.as_literal() else { continue };
            let Ok(place) = platform::find_program(program, path.as_ref(), dir) else { continue };
            let text = match version::of(&place, dir) {
                Some(version) => format!("{program} {version}"),
                None => program.to_owned(),
            };
            if !shown.contains(&text) {
                shown.push(text);
            }
        }
    }
    shown
}

/// Every port of the stack.
pub(in crate::cli) fn ports(stack: &Stack) -> Result<Vec<Finding>, Error> {
    let of_service = |service: &Service| {
        let fixed = service.ports.iter().filter_map(|port| Some((port.number.fixed()?, port)));
        fixed.map(|(port, declared)| (port, declared.address())).collect::<Vec<_>>()
    };
    let services = stack.services.iter();
    let ports: Vec<_> = services.clone().flat_map(of_service).collect();
    let names = services.flat_map(|service| vec![&service.name; of_service(service).len()]);
    let mut findings = Vec::new();
    for ((name, (port, _)), holding) in names.zip(&ports).zip(look_at(&ports, stack)?) {
        if holding.is_in_the_way() {
            let text = format!("port {port} of {name}: {}", holding.text());
            let free = format!("stackrun ports --free {port}");
            findings.push(Finding::bad("ports", text, holding.advice(*port, Some(&free))));
        }
    }
    let any = stack.services.iter().any(|service| !service.ports.is_empty());
    if findings.is_empty() && any {
        findings.push(Finding::good("ports", "every port is free or ours"));
    }
    Ok(findings)
}

/// Whether the supervisor answers, and is of this version.
pub(in crate::cli) fn supervisor(context: &Context) -> Finding {
    const TOPIC: &str = "supervisor";
    let Ok(places) = context.places() else {
        return Finding::good(TOPIC, "nothing is running here");
    };
    let fix = "stackrun down, then stackrun up";
    match Client::connect(&places) {
        Ok(None) => Finding::good(TOPIC, "nothing is running here"),
        Ok(Some(mut client)) => match status_of(&mut client) {
            Ok(_) if let Some(obstacle) = client.obstacle() => {
                Finding::bad(TOPIC, obstacle.to_string(), obstacle.advice())
            }
            Ok(_) if client.version() != env!("CARGO_PKG_VERSION") => {
                let text = format!("the stack is run by stackrun {}", client.version());
                Finding::warning(TOPIC, text, "stackrun upgrade")
            }
            Ok(_) => {
                let (pid, version) = (client.supervisor(), client.version());
                Finding::good(
                    TOPIC,
                    format!("the supervisor answers: pid {pid}, version {version}"),
                )
            }
            Err(error) => Finding::bad(TOPIC, error.to_string(), fix),
        },
        Err(error) => {
            let error = Error::from(error);
            let hint = error.hint().filter(|hint| !hint.contains("doctor"));
            Finding::bad(TOPIC, error.to_string(), hint.unwrap_or_else(|| fix.into()))
        }
    }
}
