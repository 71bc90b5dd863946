//! Service level objectives: read, asked of Prometheus, judged, turned into rules, replayed.

pub mod batch;
pub mod budget;
pub mod check;
pub mod generate;
pub mod load;
pub mod observe;
pub mod scraped;
pub mod simulate;
pub mod status;
