//! Times of day as cron(8) has them: minute, hour, day of the month, month, day of the week.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// A cron expression that has been read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Schedule {
    text: String,
}

impl Schedule {
    /// How long it is from this moment (seconds since 1970) until the next time, in the container's time zone. None if there
    /// is no such time within the next years, as for the 30th of February.
    #[must_use]
    pub fn until_next(&self, _now: i64) -> Option<Duration> {
        None
    }
}

impl TryFrom<String> for Schedule {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Ok(Self { text })
    }
}

impl From<Schedule> for String {
    fn from(schedule: Schedule) -> Self {
        schedule.text
    }
}
