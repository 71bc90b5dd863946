//! What it means: pure and synchronous. Nothing here does IO, reads a clock, or knows a terminal.

pub(crate) mod alert;
pub(crate) mod alert_filter;
pub(crate) mod breaker;
pub(crate) mod duration;
pub(crate) mod exposition;
#[allow(dead_code, reason = "the store and the verbs that use it come next")]
pub(crate) mod flag;
pub(crate) mod health;
pub(crate) mod histogram;
pub(crate) mod incident;
pub(crate) mod journal;
pub(crate) mod kpi;
pub(crate) mod kubernetes;
pub(crate) mod labels;
pub(crate) mod level;
pub(crate) mod matcher;
pub(crate) mod number;
pub(crate) mod paging;
pub(crate) mod presence;
pub(crate) mod probe;
pub(crate) mod promql;
pub(crate) mod quantity;
pub(crate) mod record;
pub(crate) mod redact;
pub(crate) mod redis_url;
#[expect(dead_code, reason = "the commands that use it land next")]
pub(crate) mod rollout;
pub(crate) mod runbook;
pub(crate) mod scrape;
pub(crate) mod selector;
pub(crate) mod series;
pub(crate) mod shell;
pub(crate) mod silence;
pub(crate) mod skew;
pub(crate) mod standing;
pub(crate) mod status;
pub(crate) mod suggest;
pub(crate) mod threshold;
pub(crate) mod undo;
