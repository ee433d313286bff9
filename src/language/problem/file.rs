//! Files that cannot be read or understood, and the places that name them.

use std::path::PathBuf;

use super::{
    Description,
    description::{list, near},
};
use crate::language::{encoding::NotUtf8, source::Span};

/// A problem of a file.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::language) enum FileProblem {
    /// It is there but cannot be read, or it is the stack file itself.
    Unreadable { path: PathBuf, reason: String, at: Option<Span> },
    /// It is in another encoding than UTF-8.
    Encoding { path: PathBuf, error: NotUtf8, at: Option<Span> },
    /// With it the stack comes to more files or bytes than any has.
    TooMuch { path: PathBuf, at: Option<Span> },
    /// It is no KDL.
    Syntax { at: Span, also: Option<(Span, String)>, message: String, label: String, help: String },
    /// It includes itself, by way of these.
    IncludeLoop { edges: Vec<(Span, String)> },
    /// No file has the profile that was asked for.
    UnknownProfile { name: String, known: Vec<String> },
    /// A file or folder is not there.
    NotThere { what: &'static str, path: PathBuf, at: Span },
    /// A folder is a file.
    NotADirectory { path: PathBuf, at: Span },
    /// A line of an env file is no variable.
    BadEnvFile { path: PathBuf, line: usize, reason: String, at: Span },
    /// There are more problems than anybody wants to read.
    More { told: usize },
}

impl FileProblem {
    pub(super) fn describe(&self) -> Description {
        match self {
            Self::Unreadable { path, reason, at } => {
                let message = format!("cannot read `{}`: {reason}", path.display());
                let help = "check its permissions, and that it is a text file";
                let description = Description::new("unreadable", message).help(help);
                at.iter().fold(description, |description, at| description.at(*at, "named here"))
            }
            Self::Encoding { path, error, at } => {
                let message = format!("cannot read `{}`: {error}", path.display());
                let help = format!("save it as UTF-8: `iconv -f {} -t UTF-8`", error.guess());
                let description = Description::new("encoding", message).help(help);
                at.iter().fold(description, |description, at| description.at(*at, "named here"))
            }
            Self::TooMuch { path, at } => {
                let message = format!("`{}` makes the stack too large to read", path.display());
                let help = "the limits are 64 MiB, 1000 files, each counted as often as it is \
                            included, and 50 levels of `include`";
                let description = Description::new("too-much", message).help(help);
                at.iter().fold(description, |description, at| description.at(*at, "included here"))
            }
            Self::Syntax { at, also, message, label, help } => {
                let mut description = Description::new("syntax", message).at(*at, label);
                description.labels.extend(also.clone());
                description.help(help.clone())
            }
            Self::IncludeLoop { edges } => {
                let description = Description::new("include-loop", "a loop of includes");
                let label = |description: Description, (at, target): &(Span, String)| {
                    description.at(*at, format!("includes `{target}`"))
                };
                edges.iter().fold(description, label).help("remove one of these")
            }
            Self::UnknownProfile { name, known } => {
                Description::new("unknown-profile", format!("there is no profile `{name}`"))
                    .maybe_help(near(name, known))
                    .maybe_help(list("the profiles are", known))
                    .help(format!("declare it: `profile \"{name}\" {{ … }}`"))
            }
            Self::NotThere { what, path, at } => {
                let help = match *what {
                    "env file" => "`optional=#true` allows it to be missing",
                    "folder" => {
                        "create the folder, or correct the path: it is relative to this file"
                    }
                    _ => {
                        "correct the path: it is relative to this file, and `{{…}}` is not filled in"
                    }
                };
                Description::new("not-there", format!("this {what} does not exist"))
                    .at(*at, format!("no {what} at `{}`", path.display()))
                    .help(help)
            }
            Self::NotADirectory { path, at } => {
                Description::new("not-there", "this is not a folder")
                    .at(*at, format!("`{}` is a file", path.display()))
                    .help("`dir` names a folder")
            }
            Self::BadEnvFile { path, line, reason, at } => {
                let message =
                    format!("line {line} of `{}` is not a variable: {reason}", path.display());
                Description::new("bad-env-file", message)
                    .at(*at, "read here")
                    .help("each line is `KEY=value`, empty, or a `# comment`")
            }
            Self::More { told } => {
                let message = format!("there are more than {told} problems: these are the first");
                Description::new("more", message)
            }
        }
    }
}
