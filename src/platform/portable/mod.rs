//! Every Unix that is not Linux: `ps`, `lsof`, poll(2) and plain copies. It does what Linux does
//! as far as the system can, slower, and with the small gaps that a process known by its number
//! alone leaves.

mod beneath;
mod cgroup;
mod describe;
mod endpoint;
mod folder_watch;
mod kernel_tag;
mod nameless;
mod notify;
mod open_files;
mod peer;
mod poller;
mod ports;
mod process;
mod setup;
mod spawn;
mod table;
mod threads;
mod transfer;

pub(in crate::platform) use beneath::{open_beneath, read_link};
pub use cgroup::{Cgroup, Cgroups};
pub use describe::{
    Description, command_line, describe, lock_holder, lock_holders, oom_killed, oom_kills,
    oom_victims, predicament, shares_network, standstill, stats, user_of, working_folder,
};
pub(super) use describe::{holds_lock, working_folder};
pub use endpoint::{Endpoint, Found};
pub use folder_watch::{FolderWatch, MountWatch};
pub use kernel_tag::KernelTag;
pub use notify::NotifySocket;
pub use open_files::own_program;
pub use peer::PEERS_HAVE_NUMBERS;
pub(super) use peer::peer_of;
pub use poller::{Poller, Readiness};
pub use ports::{all_listeners, holders, listener_at, listeners};
pub use process::{ProcId, Process, descendants};
pub use setup::{
    become_subreaper, children, give_back_memory, keep_descriptors_from, lower_own_priority,
    make_room_for_descriptors, name_process,
};
pub use spawn::spawn;
pub use table::{Entry, Sight, Table, held_pipe, named_outputs};
pub(super) use threads::OWN_CHILDREN;
pub use threads::{ThreadId, await_thread_gone, own_thread};
pub use transfer::{peek_bytes, transfer};

pub(super) use nameless::{nameless_file, nameless_pipe};
pub(super) use open_files::{
    TO_KNOW_BY, birth_time, chmod_open, name_of_open, open_files, through_this_process,
    without_removed,
};

/// What a program says on its stdout.
fn output(program: &str, arguments: &[&str]) -> std::io::Result<String> {
    #[expect(clippy::disallowed_methods, reason = "the system tells by its programs alone")]
    let mut command = std::process::Command::new(program);
    let output = command.args(arguments).env("LC_ALL", "C").output()?;
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
