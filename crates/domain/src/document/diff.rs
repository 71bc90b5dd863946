//! What a file would become, as a unified diff.

use std::fmt::Write as _;

/// Lines of unchanged text around a change.
const CONTEXT: usize = 2;

/// Beyond so many cells of comparison all of the middle counts as changed.
const MOST: usize = 16_000_000;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    Both,
    Old,
    New,
}

/// The unified diff of two texts; empty where they are the same.
pub fn unified(old: &str, new: &str, path: &str) -> String {
    if old == new {
        return String::new();
    }
    let (a, b): (Vec<&str>, Vec<&str>) = (old.split_inclusive('\n').collect(), new.split_inclusive('\n').collect());
    let lines = edits(&a, &b);
    let mut text = format!("--- {path}\n+++ {path} (refreshed)\n");
    let changed: Vec<usize> = (0..lines.len()).filter(|at| lines[*at].0 != Side::Both).collect();
    let mut at = 0;
    while at < changed.len() {
        let from = changed[at].saturating_sub(CONTEXT);
        while changed.get(at + 1).is_some_and(|next| next - changed[at] <= 2 * CONTEXT + 1) {
            at += 1;
        }
        let to = (changed[at] + CONTEXT + 1).min(lines.len());
        let count = |until: usize, side: Side| lines[..until].iter().filter(|(s, _)| *s != side).count();
        let (old_from, new_from) = (count(from, Side::New), count(from, Side::Old));
        let (old_to, new_to) = (count(to, Side::New), count(to, Side::Old));
        let start = |from: usize, to: usize| if from == to { from } else { from + 1 };
        let _ = writeln!(
            text,
            "@@ -{},{} +{},{} @@",
            start(old_from, old_to),
            old_to - old_from,
            start(new_from, new_to),
            new_to - new_from
        );
        for (side, line) in &lines[from..to] {
            let sign = match side {
                Side::Both => ' ',
                Side::Old => '-',
                Side::New => '+',
            };
            let _ = writeln!(text, "{sign}{}", line.trim_end_matches(['\n', '\r']));
            if !line.ends_with('\n') {
                text.push_str("\\ No newline at end of file\n");
            }
        }
        at += 1;
    }
    text
}

/// Every line of both, in order, by the longest common subsequence.
fn edits<'a>(a: &[&'a str], b: &[&'a str]) -> Vec<(Side, &'a str)> {
    let head = a.iter().zip(b).take_while(|(a, b)| a == b).count();
    let tail = a[head..].iter().rev().zip(b[head..].iter().rev()).take_while(|(a, b)| a == b).count();
    let (x, y) = (&a[head..a.len() - tail], &b[head..b.len() - tail]);
    let mut lines: Vec<(Side, &str)> = a[..head].iter().map(|line| (Side::Both, *line)).collect();
    let (mut i, mut j) = (0, 0);
    if x.len().saturating_mul(y.len()) <= MOST {
        let width = y.len() + 1;
        let mut longest = vec![0_u32; (x.len() + 1) * width];
        for i in (0..x.len()).rev() {
            for j in (0..y.len()).rev() {
                longest[i * width + j] = match x[i] == y[j] {
                    true => longest[(i + 1) * width + j + 1] + 1,
                    false => longest[(i + 1) * width + j].max(longest[i * width + j + 1]),
                };
            }
        }
        while i < x.len() && j < y.len() {
            if x[i] == y[j] {
                lines.push((Side::Both, x[i]));
                (i, j) = (i + 1, j + 1);
            } else if longest[(i + 1) * width + j] >= longest[i * width + j + 1] {
                lines.push((Side::Old, x[i]));
                i += 1;
            } else {
                lines.push((Side::New, y[j]));
                j += 1;
            }
        }
    }
    lines.extend(x[i..].iter().map(|line| (Side::Old, *line)));
    lines.extend(y[j..].iter().map(|line| (Side::New, *line)));
    lines.extend(a[a.len() - tail..].iter().map(|line| (Side::Both, *line)));
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_stands_in_its_context() {
        let old = "a\nb\nc\nd\ne\nf\ng\nh\ni\nj\n";
        let new = "a\nb\nc\nd\nE\nf\ng\nh\ni\nj\nk\n";
        let want = "--- f\n+++ f (refreshed)\n@@ -3,5 +3,5 @@\n c\n d\n-e\n+E\n f\n g\n@@ -9,2 +9,3 @@\n i\n j\n+k\n";
        assert_eq!(unified(old, new, "f"), want);
        assert_eq!(unified(old, old, "f"), "");
        assert!(unified("", "a", "f").contains("@@ -0,0 +1,1 @@\n+a\n\\ No newline"));
    }
}
