//! Sizes against those before: the median and the median of the deviations from it, which no single outlier moves.

use crate::check::backups::Backup;

/// Backups of one kind that make a trend.
const LEAST: usize = 5;

/// How a newest size stands to those before.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Size {
    Usual,
    /// Too few to say.
    Few,
    /// Less than half of the median.
    Collapsed {
        median: u64,
    },
    /// Beyond what sizes usually vary.
    Odd {
        median: u64,
    },
}

fn median(sizes: &[u64]) -> u64 {
    let mut sorted = sizes.to_vec();
    sorted.sort_unstable();
    sorted.get(sorted.len() / 2).copied().unwrap_or_default()
}

/// The newest of these (newest first) against up to seven before it.
pub(super) fn size(newest_first: &[&Backup]) -> Size {
    let sizes: Vec<u64> = newest_first.iter().filter_map(|backup| backup.bytes).collect();
    let Some((&newest, before)) = sizes.split_first() else { return Size::Few };
    let before = &before[..before.len().min(7)];
    if before.is_empty() {
        return Size::Few;
    }
    let middle = median(before);
    if newest < middle / 2 {
        return Size::Collapsed { median: middle };
    }
    if sizes.len() < LEAST {
        return Size::Few;
    }
    let deviations: Vec<u64> = before.iter().map(|size| size.abs_diff(middle)).collect();
    let allowed = (3 * median(&deviations)).max(middle / 10 * 3);
    if newest.abs_diff(middle) > allowed { Size::Odd { median: middle } } else { Size::Usual }
}

/// How many of the newest have exactly one size, from five on.
pub(super) fn same(newest_first: &[&Backup]) -> Option<(usize, u64)> {
    let sizes: Vec<u64> = newest_first.iter().filter_map(|backup| backup.bytes).collect();
    let first = *sizes.first()?;
    let run = sizes.iter().take_while(|size| **size == first).count();
    (run >= LEAST).then_some((run, first))
}
