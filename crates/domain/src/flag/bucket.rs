//! Which users a percentage takes: the buckets of both readers.

/// Who has no id is this user.
pub const ANONYMOUS: &str = "anonymous";

/// How many buckets reader `v2` has: a thousandth of a percent each.
pub const V2_BUCKETS: u32 = 100_000;

/// The services' string hash: `h * 31 + unit` in wrapping 32 bits over UTF-16 code units. An ASCII byte is its unit.
pub fn hash(id: &str) -> i32 {
    if id.is_ascii() { hash_ascii(id.as_bytes()) } else { id.encode_utf16().fold(0, step) }
}

/// The same of bytes that are known to be ASCII: eight bytes at a time, as 31^7·b0 + … + 31·b6 + b7.
#[inline]
pub fn hash_ascii(id: &[u8]) -> i32 {
    // 31^8 in wrapping 32 bits.
    const STRIDE: u32 = 31u32.wrapping_pow(8);
    let odd = id.len() % 8;
    // Leading zeros leave the hash at 0, so the bytes before the first full eight are one, too.
    let head = match id.first_chunk::<8>() {
        Some(first) if odd > 0 => eight(u64::from_le_bytes(*first) << (64 - 8 * odd)),
        Some(_) => 0,
        None => id.iter().fold(0, |hash: u32, byte| hash.wrapping_mul(31).wrapping_add(u32::from(*byte))),
    };
    let (_, full) = id.split_at(odd);
    let (full, _) = full.as_chunks::<8>();
    full.iter()
        .fold(head, |hash, bytes| hash.wrapping_mul(STRIDE).wrapping_add(eight(u64::from_le_bytes(*bytes))))
        .cast_signed()
}

/// The hash of eight bytes, the first in the lowest place. Pairs, fours and the whole are summed in lanes of one word;
/// no lane overflows: 255·32 < 2^16, 8160·962 < 2^32.
#[inline]
fn eight(bytes: u64) -> u32 {
    const EVEN: u64 = 0x00ff_00ff_00ff_00ff;
    const LOW: u64 = 0x0000_ffff_0000_ffff;
    let pairs = (bytes & EVEN) * 31 + ((bytes >> 8) & EVEN);
    let fours = (pairs & LOW) * (31 * 31) + ((pairs >> 16) & LOW);
    (fours as u32).wrapping_mul(31 * 31 * 31 * 31).wrapping_add((fours >> 32) as u32)
}

fn step(hash: i32, unit: u16) -> i32 {
    hash.wrapping_mul(31).wrapping_add(i32::from(unit))
}

/// The bucket of a hash: |h| mod 100, with |−2147483648| = 2147483648 as in JavaScript.
#[inline]
pub fn of_hash(hash: i32) -> u32 {
    hash.unsigned_abs() % 100
}

/// The bucket of `legacy-v1`, 0 to 99, the same for every flag.
pub fn legacy(id: &str) -> u32 {
    of_hash(hash(or_anonymous(id)))
}

/// The bucket of `v2`, 0 to 99 999: `murmur3_32(utf8(salt + ":" + id))`, spread over the buckets by multiplication
/// (flagd's integer formula), so that no bucket is larger than another by more than one hash value.
pub fn v2(salt: &str, id: &str) -> u32 {
    V2Hash::new(salt).bucket(id)
}

/// `v2` for many users of one flag: the salt is hashed once.
#[derive(Debug, Clone)]
pub struct V2Hash {
    /// State after the whole blocks of `salt:`.
    state: u32,
    /// The bytes of `salt:` that fill no block.
    rest: Vec<u8>,
    length: usize,
}

impl V2Hash {
    pub fn new(salt: &str) -> Self {
        let prefix = format!("{salt}:").into_bytes();
        let whole = prefix.len() / 4 * 4;
        let state = prefix[..whole].chunks_exact(4).fold(0, |state, block| mix(state, word(block)));
        Self { state, rest: prefix[whole..].to_vec(), length: prefix.len() }
    }

    /// The bucket of this user.
    pub fn bucket(&self, id: &str) -> u32 {
        let id = or_anonymous(id).as_bytes();
        let mut state = self.state;
        let mut block = [0u8; 4];
        let filled = self.rest.len();
        block[..filled].copy_from_slice(&self.rest);
        let take = (4 - filled).min(id.len());
        block[filled..filled + take].copy_from_slice(&id[..take]);
        // A missing tail is a block of zeros, which changes nothing.
        let mut last = [0u8; 4];
        if filled + take < 4 {
            last = block;
        } else {
            state = mix(state, word(&block));
            let blocks = id[take..].chunks_exact(4);
            let tail = blocks.remainder();
            last[..tail.len()].copy_from_slice(tail);
            state = blocks.fold(state, |state, block| mix(state, word(block)));
        }
        state ^= scramble(u32::from_le_bytes(last));
        let length = u32::try_from((self.length + id.len()) & 0xffff_ffff).unwrap_or(0);
        spread(finish(state ^ length))
    }
}

fn word(block: &[u8]) -> u32 {
    match block {
        [a, b, c, d] => u32::from_le_bytes([*a, *b, *c, *d]),
        _ => 0,
    }
}

fn scramble(word: u32) -> u32 {
    word.wrapping_mul(0xcc9e_2d51).rotate_left(15).wrapping_mul(0x1b87_3593)
}

fn mix(state: u32, word: u32) -> u32 {
    (state ^ scramble(word)).rotate_left(13).wrapping_mul(5).wrapping_add(0xe654_6b64)
}

fn finish(mut hash: u32) -> u32 {
    hash = (hash ^ (hash >> 16)).wrapping_mul(0x85eb_ca6b);
    hash = (hash ^ (hash >> 13)).wrapping_mul(0xc2b2_ae35);
    hash ^ (hash >> 16)
}

fn spread(hash: u32) -> u32 {
    // The product is below 2^32 * 10^5, its upper half below 10^5.
    ((u64::from(hash) * u64::from(V2_BUCKETS)) >> 32) as u32
}

fn or_anonymous(id: &str) -> &str {
    if id.is_empty() { ANONYMOUS } else { id }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn golden_buckets_of_the_services() {
        for (id, bucket) in [
            ("", 75),
            ("a", 97),
            ("anonymous", 75),
            ("user_1", 75),
            ("user_123", 22),
            ("admin_user_1", 43),
            ("player-42", 74),
            ("é", 33),
            ("日本", 47),
            ("🚀", 27),
            ("𐐷x", 62),
            ("polygenelubricants", 48),
        ] {
            assert_eq!(legacy(id), bucket, "{id}");
        }
        assert_eq!(hash("polygenelubricants"), i32::MIN);
    }

    #[test]
    fn eight_at_a_time_is_one_at_a_time() {
        let bytes: Vec<u8> = (0..64).map(|n: u8| n.wrapping_mul(37) & 0x7f).collect();
        for length in 0..bytes.len() {
            let slow = bytes[..length].iter().fold(0, |hash, byte| step(hash, u16::from(*byte)));
            assert_eq!(hash_ascii(&bytes[..length]), slow, "{length}");
        }
        assert_eq!(hash_ascii(&[0x7f; 8]), [0x7f; 8].iter().fold(0, |hash, byte: &u8| step(hash, u16::from(*byte))));
    }

    #[test]
    fn murmur3_is_the_published_one() {
        // SMHasher's values for seed 0, read through the prefix that the salt makes.
        let full = |text: &str| -> u32 {
            let bytes = text.as_bytes();
            let blocks = bytes.chunks_exact(4);
            let tail = blocks.remainder().to_vec();
            let mut state = blocks.fold(0, |state, block| mix(state, word(block)));
            let mut last = [0u8; 4];
            last[..tail.len()].copy_from_slice(&tail);
            state ^= scramble(u32::from_le_bytes(last));
            finish(state ^ u32::try_from(bytes.len()).unwrap())
        };
        assert_eq!(full("test"), 0xba6b_d213);
        assert_eq!(full("Hello, world!"), 0xc036_3e43);
        assert_eq!(full("The quick brown fox jumps over the lazy dog"), 0x2e4f_f723);
        assert_eq!(full("日本"), 3_302_619_458);
        for salt in ["", "a", "ab", "abc", "new_matchmaking"] {
            for id in ["x", "xy", "xyz", "user_1", "日本", "anonymous"] {
                assert_eq!(v2(salt, id), spread(full(&format!("{salt}:{id}"))), "{salt}:{id}");
            }
        }
        assert_eq!(v2("f", ""), v2("f", "anonymous"));
    }
}
