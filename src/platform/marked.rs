//! What carries the mark of a stack, whatever files, sockets and records say of it.

use super::{Entry, Mark, Places, ProcId, Sight, Table, own_uid};

/// What a look at all processes finds of one stack.
#[derive(Debug, Default)]
pub struct Marked {
    /// Those that carry its mark, the oldest first; none that has ended.
    pub processes: Vec<(Entry, Mark)>,
    /// Those that may be of it, and whose environment this user may not see.
    pub unseen: Vec<Entry>,
    /// Whether the processes of other users are hidden altogether (`hidepid` of proc(5)).
    pub hides_others: bool,
}

impl Marked {
    /// Looks at every process of a table, this one left out: a command that was typed in a
    /// service's terminal has the service's mark, too.
    pub fn of(places: &Places, table: &Table) -> Self {
        let mut marked = Self { hides_others: table.hides_others(), ..Self::default() };
        for entry in table.entries() {
            if entry.is_dead() || entry.id.pid == std::process::id() {
                continue;
            }
            match entry.sight() {
                Sight::Marked(text) => {
                    let mark = Mark::parse(&text).filter(|mark| mark.is_of(places));
                    marked.processes.extend(mark.map(|mark| (entry.clone(), mark)));
                }
                Sight::Unmarked => {}
                Sight::Hidden if may_be_of_a_stack(entry, table) => {
                    marked.unseen.push(entry.clone());
                }
                Sight::Hidden => {}
            }
        }
        marked.processes.sort_by_key(|(entry, _)| (entry.id.start, entry.id.pid));
        marked
    }

    /// Which they are.
    pub fn ids(&self) -> impl Iterator<Item = ProcId> {
        self.processes.iter().map(|(entry, _)| entry.id)
    }
}

/// Whether a process that cannot be looked into may have been started by a service. Each service
/// leads a session: what has one whose leader can be seen, and is no service, belongs there. What
/// is left was started by this user (as a setuid program is), or has lost the leader of its session.
fn may_be_of_a_stack(process: &Entry, table: &Table) -> bool {
    let is_own = || process.real_uid() == Some(own_uid());
    match table.get(process.session).filter(|leader| !leader.is_dead()) {
        // That of a process outside of this container.
        None if process.session == 0 => false,
        None => true,
        Some(leader) if leader.id == process.id => is_own(),
        Some(leader) => match leader.sight() {
            Sight::Hidden => is_own(),
            Sight::Marked(_) | Sight::Unmarked => false,
        },
    }
}
