//! Several processes behind one URL, such as workers that share a port: each answers with counters of its own, and what
//! looks like growth is the other one's count.

use std::collections::BTreeSet;

use crate::metric::scrape::Snapshot;
use crate::metric::scrape::series::selected;
use crate::metric::selector::Selector;

/// Labels that name who answers, where an exposition has them.
const NAMES: [&str; 6] = ["instance", "pod", "hostname", "host", "pid", "worker"];

/// Do these scrapes, oldest first, come from several processes in turn?
pub fn are_several(looks: &[&Snapshot], selector: &Selector) -> bool {
    let names = |look: &&Snapshot, label: &str| -> BTreeSet<String> {
        selected(look, selector).filter_map(|sample| sample.labels.get(label).cloned()).collect()
    };
    looks.windows(2).any(|pair| pair[1].is_beside(pair[0]))
        || (looks.len() > 2
            && NAMES.iter().any(|label| {
                let all: Vec<BTreeSet<String>> = looks.iter().map(|look| names(look, label)).collect();
                take_turns(all.into_iter().filter(|names| !names.is_empty()))
            }))
}

/// Does somebody come back after quite others?
fn take_turns(looks: impl Iterator<Item = BTreeSet<String>>) -> bool {
    let mut before: Vec<BTreeSet<String>> = Vec::new();
    for names in looks {
        match before.last() {
            Some(last) if !last.is_disjoint(&names) => {}
            _ if before.iter().any(|known| !known.is_disjoint(&names)) => return true,
            _ => before.push(names),
        }
    }
    false
}

/// Does a counter fall and come back, twice in a row: two counts in turn, and no restarts?
pub fn zigzags(samples: &[(f64, f64)]) -> bool {
    samples.windows(4).any(|four| {
        let [a, b, c, d] = [four[0].1, four[1].1, four[2].1, four[3].1];
        b < a && a <= c && d < c && b <= d
    })
}
