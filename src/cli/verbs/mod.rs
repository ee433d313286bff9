//! One file a verb.

pub(super) mod attach;
pub(super) mod check;
pub(super) mod completions;
pub(super) mod doctor;
pub(super) mod down;
pub(super) mod events;
pub(super) mod exec;
pub(super) mod explain;
pub(super) mod fmt;
pub(super) mod graph;
pub(super) mod import;
pub(super) mod init;
pub(super) mod logs;
pub(super) mod ls;
pub(super) mod ports;
pub(super) mod restart;
pub(super) mod run;
pub(super) mod schema;
pub(super) mod show;
pub(super) mod signal;
pub(super) mod status;
pub(super) mod timeline;
pub(super) mod up;
pub(super) mod upgrade;
pub(super) mod wait;
pub(super) mod why;
