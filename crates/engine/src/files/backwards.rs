//! The lines of a file from its end, a block at a time: whoever wants the newest holds no more than these.

use std::fs::File;
use std::io::{Read, Result, Seek, SeekFrom};
use std::mem::take;

/// So much is read at once; more where a line is longer.
const BLOCK: usize = 64 << 10;

/// Lines without their ends, the last first. What stands behind the last line end comes first of all, if only as nothing.
#[derive(Debug)]
pub struct Backwards {
    file: File,
    /// Where the bytes begin that are held.
    begin: u64,
    held: Vec<u8>,
    is_over: bool,
}

impl Backwards {
    /// Begins at the end that the file has now.
    pub fn of(file: File) -> Result<Self> {
        let begin = file.metadata()?.len();
        Ok(Self { file, begin, held: Vec::new(), is_over: false })
    }

    fn read_more(&mut self) -> Result<()> {
        let wanted = BLOCK.max(self.held.len()) as u64;
        let size = wanted.min(self.begin);
        let mut block = Vec::with_capacity(usize::try_from(size).unwrap_or_default() + self.held.len());
        self.file.seek(SeekFrom::Start(self.begin - size))?;
        self.file.by_ref().take(size).read_to_end(&mut block)?;
        block.append(&mut self.held);
        self.begin -= size;
        self.held = block;
        Ok(())
    }
}

impl Iterator for Backwards {
    type Item = Result<Vec<u8>>;

    fn next(&mut self) -> Option<Self::Item> {
        while !self.is_over {
            if let Some(at) = memchr::memrchr(b'\n', &self.held) {
                let line = self.held.split_off(at + 1);
                self.held.pop();
                return Some(Ok(line));
            }
            if self.begin == 0 {
                self.is_over = true;
                return Some(Ok(take(&mut self.held)));
            }
            if let Err(error) = self.read_more() {
                self.is_over = true;
                return Some(Err(error));
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &[u8]) -> Vec<Vec<u8>> {
        let mut file = tempfile::tempfile().expect("temp file");
        std::io::Write::write_all(&mut file, text).expect("write");
        Backwards::of(file).expect("opens").collect::<Result<_>>().expect("reads")
    }

    #[test]
    fn every_line_comes_once_and_the_last_first() {
        let long = "x".repeat(BLOCK * 3 + 1);
        for texts in [vec![""], vec!["a", ""], vec!["a", "b"], vec!["", "", "c", ""], vec![&long, "b", &long, ""]] {
            let mut got = lines(texts.join("\n").as_bytes());
            got.reverse();
            assert!(got.iter().map(Vec::as_slice).eq(texts.iter().map(|text| text.as_bytes())), "{}", texts.len());
        }
    }
}
