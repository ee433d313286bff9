//! Linux: pidfds, `/proc`, epoll, splice and INET_DIAG.

mod beneath;
mod cgroup;
mod describe;
mod diag;
mod endpoint;
mod folder_watch;
mod freezer;
mod identity;
mod kernel_tag;
mod locks;
mod nameless;
mod notify;
mod oom;
mod open_files;
mod peer;
mod poller;
mod ports;
mod process;
mod setup;
mod spawn;
mod standstill;
mod stats;
mod table;
mod threads;
mod transfer;

pub(in crate::platform) use beneath::{open_beneath, read_link};
pub use cgroup::{Cgroup, Cgroups};
pub(super) use describe::working_folder;
pub use describe::{Description, command_line, describe, predicament, user_of};
pub use endpoint::{Endpoint, Found};
pub use folder_watch::{FolderWatch, MountWatch};
pub use kernel_tag::KernelTag;
pub(super) use locks::holds_lock;
pub use locks::{lock_holder, lock_holders};
pub use notify::NotifySocket;
pub use oom::{oom_killed, oom_kills, oom_victims};
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
pub use standstill::{shares_network, standstill};
pub use stats::stats;
pub use table::{Entry, Sight, Table, held_pipe, named_outputs};
pub(super) use threads::OWN_CHILDREN;
pub use threads::{ThreadId, await_thread_gone, own_thread};
pub use transfer::{peek_bytes, transfer};

pub(super) use identity::birth_time;
pub(super) use nameless::{nameless_file, nameless_pipe};
pub(super) use open_files::{
    TO_KNOW_BY, chmod_open, name_of_open, open_files, through_this_process, without_removed,
};
