//! How to revert a change of silences, and what that comes to in the world as it is now. Pure: the caller brings the
//! silences, and carries the result out.

#[cfg(test)]
mod tests;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::alert::matcher::{Matcher, show};
use crate::alert::silence::{Draft, Silence, SilenceState};
use crate::text::shell::word;

/// The reverse of a change of silences.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case")]
pub enum SilenceUndo {
    /// Expire a silence that was added, if it still ends when we made it end.
    ExpireSilence { id: String, expected: DateTime<Utc> },
    /// Expire the silence that looks like this one: its id is not known, since the answer never came.
    ExpireSilenceLike { silence: Draft },
    /// Set a silence's end back, if it still ends when we made it end.
    SetSilenceEnd { id: String, ends_at: DateTime<Utc>, expected: DateTime<Utc> },
    /// Add a silence again that was expired (`id`), until its old end.
    AddSilence { id: String, silence: Draft },
}

/// What an undo comes to.
#[derive(Debug, Clone, PartialEq)]
pub enum Reverse {
    /// Expire this silence; the draft brings it back.
    Expire { silence: Silence },
    /// Give this silence another end.
    SetEnd { silence: Silence, ends_at: DateTime<Utc> },
    /// Add this silence.
    Add { draft: Draft, was: String },
}

/// Why an undo must not be carried out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Stale {
    /// The change was begun, and its effect is not there.
    #[error("it did not happen: {0}")]
    DidNotHappen(String),
    /// What it acted on is gone.
    #[error("Alertmanager does not know silence {id}: it is another Alertmanager, or it has forgotten")]
    Gone { id: String },
    /// Somebody was faster.
    #[error("silence {id} has expired already, at {}", stamp(.at))]
    Expired { id: String, at: DateTime<Utc> },
    /// Somebody changed it since.
    #[error("silence {id} was changed since: it should end at {}, and it ends at {}", stamp(.expected), stamp(.found))]
    Changed { id: String, expected: DateTime<Utc>, found: DateTime<Utc> },
    /// It was there to be brought back, and somebody has done so.
    #[error("silence {id} already does the same until {}", stamp(.until))]
    Exists { id: String, until: DateTime<Utc> },
    /// Its time is over.
    #[error("the silence would have ended at {}: there is nothing left of it", stamp(.at))]
    Over { at: DateTime<Utc> },
}

fn stamp(at: &DateTime<Utc>) -> String {
    at.format("%FT%TZ").to_string()
}

fn is_live(silence: &Silence) -> bool {
    silence.state != SilenceState::Expired
}

impl SilenceUndo {
    /// What it does, in words.
    pub fn summary(&self) -> String {
        match self {
            Self::ExpireSilence { id, .. } => format!("expire silence {id}"),
            Self::ExpireSilenceLike { silence } => {
                format!("expire the silence {}", show(&silence.matchers))
            }
            Self::SetSilenceEnd { id, ends_at, .. } => {
                format!("set the end of silence {id} back to {}", stamp(ends_at))
            }
            Self::AddSilence { silence, .. } => format!("silence {} again", silence.summary()),
        }
    }

    /// The command that does the same without the audit log; words after `liveops`.
    pub fn by_hand(&self) -> String {
        match self {
            Self::ExpireSilence { id, .. } => format!("silence expire {}", word(id)),
            Self::ExpireSilenceLike { .. } | Self::SetSilenceEnd { .. } => "silence list".into(),
            Self::AddSilence { silence, .. } => add_again(&silence.matchers, &silence.comment),
        }
    }

    /// Does it only take quiet away? Then nothing may hold it up.
    pub fn is_safe_side(&self) -> bool {
        matches!(self, Self::ExpireSilence { .. } | Self::ExpireSilenceLike { .. })
    }

    /// What it comes to, given every silence that Alertmanager knows. `certain` says that the change is known to
    /// have happened; where it is not, its effect is looked for first.
    ///
    /// # Errors
    /// Why it must not be carried out.
    pub fn decide(&self, silences: &[Silence], now: DateTime<Utc>, certain: bool) -> Result<Reverse, Stale> {
        let known = |id: &str| {
            silences.iter().find(|silence| silence.id == id).ok_or_else(|| Stale::Gone { id: id.to_owned() })
        };
        match self {
            Self::ExpireSilence { id, expected } => {
                let silence = live(known(id)?)?;
                unchanged(silence, *expected)?;
                Ok(Reverse::Expire { silence: silence.clone() })
            }
            Self::ExpireSilenceLike { silence: draft } => {
                let same = |silence: &&Silence| silence.draft.is_same(draft);
                let mut found: Vec<&Silence> = silences.iter().filter(same).collect();
                found.sort_by_key(|silence| silence.state);
                let first = found
                    .first()
                    .ok_or_else(|| Stale::DidNotHappen(format!("Alertmanager has no silence {}", draft.summary())))?;
                Ok(Reverse::Expire { silence: live(first)?.clone() })
            }
            Self::SetSilenceEnd { id, ends_at, expected } => {
                let silence = known(id)?;
                if !certain && silence.draft.ends_at.timestamp() == ends_at.timestamp() {
                    return Err(Stale::DidNotHappen(format!("silence {id} still ends at {}", stamp(ends_at))));
                }
                let silence = live(silence)?.clone();
                unchanged(&silence, *expected)?;
                // Alertmanager takes no end that is past; to be over is to be expired.
                Ok(if *ends_at <= now {
                    Reverse::Expire { silence }
                } else {
                    Reverse::SetEnd { silence, ends_at: *ends_at }
                })
            }
            Self::AddSilence { id, silence: draft } => {
                let old = known(id)?;
                if is_live(old) {
                    return Err(if certain {
                        Stale::Exists { id: id.clone(), until: old.draft.ends_at }
                    } else {
                        Stale::DidNotHappen(format!("silence {id} is still there"))
                    });
                }
                if draft.ends_at <= now {
                    return Err(Stale::Over { at: draft.ends_at });
                }
                let twin = |silence: &&Silence| is_live(silence) && silence.draft.has_same_matchers(draft);
                if let Some(twin) = silences.iter().find(twin) {
                    return Err(Stale::Exists { id: twin.id.clone(), until: twin.draft.ends_at });
                }
                Ok(Reverse::Add { draft: draft.clone(), was: id.clone() })
            }
        }
    }
}

fn live(silence: &Silence) -> Result<&Silence, Stale> {
    if is_live(silence) {
        Ok(silence)
    } else {
        Err(Stale::Expired { id: silence.id.clone(), at: silence.draft.ends_at })
    }
}

fn unchanged(silence: &Silence, expected: DateTime<Utc>) -> Result<(), Stale> {
    // Alertmanager keeps milliseconds in its answers; whole seconds are what we set.
    if silence.draft.ends_at.timestamp() == expected.timestamp() {
        return Ok(());
    }
    Err(Stale::Changed { id: silence.id.clone(), expected, found: silence.draft.ends_at })
}

/// `silence add …` for the same matchers; the length is the person's to choose.
pub fn add_again(matchers: &[Matcher], comment: &str) -> String {
    let matchers: Vec<String> = matchers.iter().map(|matcher| word(&matcher.show())).collect();
    format!("silence add {} --for 1h --reason {}", matchers.join(" "), word(comment))
}
