//! Guards: conditions on what a new version does to its users, and what the evidence says about them. Four answers,
//! never two: pass, fail, no evidence, error. Only a pass lets anything go on; what is not known is never good.

pub(crate) mod absence;
pub(crate) mod evidence;
pub(crate) mod expression;
pub(crate) mod judge;
pub(crate) mod scraped;
pub(crate) mod statistics;
pub(crate) mod verdict;
