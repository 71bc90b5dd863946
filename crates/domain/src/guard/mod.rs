//! Guards: conditions on what a new version does to its users, and what the evidence says about them. Four answers,
//! never two: pass, fail, no evidence, error. Only a pass lets anything go on; what is not known is never good.

pub mod alert;
pub mod evidence;
pub mod expression;
pub mod judge;
pub mod no_data;
pub mod scraped;
pub mod statistics;
pub mod verdict;
