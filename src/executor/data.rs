//! `{{data}}`: a folder of a service's or task's own, made before anything of it runs.

use std::io;

use serde::Serialize;

use super::state::Executor;
use crate::{model::User, platform};

impl Executor {
    /// Makes the folder, where anything that is declared names it. Its owner's alone: databases
    /// insist on that.
    pub(super) fn make_data_folder(&self, name: &str) {
        let user = self.service(name).and_then(|service| service.user.as_ref());
        let is_there = self.stack_dir.data.stat(name).is_ok();
        if is_there && user.is_none() {
            return;
        }
        let path = self.places.data(name);
        let path = path.to_string_lossy();
        let named = self.service(name).is_some_and(|service| mentions(service, &path))
            || self.task(name).is_some_and(|task| mentions(task, &path));
        if named {
            // Where this cannot be done, what needs it says so better than we could.
            let _ = self.data_folder(name, is_there, user);
        }
    }

    fn data_folder(&self, name: &str, is_there: bool, user: Option<&User>) -> io::Result<()> {
        let data = self.stack_dir.data.make()?;
        let made = if is_there { None } else { Some(data.make_dir(name)?) };
        let Some(user) = user else { return Ok(()) };
        // Another user comes to it by these two, and sees nothing else in them.
        self.stack_dir.state.make()?.let_others_through()?;
        data.let_others_through()?;
        let person = platform::find_user(&user.user, user.group.as_deref());
        made.map_or(Ok(()), |made| made.give_to(&person.map_err(io::Error::other)?))
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
