//! A folder below one that is held: looked for each time that it is used, since it may be removed
//! or replaced, and is made again then.

use std::{
    ffi::OsString,
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use rustix::fs::Stat;

use super::{Dir, FileFacts, Refusal, Refused, check_owner};
use crate::platform::FileId;

/// A folder below one that is held.
#[derive(Debug, Clone)]
pub struct Subfolder {
    root: Dir,
    below: PathBuf,
    /// It is stackrun's own.
    own: bool,
    known: Arc<Mutex<Known>>,
}

/// The folder as it was found last.
#[derive(Debug, Default)]
struct Known {
    dir: Option<(Dir, FileId)>,
    /// What is in its place now is refused, and whether that has been told.
    refused: Option<(Refused, bool)>,
}

impl Subfolder {
    /// A folder of stackrun's own.
    pub fn own(root: &Dir, below: impl Into<PathBuf>) -> Self {
        Self { root: root.clone(), below: below.into(), own: true, known: Arc::default() }
    }

    /// A folder to look into, whichever user owns it.
    pub fn to_read(root: &Dir, below: impl Into<PathBuf>) -> Self {
        Self { own: false, ..Self::own(root, below) }
    }

    /// A folder itself, to look into.
    ///
    /// # Errors
    ///
    /// Those of open(2).
    pub fn at(path: &Path) -> io::Result<Self> {
        Ok(Self::to_read(&Dir::open(path)?, ""))
    }

    /// Where it is, or was when its root was opened.
    pub fn path(&self) -> PathBuf {
        self.root.path().join(&self.below)
    }

    /// What is in its place; good for comparing and for showing ([`Dir::stat`]).
    ///
    /// # Errors
    ///
    /// Those of fstatat(2).
    pub fn here(&self) -> io::Result<FileFacts> {
        self.root.stat(&self.below)
    }

    /// The same, as the system says it.
    pub(in crate::platform) fn raw_here(&self) -> io::Result<Stat> {
        self.root.raw_stat(&self.below)
    }

    /// What has that name in it; good for comparing and for showing ([`Dir::stat`]).
    ///
    /// # Errors
    ///
    /// Those of fstatat(2).
    pub fn stat(&self, name: impl AsRef<Path>) -> io::Result<FileFacts> {
        self.root.stat(self.below.join(name))
    }

    /// A file in it, to read.
    ///
    /// # Errors
    ///
    /// Those of open(2); [`Refused`].
    pub fn open_read(&self, name: impl AsRef<Path>) -> io::Result<File> {
        let below = self.below.join(name);
        let file = self.root.open_read(&below)?;
        if self.own {
            check_owner(&rustix::fs::fstat(&file)?, || self.root.path().join(&below))?;
        }
        Ok(file)
    }

    /// What is in a file of it.
    ///
    /// # Errors
    ///
    /// Those of [`Self::open_read`] and read(2).
    pub fn read(&self, name: impl AsRef<Path>) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.open_read(name)?.read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    /// The names in it, in no order.
    ///
    /// # Errors
    ///
    /// Those of open(2) and getdents(2).
    pub fn names(&self) -> io::Result<Vec<OsString>> {
        self.root.dir(&self.below)?.names()
    }

    /// The folder itself, made where it is not there. While what is there now is not ours to use,
    /// it is the one that was there before.
    ///
    /// # Errors
    ///
    /// Those of mkdir(2) and open(2); [`Refused`].
    pub fn make(&self) -> io::Result<Dir> {
        let mut known = self.known();
        let made = match (&known.dir, self.raw_here()) {
            (Some((dir, id)), Ok(here)) if *id == FileId::from(&here) => {
                dir.close_to_others(&here).map(|()| (dir.clone(), *id))
            }
            _ => self.root.make_dirs(&self.below).and_then(|dir| {
                let id = dir.id()?;
                Ok((dir, id))
            }),
        };
        match made {
            Ok((dir, id)) => {
                *known = Known { dir: Some((dir.clone(), id)), refused: None };
                Ok(dir)
            }
            Err(error) => match (Refused::of(&error), known.dir.clone()) {
                (Some(refused), Some((before, _))) => {
                    known.refused.get_or_insert((refused.clone(), false));
                    Ok(before)
                }
                _ => Err(error),
            },
        }
    }

    /// What has been put in its place and is refused; told once.
    pub fn refused(&self) -> Option<Refused> {
        let mut known = self.known();
        let (refused, told) = known.refused.as_mut()?;
        (!std::mem::replace(told, true)).then(|| refused.clone())
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A file in a subfolder that bytes are added to: opened again where it was removed, renamed or
/// replaced.
#[derive(Debug)]
pub struct GrowingFile {
    folder: Subfolder,
    name: OsString,
    /// Whatever is written goes to its end.
    appends: bool,
    open: Option<Open>,
    /// What has its name now is refused, and whether that has been told.
    refused: Option<(Refused, bool)>,
}

/// A file that is open, and the folder that it was opened in.
#[derive(Debug)]
pub struct Open {
    /// The folder.
    pub dir: Dir,
    /// The file, not positioned.
    pub file: File,
    id: FileId,
}

impl GrowingFile {
    /// One that is opened when it is first asked for.
    pub fn new(folder: Subfolder, name: impl Into<OsString>) -> Self {
        Self { folder, name: name.into(), appends: false, open: None, refused: None }
    }

    /// The same, and whatever is written goes to its end.
    pub fn appending(folder: Subfolder, name: impl Into<OsString>) -> Self {
        Self { appends: true, ..Self::new(folder, name) }
    }

    /// Where it is.
    pub fn path(&self) -> PathBuf {
        self.folder.path().join(&self.name)
    }

    /// Its folder.
    pub fn folder(&self) -> &Subfolder {
        &self.folder
    }

    /// The file as it was opened last.
    pub fn opened(&self) -> Option<&Open> {
        self.open.as_ref()
    }

    /// Closes it.
    pub fn close(&mut self) {
        self.open = None;
    }

    /// The file that has its name now, what the system says of it, and whether it is another one
    /// than the last time.
    ///
    /// # Errors
    ///
    /// Those of open(2); [`Refused`].
    pub fn current(&mut self) -> io::Result<(&Open, FileFacts, bool)> {
        let there = self.folder.stat(&self.name).ok();
        let known = self.open.take();
        let same = known.as_ref().and_then(|open| there.filter(|there| there.id == open.id));
        let (open, facts, is_other) = match (known, same) {
            (Some(open), Some(facts)) => (open, facts, false),
            (known, _) => match (self.reopen(), known) {
                // Its folder may be the one that was there before.
                (Ok((open, facts)), Some(known)) if known.id == open.id => (known, facts, false),
                (Ok((open, facts)), _) => (open, facts, true),
                (Err(error), Some(known)) => {
                    let facts = self.go_on(&known, error)?;
                    return Ok((self.open.insert(known), facts, false));
                }
                (Err(error), None) => return Err(error),
            },
        };
        self.refused = None;
        Ok((self.open.insert(open), facts, is_other))
    }

    /// Goes on with a file that was moved away, while what has its name now is refused.
    fn go_on(&mut self, known: &Open, error: io::Error) -> io::Result<FileFacts> {
        let Some(refused) = Refused::of(&error) else { return Err(error) };
        let stat = rustix::fs::fstat(&known.file)?;
        if stat.st_nlink == 0 || refused.why == Refusal::HardLink {
            return Err(error);
        }
        self.refused.get_or_insert((refused.clone(), false));
        Ok(FileFacts::from(&stat))
    }

    /// What has been put in the place of it or its folder and is refused; told once.
    pub fn refused(&mut self) -> Option<Refused> {
        let untold = self.refused.as_mut().filter(|(_, told)| !told);
        let own = untold.map(|(refused, told)| {
            *told = true;
            refused.clone()
        });
        self.folder.refused().or(own)
    }

    fn reopen(&self) -> io::Result<(Open, FileFacts)> {
        let dir = self.folder.make()?;
        let file = if self.appends { dir.append(&self.name) } else { dir.open_write(&self.name) }?;
        let facts = FileFacts::of(&file)?;
        Ok((Open { dir, file, id: facts.id }, facts))
    }
}

impl Refused {
    /// Whether an error says that a file has another name, so that it can be put aside.
    pub fn is_hard_link(error: &io::Error) -> bool {
        Self::of(error).is_some_and(|refused| refused.why == Refusal::HardLink)
    }
}
