//! `liveops config schema`: the JSON Schema of liveops.yaml.

use clap::Args;

use crate::context::Context;
use liveops_domain::error::{Error, Exit, Result};
use liveops_engine::config::keys::schema;

/// Print the JSON Schema of liveops.yaml, for editors
///
/// Editors that speak the YAML language server complete and check the file by it: the first line of what `init` writes
/// names it.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  liveops config schema > liveops.schema.json")]
pub(super) struct SchemaArgs {}

pub(super) fn run(cx: &Context) -> Result<Exit> {
    let text = serde_json::to_string_pretty(&schema()).map_err(|error| Error::internal(&error.to_string()))?;
    cx.output.write(&format!("{text}\n"))?;
    Ok(Exit::Good)
}
