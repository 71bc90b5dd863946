//! Rates over time as sums of sines: they are the one kind of curve here, because their integral
//! has a closed form, so that a counter at any instant costs a few sines and never goes backwards.

use std::f64::consts::TAU;

/// Seconds in a day.
pub const DAY: f64 = 86_400.0;

/// Periods, in seconds, and weights of the slow noise. No period divides another, so the pattern
/// does not repeat within a day; the weights add up to one.
const NOISE: [(f64, f64); 4] = [(2_820.0, 0.4), (1_030.0, 0.3), (371.0, 0.2), (143.0, 0.1)];

/// A quantity that varies in time; as a rate, in events a second.
#[derive(Clone, Debug)]
pub struct Flow {
    mean: f64,
    waves: Vec<Wave>,
}

#[derive(Clone, Debug)]
struct Wave {
    amplitude: f64,
    /// Radians a second.
    omega: f64,
    phase: f64,
}

impl Flow {
    /// Always `mean`.
    pub fn constant(mean: f64) -> Self {
        Self { mean, waves: Vec::new() }
    }

    /// Wanders between -1 and 1 about zero, by phases drawn from `rng`.
    pub fn noise(rng: &mut fastrand::Rng) -> Self {
        NOISE.iter().fold(Self::constant(0.0), |flow, &(period, weight)| flow.wave(weight, period, rng.f64() * period))
    }

    /// Adds a cosine of this amplitude and period (seconds), highest at `peak` (Unix seconds).
    pub fn wave(mut self, amplitude: f64, period: f64, peak: f64) -> Self {
        let omega = TAU / period;
        self.waves.push(Wave { amplitude, omega, phase: -omega * peak });
        self
    }

    /// This flow times a constant.
    pub fn scaled(&self, factor: f64) -> Self {
        let mut flow = self.clone();
        flow.mean *= factor;
        for wave in &mut flow.waves {
            wave.amplitude *= factor;
        }
        flow
    }

    /// The sum of two flows. Waves that both have are merged, so that sums of sums stay short.
    pub fn plus(mut self, other: &Self) -> Self {
        self.mean += other.mean;
        for wave in &other.waves {
            let same = |own: &&mut Wave| own.omega == wave.omega && own.phase == wave.phase;
            match self.waves.iter_mut().find(same) {
                Some(own) => own.amplitude += wave.amplitude,
                None => self.waves.push(wave.clone()),
            }
        }
        self
    }

    /// The mean over a long time.
    pub fn mean(&self) -> f64 {
        self.mean
    }

    /// A bound that the flow never exceeds.
    #[cfg(test)]
    pub fn most(&self) -> f64 {
        self.mean + self.swing()
    }

    /// The value at `time` (Unix seconds).
    pub fn at(&self, time: f64) -> f64 {
        let waves = self.waves.iter();
        self.mean + waves.map(|wave| wave.amplitude * (wave.omega * time + wave.phase).cos()).sum::<f64>()
    }

    /// The integral from `from` to `to` (Unix seconds); zero when `to` is the earlier.
    pub fn total(&self, from: f64, to: f64) -> f64 {
        if to <= from {
            return 0.0;
        }
        let waves = self.waves.iter();
        self.mean * (to - from)
            + waves
                .map(|wave| {
                    let sine = |time: f64| (wave.omega * time + wave.phase).sin();
                    wave.amplitude / wave.omega * (sine(to) - sine(from))
                })
                .sum::<f64>()
    }

    #[cfg(test)]
    fn swing(&self) -> f64 {
        self.waves.iter().map(|wave| wave.amplitude.abs()).sum()
    }

    /// A bound that the flow never falls below; a rate whose bound is not negative makes a counter.
    #[cfg(test)]
    pub fn least(&self) -> f64 {
        self.mean - self.swing()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Flow {
        Flow::constant(10.0)
            .wave(4.0, DAY, 20.0 * 3_600.0)
            .plus(&Flow::noise(&mut fastrand::Rng::with_seed(1)).scaled(2.0))
    }

    #[test]
    fn the_total_is_the_integral_of_the_value() {
        let flow = sample();
        let (from, step) = (1_700_000_000.0, 0.5);
        let midpoints = (0..7_200).map(|i| flow.at(from + (f64::from(i) + 0.5) * step) * step);
        let sum: f64 = midpoints.sum();
        let total = flow.total(from, from + 3_600.0);
        assert!((total - sum).abs() < 1e-2, "{total} is not {sum}");
    }

    #[test]
    fn the_value_peaks_at_the_peak_and_keeps_its_bounds() {
        let flow = Flow::constant(10.0).wave(4.0, DAY, 20.0 * 3_600.0);
        assert!((flow.at(20.0 * 3_600.0) - 14.0).abs() < 1e-9);
        let flow = sample();
        assert!((0..5_000).all(|i| {
            let value = flow.at(f64::from(i) * 61.0);
            flow.least() <= value && value <= flow.most()
        }));
    }

    #[test]
    fn nothing_is_counted_backwards() {
        assert_eq!(sample().total(100.0, 100.0), 0.0);
        assert_eq!(sample().total(100.0, 50.0), 0.0);
    }
}
