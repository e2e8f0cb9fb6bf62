//! The folder that `--download-only` fills.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use tracing::warn;

use crate::fetch::{Failure, failure};
use crate::first_run::Progress;
use crate::first_run::worker::{NOT_BROUGHT_ALONG, PARTIAL};

/// Workers of a run that was killed end a moment later, and have the lock until then.
const PATIENCE: Duration = Duration::from_secs(3);
const BETWEEN_TRIES: Duration = Duration::from_millis(50);

/// A bundle that this process alone fills.
pub struct Bundle {
    folder: PathBuf,
    _alone: File,
}

impl Bundle {
    /// Makes the folder and locks it.
    ///
    /// # Errors
    /// Those of the disk; another process fills it.
    pub fn open(folder: &Path) -> Result<Self, Failure> {
        let shown = folder.display();
        fs::create_dir_all(folder).map_err(failure::io(format_args!("failed to make {shown}")))?;
        let alone = File::open(folder).map_err(failure::io(format_args!("failed to open {shown}")))?;
        let begin = Instant::now();
        while let Err(fs::TryLockError::WouldBlock) = alone.try_lock() {
            if begin.elapsed() > PATIENCE {
                return Err(Failure::permanent(format!("another process fills {shown}"))
                    .hint("wait until it has ended, and run it again"));
            }
            std::thread::sleep(BETWEEN_TRIES);
        }
        // Some file systems of networks have no locks.
        Ok(Self { folder: folder.to_owned(), _alone: alone })
    }

    /// Clears away what nothing is on its way in any more, and says once more what needs a network later.
    pub fn close(self, progress: &Progress) {
        // What is still in there is continued by the next run.
        let _ = fs::remove_dir(self.folder.join(PARTIAL));
        let missing: Vec<&str> = progress
            .tasks
            .iter()
            .filter(|task| task.warnings.iter().any(|warning| warning == NOT_BROUGHT_ALONG))
            .map(|task| task.name.as_str())
            .collect();
        if progress.missing().next().is_some() {
            warn!("the bundle is not complete; to go on: devinit first-run --download-only {}", self.folder.display());
        }
        if !missing.is_empty() {
            warn!("not in the bundle, so they need a network where it is used: {}", missing.join(", "));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::first_run::progress::TaskProgress;

    #[test]
    fn one_process_at_a_time_fills_a_bundle() {
        let folder = tempfile::tempdir().unwrap();
        let bundle = Bundle::open(&folder.path().join("a/b")).unwrap();
        let failure = Bundle::open(&bundle.folder).err().unwrap();
        assert!(failure.text.contains("another process fills"), "{failure}");
        let path = bundle.folder.clone();
        bundle.close(&Progress::default());
        Bundle::open(&path).unwrap();
    }

    #[test]
    fn what_is_still_on_its_way_stays_and_an_empty_folder_does_not() {
        let folder = tempfile::tempdir().unwrap();
        let partial = folder.path().join(PARTIAL);
        fs::create_dir_all(partial.join("uv")).unwrap();
        let progress = Progress { tasks: vec![TaskProgress::default()], ..Progress::default() };
        Bundle::open(folder.path()).unwrap().close(&progress);
        assert!(partial.join("uv").exists());
        fs::remove_dir(partial.join("uv")).unwrap();
        Bundle::open(folder.path()).unwrap().close(&progress);
        assert!(!partial.exists());
    }
}
