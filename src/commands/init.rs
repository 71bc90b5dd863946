//! stub
use crate::context::Context;
use crate::error::{Exit, Result};
use clap::Args;
/// x
#[derive(Debug, Args)]
pub(crate) struct InitArgs {}
pub(crate) async fn run(_args: InitArgs, _cx: &Context) -> Result<Exit> {
    Ok(Exit::Good)
}
