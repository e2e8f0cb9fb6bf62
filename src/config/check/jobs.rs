//! The section `jobs`.

use super::super::model::Jobs;
use super::{Check, Place};

impl Check<'_> {
    pub(super) fn jobs(&mut self, jobs: &Jobs) {
        let place = Place::of(&["jobs"]);
        if jobs.directory.as_ref().is_some_and(|directory| !directory.is_absolute()) {
            self.error(&place.key("directory"), "expected an absolute path, which begins with `/`")
                .hint("name storage that outlives the container, such as `/workspace/jobs`");
        }
        if jobs.keep == Some(0) {
            self.error(&place.key("keep"), "the log of the last run is always kept: expected 1 or more");
        }
        if jobs.keep_for.is_some_and(|time| time.is_zero()) {
            self.error(&place.key("keep_for"), "logs have to be kept for a while, such as `720h`")
                .hint("leave it out to keep them for ever");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{bad, found_with_hints, good};

    #[test]
    fn the_folder_of_jobs_is_the_same_for_everyone() {
        assert_eq!(
            found_with_hints("jobs: {directory: jobs}"),
            [
                "1:19 `jobs.directory`: expected an absolute path, which begins with `/` (name storage that outlives the \
              container, such as `/workspace/jobs`)"
            ]
        );
        bad("jobs: {directory: ''}", "1:19 `jobs.directory`: expected an absolute path");
        good("jobs: {directory: /opt/bazel_cache/zephyr_jobs, keep: 1, keep_for: 720h}");
        good("jobs: {}");
    }

    #[test]
    fn something_is_kept_for_some_time() {
        bad("jobs: {keep: 0}", "1:14 `jobs.keep`: the log of the last run is always kept");
        bad("jobs: {keep_for: 0s}", "1:18 `jobs.keep_for`: logs have to be kept for a while");
    }
}
