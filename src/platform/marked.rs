//! What carries the mark of a stack, whatever files, sockets and records say of it.
//!
//! The mark is in the environment that a process was started with. Servers that show a title have
//! overwritten that, but not the names of the pipes that their output goes to, which tell of the same
//! start; whether it is theirs the tag proves that the kernel hands on to descendants.

use std::{collections::HashSet, path::Path};

use super::{
    Entry, KernelTag, MARK, Mark, ProcId, Sight, StackId, StackPaths, Table, keepers,
    keepers::keepers_of_others, named_outputs, tree::with_descendants,
};

/// The name of a pipe may have no more bytes than this for it to tell of its start.
const LONGEST_NAME: usize = 200;

/// What a look at all processes finds of one stack.
#[derive(Debug, Default)]
pub struct Marked {
    /// Those that carry its mark, the oldest first; none that has ended.
    pub processes: Vec<(Entry, Mark)>,
    /// Those that some stack has started, and of which nothing that this user may see tells which.
    pub unseen: Vec<Entry>,
    /// Whether the processes of other users are hidden altogether (`hidepid` of proc(5)).
    pub hides_others: bool,
}

impl Marked {
    /// Looks at every process of a table, this one left out: a command that was typed in a
    /// service's terminal has the service's mark, too.
    pub fn of(places: &StackPaths, table: &Table) -> Self {
        let mut marked = Self { hides_others: table.hides_others(), ..Self::default() };
        // The first process is no stack's, and tells what is usual here.
        let usual = KernelTag::of(1);
        for entry in table.entries() {
            if entry.is_dead() || entry.id.pid == std::process::id() {
                continue;
            }
            match entry.sight() {
                Sight::Marked(text) => marked.add(entry, Mark::parse(&text), places),
                Sight::Unmarked | Sight::Hidden => match entry.tag() {
                    None => {}
                    tag if tag == usual => {}
                    Some(tag) => match by_output(entry, tag) {
                        Some(mark) => marked.add(entry, Some(mark), places),
                        None => marked.unseen.push(entry.clone()),
                    },
                },
            }
        }
        marked.processes.sort_by_key(|(entry, _)| (entry.id.start, entry.id.pid));
        marked.leave_out_others(table);
        marked
    }

    fn add(&mut self, entry: &Entry, mark: Option<Mark>, places: &StackPaths) {
        let mark = mark.filter(|mark| mark.is_of(places));
        self.processes.extend(mark.map(|mark| (entry.clone(), mark)));
    }

    /// What descends from a keeper is known to that one.
    fn leave_out_others(&mut self, table: &Table) {
        if self.unseen.is_empty() {
            return;
        }
        let own = std::process::id();
        let proved = keepers(table).into_iter().map(|keeper| keeper.pid);
        let others = proved.chain(keepers_of_others(table)).filter(|&pid| pid != own);
        let known: HashSet<u32> = with_descendants(table, others.collect());
        self.unseen.retain(|entry| !known.contains(&entry.id.pid));
    }

    /// Which they are.
    pub fn ids(&self) -> impl Iterator<Item = ProcId> {
        self.processes.iter().map(|(entry, _)| entry.id)
    }
}

/// The mark of a process, by its environment or by its output.
pub fn mark_of(process: &Entry) -> Option<Mark> {
    Mark::of(process).or_else(|| by_output(process, process.tag()?))
}

/// What a pipe is called that the output of a start goes to; `key` is the start's stamp, or one more
/// for the second of two.
pub fn output_name(key: u64, unit: &str) -> String {
    match unit.len() {
        0..=LONGEST_NAME => format!("{key:x}:{unit}.pipe"),
        _ => format!("{key:x}.pipe"),
    }
}

/// The key in such a name.
pub fn output_key(path: &Path) -> Option<u64> {
    let name = path.file_name()?.to_str()?.strip_suffix(".pipe")?;
    u64::from_str_radix(name.split(':').next()?, 16).ok()
}

/// The mark that the pipes of a process tell of, if it has the tag of that.
fn by_output(process: &Entry, tag: KernelTag) -> Option<Mark> {
    named_outputs(process.id.pid).into_iter().find_map(|(_, path)| by_name(&path, tag))
}

fn by_name(path: &Path, tag: KernelTag) -> Option<Mark> {
    let stack: StackId = path.parent()?.file_name()?.to_str()?.parse().ok()?;
    let name = path.file_name()?.to_str()?.strip_suffix(".pipe")?;
    let (_, start) = name.split_once(':')?;
    let key = output_key(path)?;
    let marks = [Some(key), key.checked_sub(1)].into_iter().flatten();
    let mut marks = marks.map(|stamp| format!("{MARK}={stack}:{stamp:x}:{start}"));
    let mark = marks.find(|mark| KernelTag::of_mark(mark.as_bytes()) == tag)?;
    Mark::parse(mark.as_bytes())
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn a_pipe_tells_of_a_start_to_whom_the_kernel_has_tagged_for_it() {
        let mark = "STACKRUN_ID=00112233445566ff:1a2b:api:stop:7";
        let tag = KernelTag::of_mark(mark.as_bytes());
        for key in [0x1a2b, 0x1a2c] {
            let name = output_name(key, "api:stop:7");
            let path = Path::new("/run/user/1/stackrun/00112233445566ff").join(name);
            assert_eq!(output_key(&path), Some(key));
            assert_eq!(by_name(&path, tag).unwrap().text, mark);
            assert_eq!(by_name(&path, KernelTag::of_mark(b"another")), None);
        }
        let long = "a".repeat(LONGEST_NAME + 1);
        assert_eq!(output_name(0x1a, &long), "1a.pipe");
    }
}
