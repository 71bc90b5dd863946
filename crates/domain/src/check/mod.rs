//! Gates: what a rule found, what it could not tell, what was waived, and the formats that CI systems read.

pub mod alerts;
pub mod baseline;
pub mod codequality;
pub mod finding;
pub mod gate;
pub mod junit;
pub mod migration;
pub mod sarif;
pub mod waiver;
pub mod workflow;
