//! Manifests of Kubernetes: read with lines, and asked.

pub mod fields;
pub mod links;
pub mod node;
pub mod object;
pub mod outcome;
pub mod quantity;
pub mod schema;
pub mod secrets;
pub mod selector;
pub mod workload;
