//! Why something happened.

use super::list;
use crate::{core::plan::UNKNOWN, event::Cause};

/// Why something happened, as it stands in parentheses: `stackrun up, pid 12`, `needed by api`.
pub fn cause(cause: &Cause) -> String {
    match cause {
        Cause::Command { command, pid } => format!("{command}, pid {pid}"),
        Cause::Need { of } => format!("needed by {of}"),
        Cause::Edit { keys } if *keys == [UNKNOWN] => "its definition was lost".to_owned(),
        Cause::Edit { keys } => format!("edited: {}", list(keys)),
        Cause::Follow { of } => format!("follows {of}"),
        Cause::Exit => "it ended".to_owned(),
        Cause::Start => "its start failed".to_owned(),
        Cause::Check => "its checks".to_owned(),
        Cause::Memory => "its memory".to_owned(),
        Cause::Watch { path } => format!("{path} changed"),
        Cause::Schedule => "its schedule".to_owned(),
        Cause::Window { task } => format!("{task} runs without it"),
        Cause::Supervisor => "stackrun".to_owned(),
    }
}
