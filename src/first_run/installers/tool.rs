//! What all tools have in common that are published as one file for each kind of machine: found, downloaded, verified,
//! unpacked, tried, put into place.

use std::fs::{self, Permissions};
use std::io;
use std::marker::PhantomData;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::target::Target;
use crate::fetch::{Failure, checksum, failure, unpack};
use crate::first_run::job::{Asset, Run};
use crate::first_run::task::Part;
use crate::first_run::{Installed, Installer, Job, Place, place};

/// What is particular to a tool.
pub trait Tool {
    /// Its kind of step: `claude-code`.
    const KIND: &'static str;
    /// Which version it is if the config names none.
    const DEFAULT: &'static str = "latest";
    /// How many leading folders of the names in its archive are left out. None: it comes as the program itself.
    const STRIP: Option<u32>;
    /// The program in its archive that is tried before anything is put into place.
    const PROGRAM: &'static str = "";

    /// Finds what is published for the version that the config asks for. [`Release::version`] has to be safe in a path
    /// ([`checked`](super::version::checked)).
    ///
    /// # Errors
    /// There is none, or none for this machine; those of the download.
    fn find(job: &mut Job<'_>, target: Target, wish: &Wish) -> Result<Release, Failure>;

    /// Puts it into place: the program, or the folder that its archive was unpacked to. Returns what a record keeps.
    ///
    /// # Errors
    /// Those of the disk.
    fn put(job: &mut Job<'_>, staged: &Path, version: &str) -> Result<Vec<PathBuf>, Failure>;

    /// The folder that its programs go to.
    fn programs(place: &Place) -> PathBuf {
        place.bin()
    }
}

/// What the config asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wish {
    /// A version, or a name for one: `latest`.
    pub version: String,
    /// The checksum that the download has to have: it goes over the published one.
    pub sha256: Option<String>,
}

/// What is published for a version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Release {
    /// The version, without anything in front of it.
    pub version: String,
    /// Its file for this machine.
    pub asset: Asset,
}

/// The step of the config that installs a tool.
pub fn part<T: Tool + 'static>(version: &Option<String>, sha256: &Option<String>, place: &Place) -> Part {
    let installer = Packaged::<T>::new(wish::<T>(version, sha256));
    Part { path: vec![T::programs(place)], ..Part::main(installer) }
}

/// What a step of the config asks for.
#[must_use]
pub fn wish<T: Tool>(version: &Option<String>, sha256: &Option<String>) -> Wish {
    let version = version.as_deref().unwrap_or(T::DEFAULT).to_owned();
    Wish { version, sha256: sha256.as_deref().map(str::to_ascii_lowercase) }
}

/// Downloads a tool into the bundle that is being filled, if it is not there yet, and unpacks it into the folder of the
/// task alone. Returns the folder of its programs.
///
/// # Errors
/// As those of installing it.
pub fn unpacked<T: Tool>(job: &mut Job<'_>, wish: &Wish) -> Result<PathBuf, Failure> {
    let (_, program) = Packaged::<T>::new(wish.clone()).stage(job)?;
    Ok(program.parent().unwrap_or(&program).to_owned())
}

/// Installs a tool.
struct Packaged<T> {
    wish: Wish,
    tool: PhantomData<T>,
}

/// A tool that was tried and is still to be put into place.
struct Staged {
    /// The program, or the folder that its archive was unpacked to.
    path: PathBuf,
    version: String,
}

impl<T: Tool> Packaged<T> {
    const fn new(wish: Wish) -> Self {
        Self { wish, tool: PhantomData }
    }

    /// Downloads, unpacks and tries it. Returns it, and where its program is.
    fn stage(&self, job: &mut Job<'_>) -> Result<(Staged, PathBuf), Failure> {
        let target = Target::own();
        let (release, file) = self.obtain(job, target)?;
        let path = match T::STRIP {
            Some(strip) => job.unpack(&file, &unpack::Options { strip, ..unpack::Options::default() })?,
            None => file,
        };
        let program = if T::STRIP.is_some() { path.join(T::PROGRAM) } else { path.clone() };
        try_out(job, &format!("{} {}", T::KIND, release.version), &program, target)?;
        Ok((Staged { path, version: release.version }, program))
    }

    /// Downloads the version that the config asks for.
    fn obtain(&self, job: &mut Job<'_>, target: Target) -> Result<(Release, PathBuf), Failure> {
        job.stage(format!("looking for {} {}", T::KIND, self.wish.version));
        let release = T::find(job, target, &self.wish)?;
        let file = download(job, &release.asset)?;
        Ok((release, file))
    }
}

impl<T: Tool> Installer for Packaged<T> {
    fn key(&self) -> Value {
        json!({ "kind": T::KIND, "version": self.wish.version, "sha256": self.wish.sha256 })
    }

    fn summary(&self) -> String {
        format!("{} {}", T::KIND, self.wish.version)
    }

    fn install(&self, job: &mut Job<'_>) -> Result<Installed, Failure> {
        let (Staged { path, version }, _) = self.stage(job)?;
        job.stage("putting it into place");
        let files = T::put(job, &path, &version)?;
        Ok(Installed { version: Some(version), files })
    }

    fn collect(&self, job: &mut Job<'_>) -> Result<bool, Failure> {
        self.obtain(job, Target::own()).map(|_| true)
    }
}

/// Downloads a file. If nobody has said what its checksum is, that is told, with the one that it has.
///
/// # Errors
/// As [`Job::download`].
pub fn download(job: &mut Job<'_>, asset: &Asset) -> Result<PathBuf, Failure> {
    let file = job.download(asset)?;
    if asset.sha256.is_none() {
        let name = file.file_name().unwrap_or_default().display();
        let sum = checksum::of_file(&file)?;
        job.warn(format!("no checksum is published for {name}; pin one with sha256: {sum}"));
    }
    Ok(file)
}

/// Runs what is to be installed once, while nothing is in its place yet: a build for another C library or processor, or
/// a damaged one, shows here.
fn try_out(job: &mut Job<'_>, what: &str, program: &Path, target: Target) -> Result<(), Failure> {
    if !program.is_file() {
        let name = program.file_name().unwrap_or_default().display();
        return Err(Failure::permanent(format!("{what}: there is no program {name} in the archive"))
            .hint("an older version, or one from another source, may be complete: see version: and mirrors:"));
    }
    fs::set_permissions(program, Permissions::from_mode(0o755))
        .map_err(failure::io(format_args!("failed to make {} executable", program.display())))?;
    // Some write settings into the home at once.
    let run =
        Run::new([program.display().to_string(), "--version".to_owned()]).env("HOME", job.work.display().to_string());
    job.run(&run).map(drop).map_err(|failure| {
        let libc = if target.musl { "musl" } else { "glibc" };
        let hint =
            format!("this image has {} and {libc}: an older version may ask less, see version:", target.arch.uname());
        Failure::permanent(format!("{what} does not run here: {}", failure.text)).hint(hint)
    })
}

/// Fails where the image has musl and the tool is only built for glibc.
///
/// # Errors
/// Just that.
pub fn needs_glibc(name: &str, target: Target) -> Result<(), Failure> {
    if !target.musl {
        return Ok(());
    }
    Err(Failure::permanent(format!("{name} is not published for musl, which this image has in place of glibc"))
        .hint("install the distribution's package, or take an image with glibc"))
}

/// Puts programs out of the folder `staged` into `folder`, each by itself.
///
/// # Errors
/// Those of the disk.
pub fn put_programs(staged: &Path, folder: &Path, names: &[&str]) -> Result<Vec<PathBuf>, Failure> {
    let put = |name: &&str| {
        let target = folder.join(name);
        place::file(&staged.join(name), &target, 0o755).map(|()| target)
    };
    names.iter().map(put).collect()
}

/// Puts the folder of a version to `share/devinit/KIND/VERSION`, links the programs of its `bin` to where sessions find
/// them, and removes the folders of other versions. A program that this version lacks is left out.
///
/// # Errors
/// Those of the disk.
pub fn put_tree(
    job: &mut Job<'_>,
    kind: &str,
    staged: &Path,
    version: &str,
    programs: &[&str],
) -> Result<Vec<PathBuf>, Failure> {
    let versions = job.owner.place.share().join("devinit").join(kind);
    let bin = job.owner.place.bin();
    let folder = versions.join(version);
    place::tree(staged, &folder)?;
    let (there, lacking): (Vec<&str>, Vec<&str>) =
        programs.iter().partition(|name| folder.join("bin").join(name).symlink_metadata().is_ok());
    let mut files = vec![folder.clone()];
    for name in there {
        let link = bin.join(name);
        place::link(&folder.join("bin").join(name), &link)?;
        files.push(link);
    }
    if let Err(error) = remove_others(&versions, version) {
        job.warn(format!("failed to remove older versions from {}: {error}", versions.display()));
    }
    for name in lacking {
        remove_dangling(&bin.join(name));
    }
    Ok(files)
}

/// Removes everything but one folder, also what killed runs left: nobody else installs for this user at the same time.
fn remove_others(versions: &Path, keep: &str) -> io::Result<()> {
    for entry in fs::read_dir(versions)? {
        let entry = entry?;
        if entry.file_name() == keep {
            continue;
        }
        if entry.file_type()?.is_dir() {
            fs::remove_dir_all(entry.path())?;
        } else {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

/// Removes a link that led into a version that is gone.
fn remove_dangling(link: &Path) {
    if link.is_symlink() && !link.exists() {
        // It harms nobody: a shell looks on for the name.
        let _ = fs::remove_file(link);
    }
}
