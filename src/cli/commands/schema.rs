//! `schema`: what a stack file may hold, for editors and other programs.

use crate::{
    cli::{
        context::Context,
        error::{Error, status},
    },
    language,
};

const EXAMPLES: &str = "\
Examples:
  stackrun schema > stack.schema.kdl";

/// The schema of the stack file, in KDL
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(in crate::cli) struct Args {}

pub(in crate::cli) fn run(_: &Args, context: &Context) -> Result<u8, Error> {
    context.print(language::schema_text()).map(|()| status::OK)
}
