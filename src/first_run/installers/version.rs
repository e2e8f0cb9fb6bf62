//! Versions, as tags of releases have them.

use crate::fetch::Failure;

/// Words that mark a tag as something to be left alone unless it is asked for.
const UNFINISHED: [&str; 9] = ["alpha", "beta", "rc", "pre", "prerelease", "preview", "dev", "canary", "nightly"];

/// The numbers of a version, in the order of their weight.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version(Vec<u64>);

impl Version {
    /// The version that a tag names: `1.2.3`, `v1.2.3`, `bun-v1.2.3`, `2.3.2-0`. None for one without numbers (`latest`)
    /// and for a prerelease.
    #[must_use]
    pub fn of(tag: &str) -> Option<Self> {
        if tag.split(|c: char| !c.is_ascii_alphabetic()).any(|word| UNFINISHED.contains(&word)) {
            return None;
        }
        let numbers = tag.trim_start_matches(|c: char| !c.is_ascii_digit());
        let end = numbers.find(|c: char| !c.is_ascii_digit() && !matches!(c, '.' | '-' | '+')).unwrap_or(numbers.len());
        let numbers = numbers.get(..end)?.split(['.', '-', '+']).filter(|number| !number.is_empty());
        let numbers = numbers.map(|number| number.parse().ok()).collect::<Option<Vec<u64>>>()?;
        (!numbers.is_empty()).then_some(Self(numbers))
    }

    /// Whether it says everything that a release's version does: `24.19.0`, and not `24`.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.0.len() >= 3
    }

    /// Whether it is this version or one of its line: `24.19.0` is of the line `24`.
    #[must_use]
    pub fn is_of(&self, line: &Self) -> bool {
        self.0.starts_with(&line.0)
    }
}

/// Refuses a version that could lead a path or a URL elsewhere: it comes from the config, or from a server.
///
/// # Errors
/// Anything but letters, digits and `._+-`; two dots in a row; a name that could be an option or hidden.
pub fn checked(version: &str) -> Result<&str, Failure> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '+' | '-');
    let sound = !version.is_empty()
        && version.len() <= 100
        && version.chars().all(allowed)
        && !version.contains("..")
        && !version.starts_with(['.', '-']);
    if sound {
        return Ok(version);
    }
    let shown: String = version.chars().filter(|c| !c.is_control()).take(40).collect();
    Err(Failure::permanent(format!("{shown:?} is not a version")).hint("name one with version: such as 1.2.3"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_ordered_by_their_numbers_whatever_stands_in_front() {
        let of = |tag| Version::of(tag).unwrap();
        assert!(of("v0.10.8") > of("v0.9.12"));
        assert!(of("bun-v1.4.5") > of("bun-v1.4"));
        assert!(of("rust-v0.169.0") > of("rust-v0.99.1"));
        assert!(of("2.3.2-1") > of("2.3.2-0"));
        assert_eq!(of("v1.2.3"), of("1.2.3"));
    }

    #[test]
    fn what_is_no_version_or_unfinished_has_none() {
        for tag in ["", "latest", "v", "nightly-20260101", "v1.0.0-rc1", "2.0.0rc1-0", "1.0-beta.2", "v2-alpha", "dev"]
        {
            assert_eq!(Version::of(tag), None, "{tag}");
        }
        assert_eq!(Version::of("v99999999999999999999999"), None);
        assert!(Version::of("arch-1.2").is_some(), "rc is no word of it");
    }

    #[test]
    fn a_line_has_its_versions_and_no_others() {
        let of = |tag| Version::of(tag).unwrap();
        assert!(of("v24.19.0").is_of(&of("24")) && of("v24.19.0").is_of(&of("24.19")));
        assert!(!of("v24.19.0").is_of(&of("2")) && !of("v24.19.0").is_of(&of("24.1")));
        assert!(of("24.19.0").is_full() && !of("24.19").is_full());
    }

    #[test]
    fn a_version_that_leads_elsewhere_is_refused() {
        for version in ["1.2.3", "v24.19.0", "2.3.2-0", "lts_1+x"] {
            assert_eq!(checked(version), Ok(version));
        }
        let long = "1".repeat(101);
        for version in
            ["", "..", "1..2", "../../etc", "a/b", "1 2", "-rf", ".hidden", "1?x", "1\n2", "<!DOCTYPE", &long]
        {
            let failure = checked(version).unwrap_err();
            assert_eq!(failure.retry, crate::fetch::Retry::Never);
            assert!(!failure.text.contains('\n'), "{failure}");
        }
    }
}
