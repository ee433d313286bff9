//! The operating system behind one small interface.
//!
//! What is `unsafe`, what differs between systems, and every path below `/proc` is in here
//! (`tests/layers.rs` names the exceptions). The twins `linux` and `portable` have the same
//! interface; the other files are for every Unix. `--cfg stackrun_portable` builds `portable` on
//! Linux, so that it can be tested there.

mod beneath;
mod children;
mod clock;
mod current_process;
mod desktop;
mod fifo;
mod find_program;
mod holder;
mod init;
mod interrupt;
mod keepers;
mod kill_tree;
mod limits;
mod lock;
mod marked;
mod marked_stacks;
#[cfg(all(target_os = "linux", not(stackrun_portable)))]
#[path = "linux/mod.rs"]
mod os;
#[cfg(any(not(target_os = "linux"), stackrun_portable))]
#[path = "portable/mod.rs"]
mod os;
mod peer;
mod pty;
mod reach;
mod reserve;
mod runtime_folder;
mod signals;
mod stack_dir;
mod stack_id;
mod stack_paths;
mod touched;
mod tree;
mod types;
mod users;
mod watched;

pub use beneath::{
    Dir, FileFacts, GrowingFile, Open, Refusal, Refused, Subfolder, UserPath, open_file, read_file,
    unguessable_name,
};
pub use children::{Peek, exit_of, peek, peek_any, reap, wait_for};
pub use clock::{boot_id, local_time, now, stamp, time_zone, wall_clock, wall_nanos};
pub use current_process::{
    HOLDS, MARK, detach, environment, execute, hand_down, inheritable, inherited, null,
    own_program_file, parent,
};
pub use desktop::{OPENER, Opener};
pub use fifo::{Fifo, FileId, Waker, endless_stdin, input_file};
pub use find_program::{ProgramError, find_program};
pub use holder::{Holder, Mark, in_the_way};
pub use init::leave_first_process;
pub use interrupt::{count_interrupts, interrupts};
pub use keepers::{KeeperOf, claimed_stack, is_keeper, keepers, supervisors};
pub use kill_tree::end_tree;
pub use limits::{
    count_own_processes, folder_watches_limit, open_files_limit, raise_limits, restore_limits,
    with_callers_limits,
};
pub use lock::FolderLock;
pub use marked::{Marked, mark_of, output_key, output_name};
pub use marked_stacks::MarkedStacks;
pub use os::{
    Cgroup, Cgroups, Description, Endpoint, Entry, FolderWatch, Found, KernelTag, MountWatch,
    NotifySocket, PEERS_HAVE_NUMBERS, Poller, ProcId, Process, Readiness, Sight, Table, ThreadId,
    all_listeners, await_thread_gone, become_subreaper, children, command_line, descendants,
    describe, give_back_memory, held_pipe, holders, keep_descriptors_from, listener_at, listeners,
    lock_holder, lock_holders, lower_own_priority, make_room_for_descriptors, name_process,
    named_outputs, oom_killed, oom_kills, oom_victims, own_program, own_thread, peek_bytes,
    predicament, shares_network, spawn, standstill, stats, transfer, user_of,
};
pub use peer::Peer;
pub use pty::{Pty, keep_open, receive_descriptor, send_descriptor, terminal_at};
pub use reach::{Reached, keeper_of, reach, reach_anywhere};
pub use reserve::{Reserved, ephemeral_ports, reserve};
pub use runtime_folder::RuntimeFolder;
use signals::may_signal;
pub use signals::{
    SignalPipe, kill_group, kill_process, reset_signals, survive_file_size_limit, survive_signals,
};
pub use stack_dir::StackDir;
pub use stack_id::StackId;
pub use stack_paths::{StackPaths, StackPathsError, Whereabouts};
pub use touched::was_touched;
pub use tree::{Family, Tree, below, members, relatives};
pub use types::{
    CgroupLimits, Controller, Launch, Listener, Moved, Sender, SpawnError, Spawned, Stage,
    Standstill, TreeStats, Victim,
};
pub use users::{RunAs, find_user, own_uid, user_name};
pub use watched::Watched;
