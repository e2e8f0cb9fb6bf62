//! Durations as they are written in the config: `90s`, `10m`, `1h30m`, `250ms`, `30d`.

use std::time::Duration;

use jiff::SignedDuration;

/// Reads a duration such as `90s` or `1h30m`.
///
/// # Errors
/// Anything that is not a non-negative duration with a unit.
pub fn parse(text: &str) -> Result<Duration, String> {
    // What was written is not repeated: it may come from a variable.
    let fault = || "expected a duration with its unit, such as `90s`, `10m` or `1h30m`".to_owned();
    // Days of 24 hours, which is what everyone means who keeps logs for so many of them.
    if let Some(days) = text.trim().strip_suffix('d').and_then(|days| days.parse::<u32>().ok()) {
        return Ok(Duration::from_secs(u64::from(days) * 24 * 3600));
    }
    let signed: SignedDuration = text.trim().parse().map_err(|_| fault())?;
    Duration::try_from(signed).map_err(|_| fault())
}

/// Writes a duration the way the config has it, in the units that [`parse`] reads.
#[must_use]
pub fn format(duration: Duration) -> String {
    let (seconds, millis) = (duration.as_secs(), duration.subsec_millis());
    let mut text = String::new();
    for (amount, unit) in [(seconds / 3600, "h"), (seconds / 60 % 60, "m"), (seconds % 60, "s"), (millis.into(), "ms")]
    {
        if amount > 0 {
            text.push_str(&format!("{amount}{unit}"));
        }
    }
    if text.is_empty() { "0s".to_owned() } else { text }
}

/// For fields that always have a value.
pub mod required {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serializer};

    /// # Errors
    /// Those of the serializer.
    pub fn serialize<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&super::format(*duration))
    }

    /// # Errors
    /// What [`super::parse`] refuses.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
        super::parse(&String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

/// For fields that may be left out.
pub mod optional {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serializer};

    /// # Errors
    /// Those of the serializer.
    pub fn serialize<S: Serializer>(duration: &Option<Duration>, serializer: S) -> Result<S::Ok, S::Error> {
        match duration {
            Some(duration) => serializer.serialize_some(&super::format(*duration)),
            None => serializer.serialize_none(),
        }
    }

    /// # Errors
    /// What [`super::parse`] refuses.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
        Option::<String>::deserialize(deserializer)?
            .map(|text| super::parse(&text))
            .transpose()
            .map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_with_their_units() {
        let texts =
            [("90s", 90_000), ("10m", 600_000), ("1h30m", 5_400_000), ("250ms", 250), ("0s", 0), (" 2d", 172_800_000)];
        for (text, millis) in texts {
            assert_eq!(parse(text), Ok(Duration::from_millis(millis)), "{text}");
            assert_eq!(parse(&format(Duration::from_millis(millis))), Ok(Duration::from_millis(millis)), "{text}");
        }
    }

    #[test]
    fn what_is_no_duration_is_refused_and_not_repeated() {
        for text in [
            "",
            "90",
            "-5s",
            "5s ago",
            "soon",
            "5 parsecs",
            "1e3s",
            "999999999999999999h",
            "-1d",
            "d",
            "1.5d",
            "999999999999999999d",
        ] {
            let error = parse(text).unwrap_err();
            assert!(text.is_empty() || !error.contains(&format!("`{text}`")), "{error}");
        }
    }
}
