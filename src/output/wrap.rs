//! Text of our own, wrapped at words: a terminal breaks wherever its edge is.

use unicode_width::UnicodeWidthStr;

use crate::output::block::{Span, plain};

/// The spans as lines of at most `width` cells, each further one as far in as the first. What stands between backticks is
/// to be pasted, and stays whole.
pub(crate) fn wrapped(spans: &[Span], width: usize) -> Vec<Vec<Span>> {
    let total: usize = spans.iter().map(|span| span.text.width()).sum();
    if total <= width || width < 20 {
        return vec![spans.to_vec()];
    }
    let first = spans.first().map_or("", |span| span.text.as_str());
    let indent = (first.len() - first.trim_start_matches(' ').len()).min(width / 2);
    let (mut lines, mut line, mut used): (Vec<Vec<Span>>, Vec<Span>, usize) = (Vec::new(), Vec::new(), 0);
    let mut is_quoted = false;
    for span in spans {
        for word in words(&span.text, &mut is_quoted) {
            if used + word.trim_end().width() > width && used > indent {
                if let Some(last) = line.last_mut() {
                    // A blank beyond the edge would be a row of its own.
                    last.text.truncate(last.text.trim_end_matches(' ').len());
                }
                lines.push(std::mem::take(&mut line));
                line.push(plain(" ".repeat(indent)));
                used = indent;
            }
            used += word.width();
            match line.last_mut() {
                Some(last) if last.tone == span.tone => last.text.push_str(&word),
                _ => line.push(Span { text: word, tone: span.tone }),
            }
        }
    }
    lines.push(line);
    lines
}

/// Words, each with the blanks behind it.
fn words(text: &str, is_quoted: &mut bool) -> Vec<String> {
    // A command at the end of a sentence is to be pasted, too.
    if let Some(at) = text.rfind(": liveops ").filter(|_| !text.contains('`')) {
        let (before, command) = text.split_at(at + 2);
        let mut all = words(before, is_quoted);
        all.push(command.to_owned());
        return all;
    }
    let (mut words, mut word) = (Vec::new(), String::new());
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        word.push(letter);
        *is_quoted ^= letter == '`';
        let ends = letter == ' ' && !*is_quoted && letters.peek().is_some_and(|next| *next != ' ');
        if ends && !word.trim().is_empty() {
            words.push(std::mem::take(&mut word));
        }
    }
    words.push(word);
    words
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::block::Tone;

    fn lines(text: &str, width: usize) -> Vec<String> {
        let spans = [Span { text: text.to_owned(), tone: Tone::Plain }];
        let line = |line: Vec<Span>| line.into_iter().map(|span| span.text).collect::<String>();
        wrapped(&spans, width).into_iter().map(line).collect()
    }

    #[test]
    fn words_stay_whole_and_so_does_what_is_to_be_pasted() {
        assert_eq!(lines("  one two three four five", 20), ["  one two three four", "  five"]);
        assert_eq!(lines("do `liveops status --watch` now", 20), ["do", "`liveops status --watch`", "now"]);
        assert_eq!(lines("0123456789012345678901234", 20), ["0123456789012345678901234"]);
        assert_eq!(lines("go on with: liveops triage --resume", 20), ["go on with:", "liveops triage --resume"]);
        assert_eq!(lines("short", 20), ["short"]);
    }
}
