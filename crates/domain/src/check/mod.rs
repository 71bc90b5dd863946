//! Gates: what a rule found, what it could not tell, what was waived, and the formats that CI systems read.

pub mod alerts;
pub mod backups;
pub mod baseline;
pub mod codequality;
pub mod deploy;
pub mod finding;
pub mod gate;
pub mod junit;
pub mod manifest;
pub mod migration;
pub mod readiness;
pub mod sarif;
pub mod security;
pub mod waiver;
pub mod workflow;
