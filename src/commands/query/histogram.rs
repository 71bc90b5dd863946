//! A native histogram as rows of buckets with bars.

use crate::commands::query::value::{edges, number};
use crate::output::block::{Block, Table, Tone, plain, span};
use crate::output::view::View;
use liveops_domain::metric::series::NativeHistogram;

/// Rows at most; neighbouring buckets are put together where there are more.
const ROWS: usize = 16;

/// Cells of the longest bar.
const BAR: f64 = 30.0;

/// The buckets, from lowest to highest.
pub(super) fn blocks(histogram: &NativeHistogram, view: &View) -> Vec<Block> {
    if histogram.buckets.is_empty() {
        return vec![Block::text("  no buckets")];
    }
    let together = histogram.buckets.len().div_ceil(ROWS);
    let rows: Vec<(String, f64)> = histogram
        .buckets
        .chunks(together)
        .filter_map(|chunk| {
            let (first, last) = (chunk.first()?, chunk.last()?);
            let (open, close) = (edges(first.boundaries).0, edges(last.boundaries).1);
            let interval = format!("{open}{}, {}{close}", number(first.lower), number(last.upper));
            Some((interval, chunk.iter().map(|bucket| bucket.count).sum()))
        })
        .collect();
    let most = rows.iter().map(|(_, count)| *count).fold(0.0, f64::max);
    let mut table = Table::new(["bucket", "count", ""]).right(&[0, 1]).indent(2);
    for (interval, count) in rows {
        let share = if most > 0.0 { count / most } else { 0.0 };
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "0 to the length of a bar; NaN is 0"
        )]
        let cells = (share * BAR).ceil() as usize;
        let bar = view.pick("█", "#").repeat(cells);
        table.row(vec![plain(interval), plain(number(count)), span(bar, Tone::Series(0))]);
    }
    vec![Block::Table(table)]
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::*;
    use liveops_domain::metric::series::Bucket;

    #[test]
    fn many_buckets_are_put_together() {
        let bucket =
            |place: u32| Bucket { boundaries: 0, lower: f64::from(place), upper: f64::from(place + 1), count: 2.0 };
        let histogram = NativeHistogram { count: 80.0, sum: 1.0, buckets: (0..40).map(bucket).collect() };
        let view = View { width: 80, height: None, unicode: false, terminal: false, now: DateTime::UNIX_EPOCH };
        let [Block::Table(table)] = &blocks(&histogram, &view)[..] else {
            panic!("one table");
        };
        assert_eq!(table.rows.len(), 14);
        let texts: Vec<&str> = table.rows[0].iter().map(|cell| cell.text.as_str()).collect();
        assert_eq!(texts, ["(0, 3]", "6", &"#".repeat(30)]);
    }
}
