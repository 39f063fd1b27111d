//! Sizes as the configuration writes them: "64MiB", "512KiB", "2GiB".

/// Why a text is not a size.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not a size: write \"512KiB\", \"64MiB\" or \"2GiB\"")]
pub struct SizeError {
    text: String,
}

/// Reads a size in bytes. The unit is needed, and is binary: a bare number would leave open what it counts.
pub fn parse(text: &str) -> Result<u64, SizeError> {
    let error = || SizeError { text: text.to_owned() };
    let trimmed = text.trim();
    let unit_at = trimmed.find(|c: char| !c.is_ascii_digit()).ok_or_else(error)?;
    let (number, unit) = trimmed.split_at(unit_at);
    let factor: u64 = match unit.trim_start() {
        "B" => 1,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        "TiB" => 1 << 40,
        _ => return Err(error()),
    };
    number.parse::<u64>().ok().and_then(|number| number.checked_mul(factor)).ok_or_else(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_forms_of_the_contract_are_read() {
        assert_eq!(parse("64MiB"), Ok(64 << 20));
        assert_eq!(parse("512 KiB"), Ok(512 << 10));
        assert_eq!(parse("0B"), Ok(0));
        assert_eq!(parse("2GiB"), Ok(2 << 30));
    }

    #[test]
    fn what_is_no_size_is_refused() {
        for text in ["", "64", "MiB", "64MB", "-1MiB", "1.5GiB", "99999999999TiB"] {
            assert!(parse(text).is_err(), "{text:?}");
        }
    }
}
