//! What Kubernetes objects mean for a rollout: readiness, images, weights of routes. Pure functions over objects as the
//! API server gives them; members that are not named here are nobody's business and stay as they are.

pub(crate) mod argo;
pub(crate) mod autoscaler;
pub(crate) mod deployment;
pub(crate) mod flagger;
pub(crate) mod note;
pub(crate) mod owner;
pub(crate) mod route;
