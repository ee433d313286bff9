//! The operating system behind one small interface.
#![allow(missing_docs, unused, clippy::all)]
use crate::event::Tick;
use std::{
    collections::BTreeMap,
    io,
    path::{Path, PathBuf},
    time::Duration,
};
#[derive(Debug, Clone)]
pub struct Places {
    dir: PathBuf,
}
impl Places {
    pub fn of(d: &Path) -> io::Result<Self> {
        todo!()
    }
    pub fn socket(&self) -> PathBuf {
        todo!()
    }
    pub fn dir(&self) -> &Path {
        &self.dir
    }
    pub fn state(&self) -> PathBuf {
        todo!()
    }
    pub fn log(&self, n: &str) -> PathBuf {
        todo!()
    }
}
pub fn own_uid() -> u32 {
    0
}
pub fn now() -> Tick {
    todo!()
}
pub fn wall_clock() -> jiff::Timestamp {
    todo!()
}
pub fn stamp() -> String {
    todo!()
}
pub fn fnv1a(b: &[u8]) -> u64 {
    0
}
#[derive(Debug)]
pub struct Watched;
impl Watched {
    pub fn nobody() -> Self {
        Self
    }
    pub fn open(p: u32) -> io::Result<Self> {
        todo!()
    }
    pub fn wait(&self, t: Duration) -> io::Result<bool> {
        todo!()
    }
    pub async fn ended(&self) -> io::Result<()> {
        todo!()
    }
}
pub struct Listener {
    pub port: u16,
    pub inode: u64,
    pub uid: u32,
}
pub fn listeners(p: &[u16]) -> io::Result<Vec<Listener>> {
    todo!()
}
pub fn holders(i: &[u64], p: Option<&[u32]>) -> BTreeMap<u64, u32> {
    todo!()
}
pub fn tree_of(m: u32, c: &str) -> Vec<u32> {
    todo!()
}
pub fn describe_process(p: u32) -> String {
    todo!()
}
pub fn user_name(u: u32) -> String {
    todo!()
}
pub fn find_user(u: &str, g: Option<&str>) -> Result<(u32, u32), String> {
    todo!()
}
pub fn exit_of(s: std::process::ExitStatus) -> crate::model::Exit {
    todo!()
}
pub fn kill_group(p: u32) {}
pub fn inherited_file(fd: i32) -> io::Result<std::fs::File> {
    todo!()
}
pub fn cookie(p: &Places, n: &str, g: u64) -> String {
    todo!()
}
#[derive(Default)]
pub struct TreeStats {
    pub processes: usize,
    pub memory: u64,
    pub cpu: Duration,
}
pub fn tree_stats(r: &[Option<(u32, String)>]) -> Vec<TreeStats> {
    todo!()
}
