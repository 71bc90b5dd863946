//! What `init` was told.

use crate::config::presets::Preset;

/// What was said.
#[derive(Debug)]
pub struct Given {
    pub preset: Preset,
    pub project: String,
    pub environment: String,
    pub prometheus: Option<String>,
    pub alertmanager: Option<String>,
    pub flags: Option<String>,
    /// Name and base of the health API.
    pub services: Vec<(String, String)>,
}
