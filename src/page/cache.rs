//! The rendered page, made anew at most once a second however many ask for it.

use std::time::{Duration, Instant};

use super::data::PageData;

/// How long a rendered page is good.
const FRESH: Duration = Duration::from_secs(1);

/// The page as it is sent.
pub struct Rendered {
    /// The HTTP status.
    pub status: u16,
    /// For people.
    pub html: String,
    /// For programs.
    pub json: String,
}

/// The page and when it was made.
pub struct Cache<'a> {
    fetch: &'a mut dyn FnMut() -> PageData,
    page: Option<(Instant, Rendered)>,
}

impl<'a> Cache<'a> {
    /// An empty one; `fetch` is called when the page is asked for.
    pub fn new(fetch: &'a mut dyn FnMut() -> PageData) -> Self {
        Self { fetch, page: None }
    }

    /// The page, at most a second old.
    pub fn page(&mut self, now: Instant) -> &Rendered {
        let fresh = self.page.take().filter(|(made, _)| now.saturating_duration_since(*made) < FRESH);
        let (_, page) = self.page.insert(fresh.unwrap_or_else(|| {
            let data = (self.fetch)();
            let json = format!("{}\n", super::json(&data));
            (now, Rendered { status: data.http_status(), html: super::html(&data), json })
        }));
        page
    }
}

#[cfg(test)]
mod tests {
    use super::super::data::tests::{machine, record, snapshot};
    use super::*;

    #[test]
    fn the_state_is_fetched_at_most_once_a_second() {
        let mut count = 0;
        let mut fetch = || {
            count += 1;
            PageData::new(&record(false), Some(&snapshot(Vec::new())), &machine())
        };
        let mut cache = Cache::new(&mut fetch);
        let start = Instant::now();
        for millis in [0, 1, 999, 1000, 1500, 2100] {
            assert_eq!(cache.page(start + Duration::from_millis(millis)).status, 200);
        }
        assert_eq!(count, 3);
    }
}
