//! Rollouts and sizes in Kubernetes: the binary, a real `kubectl`, and the API server of the tests.

mod argo;
mod clocks;
mod crash;
mod economy;
mod faults;
mod flagger;
mod gates;
mod levers;
mod reads;
mod regions;
mod releases;
mod review;
mod rollout;
mod scale;
mod stage;
mod switch;
