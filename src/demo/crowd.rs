//! The crowd of all players, to which most rates and gauges are proportional.

use super::flow::Flow;
use super::histogram::Spread;
use super::world::{MODES, Mode};

/// All players: what most rates are proportional to.
pub(crate) struct Crowd {
    pub(crate) population: Flow,
    pub(crate) mean: f64,
}

impl Crowd {
    /// `rate` a player, wandering by `swing` of its mean.
    pub(crate) fn flow(&self, rate: f64, swing: f64, rng: &mut fastrand::Rng) -> Flow {
        let noise = Flow::noise(rng).scaled(rate * self.mean * swing);
        self.population.scaled(rate).plus(&noise)
    }

    pub(crate) fn stream(&self, rate: f64, swing: f64, rng: &mut fastrand::Rng, spread: Spread) -> (Flow, Spread) {
        (self.flow(rate, swing, rng), spread)
    }

    /// `mean` on average, in proportion to the players.
    pub(crate) fn share(&self, mean: f64) -> Flow {
        self.population.scaled(mean / self.mean)
    }

    pub(crate) fn by_mode(&self, rate: impl Fn(&Mode) -> f64) -> Vec<Flow> {
        let flow = |mode: &Mode| self.population.scaled(mode.share * rate(mode));
        MODES.iter().map(flow).collect()
    }
}
