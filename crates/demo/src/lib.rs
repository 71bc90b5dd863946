//! The embedded demo: a simulated online game with a health API and metrics, for trying everything
//! without any other service. It knows nothing of the rest of the tool.

mod api;
mod crowd;
mod events;
mod exposition;
mod flow;
mod histogram;
mod metrics;
mod rates;
mod recovery;
mod release;
mod rollout_api;
mod room_api;
mod rooms;
pub mod serve;
pub mod sim;
mod snapshot;
mod world;
