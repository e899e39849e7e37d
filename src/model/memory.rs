//! Amounts of memory with units, as libvirt reads them.

use std::fmt;

/// Reason for which an amount of memory cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MemoryError {
    /// The amount is not a whole number.
    NotANumber,
    /// The unit is unknown to libvirt.
    UnknownUnit,
    /// The amount does not fit 64 bits of bytes.
    TooLarge,
}

impl fmt::Display for MemoryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotANumber => "it is not a whole number",
            Self::UnknownUnit => "its unit is not known",
            Self::TooLarge => "it is too large",
        })
    }
}

/// An amount of memory in KiB, rounded up; without a unit it is in KiB already. Units are read in
/// either case; `KB` and its like are powers of 1000.
pub fn memory_kib(amount: &str, unit: Option<&str>) -> Result<u64, MemoryError> {
    Ok(memory_bytes(amount, unit.unwrap_or("KiB"))?.div_ceil(1024))
}

/// An amount of memory in bytes. Units are read in either case.
pub(crate) fn memory_bytes(amount: &str, unit: &str) -> Result<u64, MemoryError> {
    let amount = amount.trim();
    if amount.is_empty() || !amount.bytes().all(|b| b.is_ascii_digit()) {
        return Err(MemoryError::NotANumber);
    }
    let amount: u64 = amount.parse().map_err(|_| MemoryError::TooLarge)?;
    let scale = bytes_per(unit).ok_or(MemoryError::UnknownUnit)?;
    amount.checked_mul(scale).ok_or(MemoryError::TooLarge)
}

fn bytes_per(unit: &str) -> Option<u64> {
    let unit = unit.to_ascii_lowercase();
    if matches!(unit.as_str(), "b" | "byte" | "bytes") {
        return Some(1);
    }
    let mut chars = unit.chars();
    let power = match chars.next()? {
        'k' => 1,
        'm' => 2,
        'g' => 3,
        't' => 4,
        'p' => 5,
        'e' => 6,
        _ => return None,
    };
    let base: u64 = match chars.as_str() {
        "" | "ib" => 1024,
        "b" => 1000,
        _ => return None,
    };
    base.checked_pow(power)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_round_up() {
        for (amount, unit, kib) in [
            ("1", None, 1),
            ("1", Some("b"), 1),
            ("1025", Some("bytes"), 2),
            ("0", Some("bytes"), 0),
            ("1", Some("KB"), 1),
            ("2000", Some("kb"), 1954),
            ("2", Some("k"), 2),
            ("64", Some("MiB"), 65_536),
            ("1", Some("MB"), 977),
            ("2", Some("G"), 2_097_152),
            ("1", Some("EiB"), 1 << 50),
        ] {
            assert_eq!(memory_kib(amount, unit), Ok(kib), "{amount} {unit:?}");
        }
    }

    #[test]
    fn refuses_what_is_no_amount() {
        for (amount, unit, error) in [
            ("", None, MemoryError::NotANumber),
            ("-1", None, MemoryError::NotANumber),
            ("1.5", Some("GiB"), MemoryError::NotANumber),
            ("1", Some("XB"), MemoryError::UnknownUnit),
            ("1", Some("MiBs"), MemoryError::UnknownUnit),
            ("1", Some(""), MemoryError::UnknownUnit),
            ("16", Some("EiB"), MemoryError::TooLarge),
            ("99999999999999999999", None, MemoryError::TooLarge),
        ] {
            assert_eq!(memory_kib(amount, unit), Err(error), "{amount} {unit:?}");
        }
    }
}
