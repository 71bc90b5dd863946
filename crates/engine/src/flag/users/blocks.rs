//! A stream cut into blocks of whole lines: large reads, and memory that does not grow with the input.

use std::io::{ErrorKind, Read};

/// How much is read at once: small enough for a core's own cache, so that what was read is still there when it is looked
/// at.
const BLOCK: usize = 256 * 1024;

/// The longest line. One that is longer is no user: it is another kind of file.
const LONGEST: usize = 1024 * 1024;

/// Whole lines. The vector may be longer than what is filled, so that it is not cleared for each read.
#[derive(Debug, Default)]
pub struct Block {
    bytes: Vec<u8>,
    filled: usize,
}

impl Block {
    pub fn lines(&self) -> &[u8] {
        self.bytes.get(..self.filled).unwrap_or_default()
    }
}

/// Why there are no more blocks.
#[derive(Debug, thiserror::Error)]
pub enum Stop {
    /// A line has more than [`LONGEST`] bytes; it is the first that was not handed out.
    #[error("has more than {} MiB; no user is so long", LONGEST >> 20)]
    Long,
    #[error("cannot be read: {0}")]
    Io(std::io::Error),
}

/// Cuts a stream.
pub struct Blocks<R> {
    from: R,
    /// What follows the last whole line.
    rest: Vec<u8>,
    begun: bool,
}

impl<R: Read> Blocks<R> {
    pub fn new(from: R) -> Self {
        Self { from, rest: Vec::new(), begun: false }
    }

    /// The next lines, in a block that is used again. The last line may lack its end. None at the end of the stream.
    pub fn next(&mut self, mut block: Block) -> Result<Option<Block>, Stop> {
        let buffer = &mut block.bytes;
        if buffer.len() < BLOCK {
            buffer.resize(BLOCK, 0);
        }
        let mut filled = self.rest.len();
        // The rest is shorter than the longest line, yet may be longer than a block.
        if buffer.len() < filled + BLOCK / 2 {
            buffer.resize(filled + BLOCK, 0);
        }
        buffer[..filled].copy_from_slice(&self.rest);
        self.rest.clear();
        loop {
            let read = match self.from.read(&mut buffer[filled..]) {
                Ok(read) => read,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Err(Stop::Io(error)),
            };
            if read == 0 {
                break;
            }
            let fresh = filled;
            filled += read;
            if let Some(end) = memchr::memrchr(b'\n', &buffer[fresh..filled]) {
                let end = fresh + end + 1;
                self.rest.extend_from_slice(&buffer[end..filled]);
                return Ok(Some(self.cut(block, end)));
            }
            if filled > LONGEST {
                return Err(Stop::Long);
            }
            if filled == buffer.len() {
                buffer.resize(filled + BLOCK, 0);
            }
        }
        Ok((filled > 0).then(|| self.cut(block, filled)))
    }

    /// A byte order mark is no part of the first id.
    fn cut(&mut self, mut block: Block, filled: usize) -> Block {
        block.filled = filled;
        if !self.begun && block.lines().starts_with(b"\xef\xbb\xbf") {
            block.bytes.copy_within(3..filled, 0);
            block.filled -= 3;
        }
        self.begun = true;
        block
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Gives as many bytes at a time as it was told.
    struct Drip(Vec<u8>, usize);

    impl Read for Drip {
        fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
            let count = self.1.min(buffer.len()).min(self.0.len());
            buffer[..count].copy_from_slice(&self.0[..count]);
            self.0.drain(..count);
            Ok(count)
        }
    }

    fn all(bytes: &[u8], step: usize) -> Vec<Vec<u8>> {
        let mut blocks = Blocks::new(Drip(bytes.to_vec(), step));
        let mut found = Vec::new();
        let mut spent = Block::default();
        while let Some(block) = blocks.next(spent).ok().flatten() {
            found.push(block.lines().to_vec());
            spent = block;
        }
        found
    }

    #[test]
    fn a_line_may_be_longer_than_a_block_but_not_endless() {
        let long = [vec![b'x'; 700_000], b"\ny\n".to_vec()].concat();
        assert_eq!(all(&long, 100_000).concat(), long);
        let mut endless = Blocks::new(std::io::repeat(b'x'));
        assert!(matches!(endless.next(Block::default()), Err(Stop::Long)));
    }

    #[test]
    fn the_byte_order_mark_goes() {
        assert_eq!(all(b"\xef\xbb\xbfa\nb", 2).concat(), b"a\nb");
    }

    proptest! {
        #[test]
        fn nothing_is_lost_and_lines_stay_whole(
            lines in prop::collection::vec(("[a-z]{0,30}", 1usize..4000), 0..60), step in 1usize..400_000, ended in any::<bool>(),
        ) {
            let mut text = lines.iter().map(|(line, times)| line.repeat(*times)).collect::<Vec<_>>().join("\n");
            if ended { text.push('\n'); }
            let found = all(text.as_bytes(), step.max(text.len() / 1000 + 1));
            prop_assert_eq!(found.concat(), text.as_bytes());
            for block in found.iter().rev().skip(1) {
                prop_assert_eq!(block.last(), Some(&b'\n'));
            }
        }
    }
}
