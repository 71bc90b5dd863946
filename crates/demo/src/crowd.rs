//! The crowd of all players, to which most rates and gauges are proportional.

use crate::flow::Flow;
use crate::histogram::Spread;
use crate::world::{MODES, Mode};

/// All players: what most rates are proportional to.
pub struct Crowd {
    pub population: Flow,
    pub mean: f64,
}

impl Crowd {
    /// `rate` a player, wandering by `swing` of its mean.
    pub fn flow(&self, rate: f64, swing: f64, rng: &mut fastrand::Rng) -> Flow {
        let noise = Flow::noise(rng).scaled(rate * self.mean * swing);
        self.population.scaled(rate).plus(&noise)
    }

    pub fn stream(&self, rate: f64, swing: f64, rng: &mut fastrand::Rng, spread: Spread) -> (Flow, Spread) {
        (self.flow(rate, swing, rng), spread)
    }

    /// `mean` on average, in proportion to the players.
    pub fn share(&self, mean: f64) -> Flow {
        self.population.scaled(mean / self.mean)
    }

    pub fn by_mode(&self, rate: impl Fn(&Mode) -> f64) -> Vec<Flow> {
        let flow = |mode: &Mode| self.population.scaled(mode.share * rate(mode));
        MODES.iter().map(flow).collect()
    }
}
