//! No number that descendants inherit is to be had here.

/// A number on a process that its descendants inherit: none has one here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct KernelTag;

impl KernelTag {
    /// The one that stands for this mark.
    pub fn of_mark(_mark: &[u8]) -> Self {
        Self
    }

    /// The one of this process: none.
    pub fn of(_pid: u32) -> Option<Self> {
        None
    }

    /// Without effect.
    pub fn put(self) {}

    /// Without effect.
    pub fn remove() {}
}
