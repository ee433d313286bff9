//! There are no cgroups here: none can be found, so that none can be asked anything.

use std::{
    convert::Infallible,
    fs::File,
    io,
    path::{Path, PathBuf},
};

use crate::platform::{CgroupLimits, Controller};

/// The groups of one stack.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cgroups(Infallible);

/// The group of one unit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cgroup {
    /// Where a record says that it is.
    folder: PathBuf,
}

impl Cgroups {
    /// There are none.
    ///
    /// # Errors
    ///
    /// Always.
    pub fn find(_: &str, _: &[Controller]) -> Result<Self, String> {
        Err("this system has no cgroups".to_owned())
    }

    /// The controllers that are in force.
    pub fn controllers(&self) -> &[Controller] {
        match self.0 {}
    }

    /// Why a controller is not in force.
    pub fn why_not(&self, _: Controller) -> String {
        match self.0 {}
    }

    /// Makes the group of a unit.
    ///
    /// # Errors
    ///
    /// None.
    pub fn create(&self, _: &str, _: &CgroupLimits) -> io::Result<Cgroup> {
        match self.0 {}
    }
}

impl Cgroup {
    /// The one that was made earlier.
    pub fn resume(folder: PathBuf) -> Self {
        Self { folder }
    }

    /// Where it is.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The file by which processes come in.
    ///
    /// # Errors
    ///
    /// Always.
    pub fn entrance(&self) -> io::Result<File> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Kills everything in it.
    ///
    /// # Errors
    ///
    /// Always.
    pub fn kill(&self) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// The processes in it.
    pub fn pids(&self) -> Vec<u32> {
        Vec::new()
    }

    /// Whether anything lives in it.
    pub fn is_populated(&self) -> bool {
        false
    }

    /// How many of its processes were killed because memory ran out.
    pub fn oom_kills(&self) -> u64 {
        0
    }

    /// Removes it.
    pub fn remove(&self) {}
}
