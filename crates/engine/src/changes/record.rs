//! Changes that somebody recorded by hand or from CI.

use serde::{Deserialize, Serialize};

use crate::files::journal::Journal;
use crate::session::Session;
use liveops_domain::change::timeline::Kind;
use liveops_domain::error::Result;

/// The kind of events in the journal of deployments.
pub const RECORDED: &str = "change.recorded";

/// What can be recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Recorded {
    Deploy,
    /// A deployment that was not planned.
    Hotfix,
    Rollback,
    Config,
    Migration,
    Scale,
    Other,
}

impl Recorded {
    /// The kind on the timeline.
    pub fn kind(self) -> Kind {
        match self {
            Self::Deploy | Self::Hotfix | Self::Rollback => Kind::Deploy,
            Self::Config => Kind::Config,
            Self::Migration => Kind::Migration,
            Self::Scale => Kind::Scale,
            Self::Other => Kind::Other,
        }
    }

    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Deploy => "deploy",
            Self::Hotfix => "hotfix",
            Self::Rollback => "rollback",
            Self::Config => "config",
            Self::Migration => "migration",
            Self::Scale => "scale",
            Self::Other => "change",
        }
    }
}

/// An entry of the journal.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    pub kind: Recorded,
    pub environment: String,
    #[serde(default)]
    pub service: Option<String>,
    #[serde(default)]
    pub version: Option<String>,
    /// What it was built from, as git names it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
    /// The incident that it answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub incident: Option<String>,
    #[serde(default)]
    pub note: Option<String>,
    /// When it happened.
    pub occurred_at: chrono::DateTime<chrono::Utc>,
}

impl Entry {
    /// `deploy of game-backend 1.42: note`.
    pub fn words(&self) -> String {
        let mut text = self.kind.word().to_owned();
        if let Some(service) = &self.service {
            text.push_str(&format!(" of {service}"));
        }
        if let Some(version) = &self.version {
            text.push_str(&format!(" {version}"));
        }
        if let Some(note) = &self.note {
            text.push_str(&format!(": {note}"));
        }
        text
    }
}

/// The project's journal of changes.
///
/// # Errors
/// Those of the configuration.
pub fn journal(cx: &Session) -> Result<Journal> {
    let config = cx.config()?;
    Ok(Journal::at(config.place(&config.settings.documents.deployments)?))
}
