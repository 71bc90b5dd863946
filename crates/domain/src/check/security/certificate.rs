//! What a certificate says: just enough of X.509 (RFC 5280) and DER to judge it.

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};

use crate::check::finding::{Finding, Level};
use crate::text::count::count;

/// A certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificate {
    pub subject: String,
    pub not_before: DateTime<Utc>,
    pub not_after: DateTime<Utc>,
    /// Names and addresses of its subject.
    pub names: Vec<String>,
    /// Bits of an RSA key; `None` for another kind.
    pub rsa_bits: Option<usize>,
    pub is_sha1: bool,
    pub self_signed: bool,
}

/// One element: its tag, its content, and what follows.
fn element(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&tag, rest) = bytes.split_first()?;
    let (&first, rest) = rest.split_first()?;
    let (length, rest) = if first < 0x80 {
        (usize::from(first), rest)
    } else {
        let digits = usize::from(first & 0x7f);
        if digits == 0 || digits > 4 || rest.len() < digits {
            return None;
        }
        let length = rest[..digits].iter().fold(0, |length, byte| length << 8 | usize::from(*byte));
        (length, &rest[digits..])
    };
    (rest.len() >= length).then(|| (tag, &rest[..length], &rest[length..]))
}

fn elements(mut bytes: &[u8]) -> Vec<(u8, &[u8])> {
    let mut all = Vec::new();
    while let Some((tag, content, rest)) = element(bytes) {
        all.push((tag, content));
        bytes = rest;
    }
    all
}

/// UTCTime or GeneralizedTime.
fn time(tag: u8, content: &[u8]) -> Option<DateTime<Utc>> {
    let text = std::str::from_utf8(content).ok()?.strip_suffix('Z')?;
    let (year, rest) = match tag {
        0x17 => {
            let year: i32 = text.get(..2)?.parse().ok()?;
            (if year < 50 { 2000 + year } else { 1900 + year }, text.get(2..)?)
        }
        0x18 => (text.get(..4)?.parse().ok()?, text.get(4..)?),
        _ => return None,
    };
    let two = |at: usize| rest.get(at..at + 2)?.parse::<u32>().ok();
    Some(NaiveDate::from_ymd_opt(year, two(0)?, two(2)?)?.and_hms_opt(two(4)?, two(6)?, two(8)?)?.and_utc())
}

const COMMON_NAME: &[u8] = &[0x55, 0x04, 0x03];
const ALTERNATIVE_NAMES: &[u8] = &[0x55, 0x1d, 0x11];
const RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01];
const SHA1_RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x05];
const SHA1_ECDSA: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x01];

fn common_name(name: &[u8]) -> Option<String> {
    elements(name).into_iter().flat_map(|(_, set)| elements(set)).find_map(|(_, pair)| match elements(pair)[..] {
        [(_, COMMON_NAME), (_, text)] => Some(String::from_utf8_lossy(text).into_owned()),
        _ => None,
    })
}

impl Certificate {
    /// Reads DER.
    pub fn read(der: &[u8]) -> Option<Self> {
        let (_, whole, _) = element(der)?;
        let [(_, body), (_, algorithm), ..] = elements(whole)[..] else { return None };
        let mut parts = elements(body);
        if parts.first()?.0 == 0xa0 {
            parts.remove(0);
        }
        // Serial number, algorithm, issuer, validity, subject, key; then optional parts.
        let [_, _, (_, issuer), (_, validity), (_, subject), (_, key), ..] = parts[..] else { return None };
        let [before, after, ..] = elements(validity)[..] else { return None };
        let oid = elements(algorithm).first()?.1;
        let mut names = Vec::new();
        for (_, extensions) in parts.iter().filter(|(tag, _)| *tag == 0xa3) {
            for (_, extension) in elements(elements(extensions).first()?.1) {
                let fields = elements(extension);
                if fields.first().is_some_and(|(_, oid)| *oid == ALTERNATIVE_NAMES) {
                    let sequence = element(fields.last()?.1)?.1;
                    names.extend(elements(sequence).into_iter().filter_map(|(tag, content)| alternative(tag, content)));
                }
            }
        }
        Some(Self {
            subject: common_name(subject).or_else(|| names.first().cloned()).unwrap_or_else(|| "without a name".into()),
            not_before: time(before.0, before.1)?,
            not_after: time(after.0, after.1)?,
            names,
            rsa_bits: rsa_bits(key),
            is_sha1: oid == SHA1_RSA || oid == SHA1_ECDSA,
            self_signed: issuer == subject,
        })
    }

    /// Every certificate of a PEM text.
    pub fn read_pem(text: &str) -> Vec<Self> {
        let blocks = text.split("-----BEGIN CERTIFICATE-----").skip(1);
        let body = |block: &str| block.split("-----END").next().map(|body| body.split_whitespace().collect::<String>());
        blocks.filter_map(body).filter_map(|body| Self::read(&base64(&body)?)).collect()
    }

    /// What is wrong with it. `root`: it closes the chain, and its own signature proves nothing.
    pub fn judge(&self, subject: &str, root: bool, now: DateTime<Utc>) -> Vec<Finding> {
        let mut found = Vec::new();
        let left = self.not_after - now;
        let end = self.not_after.format("%Y-%m-%d");
        let days = count(usize::try_from(left.num_days()).unwrap_or_default(), "day");
        let ends = || format!("the certificate of {} ends in {days}, on {end}", self.subject);
        let level = if left <= TimeDelta::zero() {
            Some((Level::Blocker, format!("the certificate of {} ended on {end}", self.subject)))
        } else if self.not_before > now + TimeDelta::minutes(5) {
            Some((
                Level::Blocker,
                format!("the certificate of {} begins on {}", self.subject, self.not_before.format("%Y-%m-%d")),
            ))
        } else if left < TimeDelta::days(7) {
            Some((Level::High, ends()))
        } else if left < TimeDelta::days(30) {
            Some((Level::Medium, ends()))
        } else {
            None
        };
        found.extend(level.map(|(level, why)| Finding::new("T01", level, subject, why).fix("renew it")));
        if let Some(bits) = self.rsa_bits.filter(|bits| *bits < 2048) {
            let why = format!("the RSA key of {} has {bits} bits", self.subject);
            found.push(Finding::new("T02", Level::High, subject, why).fix("use RSA with 2048 bits or more, or ECDSA"));
        }
        if self.is_sha1 && !root {
            let why = format!("the certificate of {} is signed with SHA-1", self.subject);
            found.push(Finding::new("T02", Level::High, subject, why).fix("have it signed with SHA-256"));
        }
        found
    }
}

fn alternative(tag: u8, content: &[u8]) -> Option<String> {
    match (tag, content) {
        (0x82, name) => Some(String::from_utf8_lossy(name).into_owned()),
        (0x87, [a, b, c, d]) => Some(format!("{a}.{b}.{c}.{d}")),
        (0x87, address) => Some(std::net::Ipv6Addr::from(<[u8; 16]>::try_from(address).ok()?).to_string()),
        _ => None,
    }
}

fn rsa_bits(key: &[u8]) -> Option<usize> {
    let [(_, algorithm), (_, bits)] = elements(key)[..] else { return None };
    if elements(algorithm).first()?.1 != RSA {
        return None;
    }
    let sequence = element(bits.get(1..)?)?.1;
    let modulus = elements(sequence).first()?.1;
    let modulus = &modulus[modulus.iter().take_while(|byte| **byte == 0).count()..];
    Some(modulus.len() * 8 - modulus.first()?.leading_zeros() as usize)
}

/// Standard base64; `None` for anything else.
pub fn base64(text: &str) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(text.len() * 3 / 4);
    let (mut bits, mut count) = (0u32, 0);
    for byte in text.bytes().filter(|byte| !byte.is_ascii_whitespace() && *byte != b'=') {
        let value = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        bits = bits << 6 | u32::from(value);
        count += 6;
        if count >= 8 {
            count -= 8;
            out.push((bits >> count & 0xff) as u8);
        }
    }
    Some(out)
}
