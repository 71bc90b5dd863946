//! Sizes in Kubernetes: the binary, a real `kubectl`, and the API server of the tests.

mod scale;
#[allow(dead_code, reason = "the stage is set for rollouts too")]
mod stage;
