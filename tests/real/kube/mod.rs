//! Rollouts and sizes in Kubernetes: the binary, a real `kubectl`, and the API server of the tests.

mod crash;
mod rollout;
mod scale;
mod stage;
