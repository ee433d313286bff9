//! What tells one folder from another that has had its number before.

use std::os::fd::AsFd;

use rustix::fs::{AtFlags, StatxFlags, fstatfs, statx};

/// overlayfs (statfs(2)).
const OVERLAYFS: u64 = 0x794c_7630;

/// When the file was born, as a number that means nothing else; `None` where the file system does
/// not tell, or does not stand by it.
pub(in crate::platform) fn birth_time(file: impl AsFd) -> Option<u64> {
    let system = fstatfs(&file).ok()?;
    if u64::try_from(system.f_type).ok()? == OVERLAYFS {
        return None;
    }
    let stat = statx(&file, c"", AtFlags::EMPTY_PATH, StatxFlags::BTIME).ok()?;
    let is_known = stat.stx_mask & StatxFlags::BTIME.bits() != 0;
    let nanoseconds = || stat.stx_btime.tv_sec.wrapping_mul(1_000_000_000);
    is_known.then(|| nanoseconds().wrapping_add(stat.stx_btime.tv_nsec.into()).cast_unsigned())
}
