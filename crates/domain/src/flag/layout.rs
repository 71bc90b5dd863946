//! Where the members of an object and the elements of an array stand in a JSON text that is known to be valid.

use std::ops::Range;

/// One member or element, as ranges of bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// The key with its quotes; empty for an element of an array.
    pub key: Range<usize>,
    pub value: Range<usize>,
}

impl Item {
    /// Where it begins.
    pub fn start(&self) -> usize {
        if self.key.is_empty() { self.value.start } else { self.key.start }
    }

    pub fn end(&self) -> usize {
        self.value.end
    }
}

/// The items of the object or array that the text is, without those inside them. The text must be valid JSON; what is
/// neither object nor array has none.
pub fn items(text: &str) -> Vec<Item> {
    let mut at = Cursor { text: text.as_bytes(), at: 0 };
    at.space();
    let object = match at.peek() {
        Some(b'{') => true,
        Some(b'[') => false,
        _ => return Vec::new(),
    };
    at.at += 1;
    let mut found = Vec::new();
    loop {
        at.space();
        match at.peek() {
            Some(b',') => at.at += 1,
            Some(b'}' | b']') | None => return found,
            Some(_) => {
                let key = if object { at.string() } else { at.at..at.at };
                if object {
                    at.space();
                    at.at += 1; // the colon
                    at.space();
                }
                found.push(Item { key, value: at.value() });
            }
        }
    }
}

struct Cursor<'a> {
    text: &'a [u8],
    at: usize,
}

impl Cursor<'_> {
    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    /// From an opening quote to past the closing one.
    fn string(&mut self) -> Range<usize> {
        let start = self.at;
        self.at += 1;
        while let Some(byte) = self.peek() {
            self.at += match byte {
                b'\\' => 2,
                _ => 1,
            };
            if byte == b'"' {
                break;
            }
        }
        start..self.at.min(self.text.len())
    }

    /// A whole value: nested ones are passed by counting brackets, not by recursion, so that no depth overflows.
    fn value(&mut self) -> Range<usize> {
        let start = self.at;
        let mut depth = 0usize;
        loop {
            match self.peek() {
                None => break,
                Some(b'"') => {
                    self.string();
                }
                Some(b'{' | b'[') => {
                    depth += 1;
                    self.at += 1;
                }
                Some(b'}' | b']') => {
                    self.at += 1;
                    depth = depth.saturating_sub(1);
                }
                Some(b',' | b':' | b' ' | b'\t' | b'\n' | b'\r') => self.at += 1,
                Some(_) => self.scalar(),
            }
            if depth == 0 {
                break;
            }
        }
        start..self.at.min(self.text.len())
    }

    /// A number, `true`, `false` or `null`.
    fn scalar(&mut self) {
        while let Some(byte) = self.peek()
            && !matches!(byte, b',' | b':' | b'}' | b']' | b' ' | b'\t' | b'\n' | b'\r')
        {
            self.at += 1;
        }
    }
}

/// The text with one more item at the end, in the manner in which the others stand. `key` is the quoted key, or empty
/// for an array.
pub fn append(text: &str, key: &str, value: &str) -> String {
    let all = items(text);
    let mut out = String::with_capacity(text.len() + key.len() + value.len() + 8);
    let Some(last) = all.last() else {
        let open = text.find(['{', '[']).map_or(0, |open| open + 1);
        out.push_str(&text[..open]);
        out.push_str(key);
        if !key.is_empty() {
            out.push(':');
        }
        out.push_str(value);
        out.push_str(&text[open..]);
        return out;
    };
    let before = text[..last.start()].trim_end_matches([' ', '\t', '\n', '\r']);
    out.push_str(&text[..last.end()]);
    out.push(',');
    // An element after the first of `[a]` stands right after its comma, as the first does after its bracket.
    out.push_str(&text[before.len()..last.start()]);
    out.push_str(key);
    if !key.is_empty() {
        out.push_str(&text[last.key.end..last.value.start]);
    }
    out.push_str(value);
    out.push_str(&text[last.end()..]);
    out
}

/// The text without the items at these places (ascending), each with its comma.
pub fn without(text: &str, places: &[usize]) -> String {
    let all = items(text);
    let mut out = text.to_owned();
    // From the back, so that what stands before keeps its place.
    for &place in places.iter().rev() {
        let Some(item) = all.get(place) else { continue };
        let before = (0..place).rev().find(|at| !places.contains(at));
        let after = all.get(place + 1);
        let range = match (before, after) {
            // The comma before it goes with it.
            (Some(_), _) => all[place - 1].end()..item.end(),
            (None, Some(next)) => item.start()..next.start(),
            (None, None) => item.start()..item.end(),
        };
        out.replace_range(range, "");
    }
    out
}
