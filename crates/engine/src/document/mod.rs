//! Documents and configuration that liveops writes: facts from the configuration, text from templates, and the files.

mod facts;
mod monitoring;
pub mod render;
pub mod runbooks;
pub mod store;
