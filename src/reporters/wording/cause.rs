//! Why something happened.

use super::list;
use crate::{core::plan::UNKNOWN, event::Cause};

/// Why something happened: ``by `stackrun up` ``, `because api needs it`.
pub fn cause(cause: &Cause) -> String {
    match cause {
        Cause::Command { command, .. } => format!("by `{command}`"),
        Cause::Need { of } => format!("because {of} needs it"),
        Cause::Edit { keys } if *keys == [UNKNOWN] => "because its definition was lost".to_owned(),
        Cause::Edit { keys } => format!("because of an edit of {}", list(keys)),
        Cause::Follow { of } => format!("because it follows {of}"),
        Cause::Exit => "because it ended".to_owned(),
        Cause::Start => "because its start failed".to_owned(),
        Cause::Check => "because of its checks".to_owned(),
        Cause::Memory => "because of its memory".to_owned(),
        Cause::Watch { path } => format!("because {path} changed"),
        Cause::Schedule => "by its schedule".to_owned(),
        Cause::Window { task } => format!("because of task {task}"),
        Cause::Supervisor => "by stackrun itself".to_owned(),
    }
}
