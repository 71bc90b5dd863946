//! What a terminal shows after it was sent this: text at places, cleared screens. Colours and the rest are passed over.

/// The lines of a terminal of this size.
pub(crate) fn screen(transcript: &str, columns: usize, rows: usize) -> Vec<String> {
    let mut cells = vec![vec![' '; columns]; rows];
    let (mut x, mut y) = (0, 0);
    let mut rest = transcript.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '\x1b' if rest.peek() == Some(&'[') => {
                rest.next();
                let mut codes = String::new();
                let end = rest.by_ref().find(|c| {
                    codes.push(*c);
                    c.is_ascii_alphabetic()
                });
                let numbers: Vec<usize> =
                    codes.split(|c: char| !c.is_ascii_digit()).filter_map(|n| n.parse().ok()).collect();
                match end {
                    Some('H') => {
                        let at = |n: usize| numbers.get(n).copied().unwrap_or(1).max(1) - 1;
                        (y, x) = (at(0), at(1));
                    }
                    Some('J') if numbers.first() == Some(&2) => cells = vec![vec![' '; columns]; rows],
                    _ => {}
                }
            }
            '\x1b' => {
                // An operating system command ends with a bell, or with ESC and a backslash.
                if rest.by_ref().find(|c| matches!(c, '\x07' | '\x1b')) == Some('\x1b') {
                    rest.next();
                }
            }
            '\r' => x = 0,
            '\n' => y += 1,
            c if c.is_control() => {}
            c => {
                if let Some(cell) = cells.get_mut(y).and_then(|row| row.get_mut(x)) {
                    *cell = c;
                }
                x += 1;
            }
        }
    }
    cells.iter().map(|row| row.iter().collect::<String>().trim_end().to_owned()).collect()
}
