//! The steps of a rollout, and how much traffic each needs for its evidence.

use std::time::Duration;

use crate::rollout::exposure::Percent;

/// More steps than this are a slip of the fingers.
const MOST: usize = 100;

/// From `initial` in steps of `increment` up to everything: 5, 15, 25 … 95, 100.
pub fn regular(initial: Percent, increment: Percent) -> Result<Vec<Percent>, String> {
    if initial.is_zero() || increment.is_zero() {
        return Err("`initial` and `increment` must be above 0%".into());
    }
    let mut steps = Vec::new();
    let mut at = initial.get();
    while at < 100.0 - 1e-9 {
        steps.extend(Percent::new(at));
        at += increment.get();
        if steps.len() > MOST {
            return Err(format!("more than {MOST} steps; use a larger `increment`"));
        }
    }
    steps.push(Percent::FULL);
    Ok(steps)
}

/// Reads `--steps 1,5,25,100`. Everything is always the last step.
pub fn given(text: &str) -> Result<Vec<Percent>, String> {
    let mut steps = text.split(',').map(Percent::parse).collect::<Result<Vec<_>, _>>()?;
    if let Some(pair) = steps.windows(2).find(|pair| !pair[1].exceeds(pair[0])) {
        return Err(format!("the steps must rise, and {} comes after {}", pair[1], pair[0]));
    }
    if steps.first().is_none_or(|first| first.is_zero()) {
        return Err("the first step must be above 0%".into());
    }
    if steps.len() > MOST {
        return Err(format!("more than {MOST} steps"));
    }
    if !steps.last().is_some_and(|last| last.is_about(Percent::FULL)) {
        steps.push(Percent::FULL);
    }
    Ok(steps)
}

/// Leaves out the steps that come to no more than the one before them, where the world knows only whole instances; the
/// last one stays. Gives the rest, and what was left out.
pub fn distinct(steps: &[Percent], real: impl Fn(Percent) -> Percent) -> (Vec<Percent>, Vec<Percent>) {
    let (mut kept, mut merged) = (Vec::new(), Vec::new());
    let mut at = Percent::ZERO;
    for (index, step) in steps.iter().enumerate() {
        let share = real(*step);
        if share.exceeds(at) || index + 1 == steps.len() {
            kept.push(*step);
            at = share;
        } else {
            merged.push(*step);
        }
    }
    (kept, merged)
}

/// Reads `--steps 1,5,25` of a flag: whole percentages from 1 to 100 that rise; the last is where it ends.
pub fn whole_percents(text: &str) -> Result<Vec<Percent>, String> {
    let steps: Vec<Percent> = text
        .split(',')
        .map(|part| {
            let digits = part.trim().trim_end_matches('%').trim_end();
            let number = digits.parse::<u8>().ok().filter(|n| (1..=100).contains(n));
            number
                .and_then(|number| Percent::new(f64::from(number)))
                .ok_or_else(|| format!("`{}` is no whole percentage from 1 to 100", part.trim()))
        })
        .collect::<Result<_, _>>()?;
    match steps.windows(2).find(|pair| !pair[1].exceeds(pair[0])) {
        Some(pair) => Err(format!("the steps must rise, and {} comes after {}", pair[1], pair[0])),
        None => Ok(steps),
    }
}

/// Requests a second, in all, for `samples` of the canary within `interval` at this share.
pub fn traffic_needed(samples: u64, share: Percent, interval: Duration) -> f64 {
    let canary = samples as f64 / interval.as_secs_f64().max(1e-3);
    canary * 100.0 / share.get().max(1e-6)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(steps: &[Percent]) -> String {
        let shown: Vec<String> = steps.iter().map(ToString::to_string).collect();
        shown.join(",")
    }

    #[test]
    fn the_usual_schedule() {
        let percent = |value| Percent::new(value).expect("a share");
        let steps = regular(percent(5.0), percent(10.0)).expect("sound");
        assert_eq!(shown(&steps), "5%,15%,25%,35%,45%,55%,65%,75%,85%,95%,100%");
        let steps = regular(percent(50.0), percent(50.0)).expect("sound");
        assert_eq!(shown(&steps), "50%,100%");
        assert!(regular(percent(0.0), percent(10.0)).is_err());
        assert!(regular(percent(0.1), percent(0.1)).is_err());
    }

    #[test]
    fn given_steps_rise_to_everything() {
        assert_eq!(given("1, 5%,25").map(|s| shown(&s)), Ok("1%,5%,25%,100%".into()));
        for text in ["5,5", "20,10", "0,50", "", "5,x", "200"] {
            assert!(given(text).is_err(), "{text}");
        }
    }

    #[test]
    fn steps_that_whole_pods_cannot_tell_apart_are_one() {
        // Four pods, and no more than four beside them: 20 %, 33 %, 43 %, 50 %, then everything by the selector.
        let real = |step: Percent| match step.get() {
            share if share >= 100.0 => Percent::FULL,
            share => {
                let pods = (4.0 * share / (100.0 - share)).round().clamp(1.0, 4.0) as u32;
                Percent::of(pods, pods + 4)
            }
        };
        let steps = given("5,15,25,35,45,55,65,75,100").expect("sound");
        let (kept, merged) = distinct(&steps, real);
        assert_eq!(shown(&kept), "5%,35%,45%,55%,100%");
        assert_eq!(shown(&merged), "15%,25%,65%,75%");
        assert_eq!(distinct(&steps, |step| step), (steps, Vec::new()));
    }

    #[test]
    fn a_flag_rises_by_whole_percentages_to_its_last_step() {
        assert_eq!(whole_percents("1, 5%,25").map(|s| shown(&s)), Ok("1%,5%,25%".into()));
        for text in ["", "0,5", "5,5", "20,10", "0.5,1", "5,x", "5,101", "-1,5", "5,,10"] {
            assert!(whole_percents(text).is_err(), "{text}");
        }
    }

    #[test]
    fn evidence_needs_traffic() {
        // 300 samples at 5 % in 5 minutes: 1 a second on the canary, 20 in all.
        let five = Percent::new(5.0).expect("a share");
        let needed = traffic_needed(300, five, Duration::from_secs(300));
        assert!((needed - 20.0).abs() < 1e-9);
    }
}
