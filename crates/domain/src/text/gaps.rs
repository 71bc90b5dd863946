//! Where a series says nothing: gaps in samples that else come at even steps. A line that is drawn over one tells of values
//! that nobody measured.

use chrono::{DateTime, TimeDelta, Utc};

/// Samples further apart than so many usual steps have a gap between them, in tenths.
const TENTHS: i32 = 15;

/// The usual step; none where samples come as they please, such as looks of a person.
fn step(points: &[(DateTime<Utc>, f64)]) -> Option<TimeDelta> {
    let mut steps: Vec<TimeDelta> = points.windows(2).map(|pair| pair[1].0 - pair[0].0).collect();
    steps.sort();
    let usual = *steps.get(steps.len() / 2)?;
    let even = steps.iter().filter(|step| (**step - usual).abs() * 10 <= usual).count();
    (usual > TimeDelta::zero() && even * 10 >= steps.len() * 6).then_some(usual)
}

fn is_gap(length: TimeDelta, step: TimeDelta) -> bool {
    length * 10 > step * TENTHS
}

/// The parts without a gap.
pub fn runs(points: &[(DateTime<Utc>, f64)]) -> Vec<&[(DateTime<Utc>, f64)]> {
    let Some(step) = step(points) else {
        return vec![points];
    };
    points.chunk_by(|a, b| !is_gap(b.0 - a.0, step)).collect()
}

/// The times between `from` and `to` of which the series says nothing, from the sample before to the sample after.
pub fn gaps(
    points: &[(DateTime<Utc>, f64)],
    from: DateTime<Utc>,
    to: DateTime<Utc>,
) -> Vec<(DateTime<Utc>, DateTime<Utc>)> {
    let Some(step) = step(points) else {
        return Vec::new();
    };
    let inside = points.iter().map(|(at, _)| *at).filter(|at| *at >= from - step && *at <= to + step);
    let mut times: Vec<DateTime<Utc>> = inside.collect();
    // Without a sample beside it, the edge itself ends the gap.
    times.insert(0, times.first().map_or(from, |first| from.min(*first)));
    times.push(times.last().map_or(to, |last| to.max(*last)));
    times.windows(2).map(|pair| (pair[0], pair[1])).filter(|(a, b)| is_gap(*b - *a, step)).collect()
}

/// The values at even steps, with nothing in the gaps.
pub fn grid(points: &[(DateTime<Utc>, f64)], from: DateTime<Utc>, to: DateTime<Utc>) -> Vec<Option<f64>> {
    let (Some(step), Some((first, _)), Some((last, _))) = (step(points), points.first(), points.last()) else {
        return points.iter().map(|(_, value)| Some(*value)).collect();
    };
    let start = from.min(*first);
    let place = |at: DateTime<Utc>| {
        let (length, step) = ((at - start).num_milliseconds(), step.num_milliseconds());
        usize::try_from((length + step / 2) / step).unwrap_or(0)
    };
    let mut grid = vec![None; place(to.max(*last)) + 1];
    for (at, value) in points {
        grid[place(*at)] = Some(*value);
    }
    grid
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(second, 0).expect("in range")
    }

    #[test]
    fn a_gap_is_between_the_samples_beside_it_and_at_the_edges() {
        let points: Vec<_> = [0, 60, 120, 300, 360, 420].map(|second| (at(second), 1.0)).to_vec();
        assert_eq!(gaps(&points, at(0), at(420)), [(at(120), at(300))]);
        assert_eq!(gaps(&points, at(200), at(250)), [(at(200), at(300))], "all of the time is in a gap");
        assert_eq!(gaps(&points, at(0), at(600)), [(at(120), at(300)), (at(420), at(600))]);
        assert_eq!(runs(&points).iter().map(|run| run.len()).collect::<Vec<_>>(), [3, 3]);
        let drawn: String = grid(&points, at(0), at(420)).iter().map(|v| if v.is_some() { '#' } else { ' ' }).collect();
        assert_eq!(drawn, "###  ###");
    }

    #[test]
    fn looks_at_odd_times_have_no_gaps() {
        let points: Vec<_> = [0, 7, 90, 400, 410, 900].map(|second| (at(second), 1.0)).to_vec();
        assert_eq!(gaps(&points, at(0), at(900)), []);
        assert_eq!(runs(&points).len(), 1);
        assert_eq!(grid(&points, at(0), at(900)).len(), 6);
        assert_eq!(runs(&[]).len(), 1);
    }
}
