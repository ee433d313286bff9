//! The desktop, where there is one.

/// A desktop's own program that opens addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Opener {
    /// Its name.
    pub program: &'static str,
    /// One of these variables is set where there is a desktop; none: there always is one.
    pub needs: &'static [&'static str],
}

/// That of this system.
pub const OPENER: Opener = match cfg!(target_os = "macos") {
    true => Opener { program: "open", needs: &[] },
    false => Opener { program: "xdg-open", needs: &["DISPLAY", "WAYLAND_DISPLAY"] },
};
