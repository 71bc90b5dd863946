//! Metrics: series, histograms, PromQL, KPIs and their levels.

pub mod estimate;
pub mod exposition;
pub mod freshness;
pub mod histogram;
pub mod kpi;
pub mod labels;
pub mod level;
pub mod number;
pub mod promql;
pub mod quantity;
pub mod scrape;
pub mod selector;
pub mod series;
pub mod series_exist;
pub mod threshold;
