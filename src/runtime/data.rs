//! `{{data}}`: a folder of a service's or task's own, made before anything of it runs.

use std::{fs, os::unix::fs::PermissionsExt};

use serde::Serialize;

use super::world::World;
use crate::platform;

impl World {
    /// Makes the folder, where anything that is declared names it. Its owner's alone: databases
    /// insist on that.
    pub(super) fn make_data_folder(&self, name: &str) {
        let folder = self.places.data(name);
        if folder.exists() {
            return;
        }
        let path = folder.to_string_lossy();
        let named = self.service(name).is_some_and(|service| mentions(service, &path))
            || self.task(name).is_some_and(|task| mentions(task, &path));
        if named && platform::make_folders(&folder).is_ok() {
            // Where this cannot be done, what needs it says so better than we could.
            let _ = fs::set_permissions(&folder, fs::Permissions::from_mode(0o700));
        }
    }
}

/// Whether any string of a definition holds these characters.
fn mentions(definition: &impl Serialize, text: &str) -> bool {
    let (Ok(definition), Ok(text)) = (serde_json::to_vec(definition), serde_json::to_vec(text))
    else {
        return false;
    };
    // As it stands within a string, without the quotes around it.
    let text = &text[1..text.len() - 1];
    memchr::memmem::find(&definition, text).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Check, Command, Service, Text};

    #[test]
    fn a_mention_is_found_however_deep() {
        let mut service = Service::new("db", "/srv");
        assert!(!mentions(&service, "/srv/.stackrun/data/db"));
        let check = Text::literal("test -e /srv/.stackrun/data/db/ready");
        service.ready.checks = vec![Check::Command(Command::Shell { script: check, with: None })];
        assert!(mentions(&service, "/srv/.stackrun/data/db"));
    }
}
