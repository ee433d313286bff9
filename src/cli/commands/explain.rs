//! `explain`: the reference for a node or a property.

use clap_complete::engine::ArgValueCandidates;

use crate::{
    cli::{
        candidates::keys,
        context::Context,
        error::{Error, status},
    },
    language,
};

const EXAMPLES: &str = "\
Examples:
  stackrun explain ready            a node and its properties
  stackrun explain restart.tries    one property";

/// The reference for a word of the stack file
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(in crate::cli) struct Args {
    /// A node (`ready`), a property (`restart.tries`), or `values`
    #[arg(add = ArgValueCandidates::new(keys))]
    key: String,
}

pub(in crate::cli) fn run(args: &Args, context: &Context) -> Result<u8, Error> {
    match language::explain(&args.key) {
        Ok(page) => context.print(&page).map(|()| status::OK),
        Err(unknown) => {
            let fix = match unknown.near {
                Some(near) => format!("did you mean `{near}`?"),
                None => {
                    let home = args.key.rsplit_once('.').map(|(home, _)| home);
                    let home = home.filter(|home| language::explain(home).is_ok());
                    let home = home.unwrap_or("service");
                    format!("`stackrun explain {home}` lists what a `{home}` takes")
                }
            };
            Err(Error::Usage { text: format!("there is no `{}`", args.key), fix })
        }
    }
}
