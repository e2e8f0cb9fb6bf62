//! Reads cron expressions: crontab(5).

use super::Schedule;
use crate::words;

/// What stands at a place of an expression.
struct Field {
    /// As users call it.
    name: &'static str,
    lowest: u32,
    highest: u32,
    /// What its numbers may be called, from `lowest` on.
    names: &'static [&'static str],
}

const MONTHS: [&str; 12] = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const WEEKDAYS: [&str; 7] = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];

const FIELDS: [Field; 5] = [
    Field { name: "1st field, minutes", lowest: 0, highest: 59, names: &[] },
    Field { name: "2nd field, hours", lowest: 0, highest: 23, names: &[] },
    Field { name: "3rd field, days of the month", lowest: 1, highest: 31, names: &[] },
    Field { name: "4th field, months", lowest: 1, highest: 12, names: &MONTHS },
    Field { name: "5th field, days of the week", lowest: 0, highest: 7, names: &WEEKDAYS },
];

/// What has a name of its own.
const NAMED: [(&str, &str); 7] = [
    ("@hourly", "0 * * * *"),
    ("@daily", "0 0 * * *"),
    ("@midnight", "0 0 * * *"),
    ("@weekly", "0 0 * * 0"),
    ("@monthly", "0 0 1 * *"),
    ("@yearly", "0 0 1 1 *"),
    ("@annually", "0 0 1 1 *"),
];

/// The longest expression, in bytes: all minutes, one by one, have 169.
const LONGEST: usize = 1_000;

impl TryFrom<String> for Schedule {
    /// What is wrong with it, and where.
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        if text.len() > LONGEST {
            return Err(format!("longer than {LONGEST} characters"));
        }
        let expression = match text.trim() {
            name if name.starts_with('@') => {
                let known = NAMED.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
                let names = || NAMED.map(|(name, _)| name).join(", ");
                known.ok_or_else(|| format!("{} is not known: there are {}", shown(name), names()))?.1
            }
            expression => expression,
        };
        let mut parts = expression.split_ascii_whitespace();
        let given = [(); 5].map(|()| parts.next().unwrap_or_default());
        let count = expression.split_ascii_whitespace().count();
        if count != 5 {
            let expected = "expected 5: minute, hour, day of the month, month, day of the week";
            return Err(format!("{count} {}, {expected}", if count == 1 { "field" } else { "fields" }));
        }
        let mut bits = [0u64; 5];
        for ((bits, text), field) in bits.iter_mut().zip(given).zip(&FIELDS) {
            *bits = field.read(text).map_err(|why| format!("the {}: {why}", field.name))?;
        }
        let [minutes, hours, days, months, weekdays] = bits;
        let [_, _, of_month, _, of_week] = given;
        // All fit, for no bit is above the field's highest number.
        Ok(Self {
            minutes,
            hours: u32::try_from(hours).unwrap_or_default(),
            days: u32::try_from(days).unwrap_or_default(),
            months: u16::try_from(months).unwrap_or_default(),
            // Sunday is 0 and 7.
            weekdays: u8::try_from((weekdays | weekdays >> 7) & 0x7f).unwrap_or_default(),
            either_day: !of_month.starts_with('*') && !of_week.starts_with('*'),
            text,
        })
    }
}

impl Field {
    /// A bit for each number that the text stands for: a list of `*`, `N` and `N-M`, the first and the last with `/STEP` if need be.
    fn read(&self, text: &str) -> Result<u64, String> {
        let mut bits = 0u64;
        for item in text.split(',') {
            let (range, step) = match item.split_once('/') {
                Some((range, step)) => (range, Some(step)),
                None => (item, None),
            };
            let (first, last) = match range.split_once('-') {
                _ if range == "*" => (self.lowest, self.highest),
                Some((first, last)) => self.range(first, last)?,
                None if step.is_some() => {
                    let hint = format!("{}-{}/…", shown(range), self.highest);
                    return Err(format!("{}: a step needs `*` or a range, such as {hint}", shown(item)));
                }
                None => (self.number(range)?, self.number(range)?),
            };
            let step = match step.map(|step| (step, number(step))) {
                None => 1,
                Some((_, Some(step))) if step > 0 => step,
                Some((step, _)) => return Err(format!("{} is not a step: expected a number from 1 on", shown(step))),
            };
            let step = usize::try_from(step).unwrap_or(usize::MAX);
            bits |= (first..=last).step_by(step).fold(0, |bits, number| bits | 1u64.checked_shl(number).unwrap_or(0));
        }
        Ok(bits)
    }

    fn range(&self, first: &str, last: &str) -> Result<(u32, u32), String> {
        let (from, mut to) = (self.number(first)?, self.number(last)?);
        if to == 0 && from > 0 && number(last).is_none() {
            to = 7; // `fri-sun`: by its name Sunday is the end of a week as well.
        }
        if from > to {
            return Err(format!("{}-{} runs backwards", shown(first), shown(last)));
        }
        Ok((from, to))
    }

    fn number(&self, text: &str) -> Result<u32, String> {
        if let Some(place) = self.names.iter().position(|name| name.eq_ignore_ascii_case(text)) {
            return Ok(u32::try_from(place).unwrap_or_default().saturating_add(self.lowest));
        }
        match number(text) {
            Some(number) if number > self.highest => Err(format!("{} is above {}", shown(text), self.highest)),
            Some(number) if number < self.lowest => Err(format!("{} is below {}", shown(text), self.lowest)),
            Some(number) => Ok(number),
            None => {
                let or = if self.names.is_empty() { String::new() } else { format!(" or {}", self.names.join(", ")) };
                let range = format!("a number from {} to {}{or}", self.lowest, self.highest);
                Err(format!("{} is not {range}", if text.is_empty() { "nothing".to_owned() } else { shown(text) }))
            }
        }
    }
}

/// A number of digits only; one that is too large is larger than any that is allowed.
fn number(text: &str) -> Option<u32> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().unwrap_or(u32::MAX))
}

fn shown(text: &str) -> String {
    words::clean(text, 40)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Schedule, String> {
        Schedule::try_from(text.to_owned())
    }

    #[test]
    fn lists_ranges_steps_and_names_stand_for_numbers() {
        let of = |numbers: &[u32]| numbers.iter().fold(0u64, |bits, number| bits | 1 << number);
        for (field, text, numbers) in [
            (0, "*/15", &[0, 15, 30, 45][..]),
            (0, "10-20/5", &[10, 15, 20]),
            (0, "10-14/5", &[10]),
            (0, "*/100", &[0]),
            (1, "0,23,5-6", &[0, 5, 6, 23]),
            (2, "*/10", &[1, 11, 21, 31]),
            (3, "jan,Feb-APR", &[1, 2, 3, 4]),
            (3, "*", &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]),
            (4, "mon-wed", &[1, 2, 3]),
            (4, "sat-sun", &[6, 7]),
            (4, "sun-tue", &[0, 1, 2]),
            (4, "sun", &[0]),
        ] {
            assert_eq!(FIELDS[field].read(text), Ok(of(numbers)), "{text}");
        }
    }

    #[test]
    fn sunday_is_0_and_7() {
        let weekdays = |text: &str| read(&format!("0 0 * * {text}")).unwrap().weekdays;
        assert_eq!((weekdays("0"), weekdays("7"), weekdays("sun"), weekdays("0-7")), (1, 1, 1, 0x7f));
        assert_eq!(weekdays("5-7"), 0b110_0001);
    }

    #[test]
    fn what_is_wrong_is_said_with_its_place() {
        for (text, why) in [
            ("0 25 * * *", "the 2nd field, hours: 25 is above 23"),
            ("60 * * * *", "the 1st field, minutes: 60 is above 59"),
            ("99999999999 * * * *", "the 1st field, minutes: 99999999999 is above 59"),
            ("0 0 0 * *", "the 3rd field, days of the month: 0 is below 1"),
            ("0 0 * 13 *", "the 4th field, months: 13 is above 12"),
            ("0 0 * * 8", "the 5th field, days of the week: 8 is above 7"),
            ("x * * * *", "the 1st field, minutes: x is not a number from 0 to 59"),
            ("-1 * * * *", "the 1st field, minutes: nothing is not a number from 0 to 59"),
            (
                "0 0 * * monday",
                "the 5th field, days of the week: monday is not a number from 0 to 7 or sun, mon, tue, wed, thu, fri, sat",
            ),
            ("20-10 * * * *", "the 1st field, minutes: 20-10 runs backwards"),
            ("0 0 * * 5-0", "the 5th field, days of the week: 5-0 runs backwards"),
            ("*/0 * * * *", "the 1st field, minutes: 0 is not a step: expected a number from 1 on"),
            ("*/x * * * *", "the 1st field, minutes: x is not a step: expected a number from 1 on"),
            ("5/10 * * * *", "the 1st field, minutes: 5/10: a step needs `*` or a range, such as 5-59/…"),
            ("1,, * * * *", "the 1st field, minutes: nothing is not a number from 0 to 59"),
            ("* * * *", "4 fields, expected 5: minute, hour, day of the month, month, day of the week"),
            ("* * * * * *", "6 fields, expected 5: minute, hour, day of the month, month, day of the week"),
            ("often", "1 field, expected 5: minute, hour, day of the month, month, day of the week"),
            ("", "0 fields, expected 5: minute, hour, day of the month, month, day of the week"),
        ] {
            assert_eq!(read(text).unwrap_err(), why, "{text:?}");
        }
        assert!(read("@reboot").unwrap_err().starts_with("@reboot is not known: there are @hourly, @daily,"));
        assert!(read("\u{1b}[2J * * * *").unwrap_err().contains("?[2J"));
        assert!(read(&"*,".repeat(1000)).is_err());
    }

    #[test]
    fn a_schedule_is_kept_as_its_text() {
        let schedule = read(" 30 3 *  * mon ").unwrap();
        let json = serde_json::to_string(&schedule).unwrap();
        assert_eq!(json, "\" 30 3 *  * mon \"");
        assert_eq!(serde_json::from_str::<Schedule>(&json).unwrap(), schedule);
        assert!(serde_json::from_str::<Schedule>("\"30 3\"").is_err());
    }
}
