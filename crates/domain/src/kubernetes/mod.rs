//! What Kubernetes objects mean for a rollout: readiness, images, weights of routes. Pure functions over objects as the
//! API server gives them; members that are not named here are nobody's business and stay as they are.

pub mod argo;
pub mod autoscaler;
pub mod deployment;
pub mod flagger;
pub mod note;
pub mod owner;
pub mod route;
