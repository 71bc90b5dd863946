//! The order of events in all copies of a journal: a hybrid clock, which begins the id of each event.
//!
//! The clock is the wall clock of the writer, in milliseconds, or one more than the latest that its copy has, where that
//! is later (Kulkarni et al., "Logical Physical Clocks", 2014). So what was written after something follows it
//! everywhere, however wrong a wall clock is, and wall clocks order only what was written in two copies at once.

/// Hexadecimal digits of the clock: until the year 2527. Ids of older journals begin with eight digits and have none.
const DIGITS: usize = 11;

/// The clock of the next event, after `last`.
pub fn next(now: i64, last: i64) -> i64 {
    now.max(last.saturating_add(1))
}

/// The id of an event: its clock, and what makes it the only one of that clock.
pub fn id(clock: i64, random: u32) -> String {
    format!("{clock:0DIGITS$x}-{random:08x}")
}

/// The clock in an id, where it has one.
pub fn clock_of(id: &str) -> Option<i64> {
    let (clock, _) = id.split_once('-')?;
    if clock.len() == DIGITS { i64::from_str_radix(clock, 16).ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_sort_as_their_clocks_and_old_ones_have_none() {
        let now = 1_790_000_000_000;
        let clocks = [next(now, 0), next(now, now), next(now - 600_000, now + 1), next(now + 5, now)];
        assert_eq!(clocks, [now, now + 1, now + 2, now + 5]);
        let ids: Vec<String> = clocks.iter().map(|clock| id(*clock, 7)).collect();
        assert!(ids.is_sorted());
        assert_eq!(ids.iter().map(|id| clock_of(id)).collect::<Vec<_>>(), clocks.map(Some));
        assert_eq!((clock_of("00000004-abcdef12"), clock_of("0000002a")), (None, None));
    }
}
