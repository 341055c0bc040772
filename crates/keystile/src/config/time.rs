//! Times as people write them.

use std::time::Duration;

/// `90`, `90s`, `10m`, `1h`, `90d`.
///
/// # Errors
/// What was expected.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let cut = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(cut);
    let number: u64 = number
        .parse()
        .map_err(|_| "write a time such as 90s, 10m or 1h".to_owned())?;
    let seconds = match unit {
        "" | "s" => 1,
        "m" => 60,
        "h" => 3600,
        "d" => 86_400,
        _ => return Err("the unit is s, m, h or d".to_owned()),
    };
    number
        .checked_mul(seconds)
        .map(Duration::from_secs)
        .ok_or_else(|| "that is too long".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_units() {
        assert_eq!(duration("90"), Ok(Duration::from_secs(90)));
        assert_eq!(duration("10m"), Ok(Duration::from_secs(600)));
        assert!(duration("m").is_err());
        assert!(duration("1y").is_err());
        assert!(duration("99999999999999999999h").is_err());
    }
}
