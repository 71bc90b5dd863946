//! stub
use crate::context::Context;
use crate::error::{Exit, Result};
use clap::Args;
/// x
#[derive(Debug, Args)]
pub(crate) struct QueryArgs {}
pub(crate) async fn run(_args: QueryArgs, _cx: &Context) -> Result<Exit> {
    Ok(Exit::Good)
}
