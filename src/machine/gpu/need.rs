//! What the image needs of the driver, and whether it gets that.

use std::path::Path;

use super::{Cuda, Gpu, Supported, driver};
use crate::machine::read;

/// Whether the driver does for what is needed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fit {
    /// As far as can be told.
    Fits,
    /// The container has no GPU.
    NoGpu,
    /// Only by the image's forward compatibility libraries, and so on data-centre GPUs only. The text says all.
    MayDo(String),
    /// It does not. The text names the driver, what it supports, what is needed, and what to do.
    TooOld(String),
}

impl Gpu {
    /// Holds the driver against what is needed: just that version (`gpu.cuda`), if there is one; else that of the
    /// image, for which a driver of the same major version will do
    /// ([minor version compatibility](https://docs.nvidia.com/deploy/cuda-compatibility/)). What is not known fits.
    #[must_use]
    pub fn fit(&self, wanted: Option<Cuda>) -> Fit {
        if !self.present() {
            return Fit::NoGpu;
        }
        let least = |image: Cuda| Cuda { minor: 0, ..image };
        let (Some(least), Some(driver), Some(Supported::UpTo(supported))) =
            (wanted.or(self.image_cuda.map(least)), &self.driver, self.supported_cuda())
        else {
            return Fit::Fits;
        };
        if supported >= least {
            return Fit::Fits;
        }
        let needs = match (wanted, self.image_cuda) {
            (None, Some(image)) => format!("the image was built with CUDA {image}"),
            _ => format!("gpu.cuda asks for CUDA {least}"),
        };
        let what = format!("the driver {} supports CUDA up to {supported}, and {needs}", driver.version);
        let compat = self.compat.as_ref().filter(|compat| compat.cuda >= least);
        let newer = match driver::first_branch(least) {
            Some(branch) => format!("install a driver of branch {branch} or later on the host"),
            None => "install a newer driver on the host".to_owned(),
        };
        let remedy = match wanted {
            Some(_) => format!("{newer}, or take an image for CUDA {supported} or earlier"),
            None => format!("{newer}, or take an image for CUDA {}.x or earlier", supported.major),
        };
        match compat {
            Some(compat) if self.compat_works_never() => {
                let folder = compat.folder.display();
                Fit::TooOld(format!("{what} ({folder} helps data-centre GPUs only); {remedy}"))
            }
            Some(compat) if compat.in_use => {
                let folder = compat.folder.display();
                Fit::MayDo(format!(
                    "{what}; {folder} makes up for that on data-centre GPUs, and on no others: {remedy}"
                ))
            }
            Some(compat) => {
                let folder = compat.folder.display();
                Fit::TooOld(format!(
                    "{what}; {remedy}; on data-centre GPUs it is enough to put {folder} on LD_LIBRARY_PATH"
                ))
            }
            None => Fit::TooOld(format!("{what}; {remedy}")),
        }
    }

    /// Forward compatibility is refused by the driver for these.
    fn compat_works_never(&self) -> bool {
        let is_consumer = |model: &str| model.contains("GeForce") || model.contains("TITAN");
        self.devices.iter().any(|device| device.model.as_deref().is_some_and(is_consumer))
    }
}

/// The CUDA that the image was built with: as CUDA_VERSION says, or the toolkit, or what NVIDIA_REQUIRE_CUDA asks for.
pub(super) fn of_image(root: &Path, variable: &dyn Fn(&str) -> Option<String>) -> Option<Cuda> {
    let toolkit = || toolkit_version(&read::text(&root.join("usr/local/cuda/version.json"))?);
    let required = || variable("NVIDIA_REQUIRE_CUDA").as_deref().and_then(required);
    variable("CUDA_VERSION").as_deref().and_then(Cuda::parse).or_else(toolkit).or_else(required)
}

/// The toolkit's version in CUDA's version.json.
fn toolkit_version(text: &str) -> Option<Cuda> {
    let json: serde_json::Value = serde_json::from_str(text).ok()?;
    Cuda::parse(json.get("cuda")?.get("version")?.as_str()?)
}

/// `cuda>=12.9 brand=unknown,driver>=535,driver<536 …`: all but the first word are drivers that do as well, by way of
/// forward compatibility.
fn required(text: &str) -> Option<Cuda> {
    text.split([' ', ',']).find_map(|word| Cuda::parse(word.strip_prefix("cuda>=")?))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::super::{Compat, Device, Driver};
    use super::*;

    fn cuda(text: &str) -> Cuda {
        Cuda::parse(text).unwrap()
    }

    fn with(driver: &str, image: Option<&str>) -> Gpu {
        Gpu {
            driver: Some(Driver { version: driver.to_owned(), open: false }),
            devices: vec![Device { model: Some("NVIDIA H100".to_owned()), ..Device::default() }],
            image_cuda: image.map(cuda),
            ..Gpu::default()
        }
    }

    fn compat(of: &str, in_use: bool) -> Option<Compat> {
        Some(Compat { folder: "/usr/local/cuda/compat".into(), cuda: cuda(of), in_use })
    }

    #[test]
    fn for_the_image_s_own_version_a_driver_of_the_same_major_version_does() {
        assert_eq!(with("550.54.14", Some("12.9")).fit(None), Fit::Fits);
        assert_eq!(with("610.43.02", Some("14.0")).fit(None), Fit::Fits, "newer than the table");
        assert_eq!(with("340.108", Some("12.9")).fit(None), Fit::Fits, "older than the table");
        assert_eq!(with("550.54.14", None).fit(None), Fit::Fits);
        assert_eq!(
            with("550.54.14", Some("13.0")).fit(None),
            Fit::TooOld(
                "the driver 550.54.14 supports CUDA up to 12.4, and the image was built with CUDA 13.0; install a \
                 driver of branch 580 or later on the host, or take an image for CUDA 12.x or earlier"
                    .to_owned()
            )
        );
    }

    #[test]
    fn what_the_config_asks_for_is_meant_exactly() {
        let gpu = with("550.54.14", Some("11.8"));
        assert_eq!(gpu.fit(Some(cuda("12.4"))), Fit::Fits);
        assert_eq!(
            gpu.fit(Some(cuda("12.9"))),
            Fit::TooOld(
                "the driver 550.54.14 supports CUDA up to 12.4, and gpu.cuda asks for CUDA 12.9; install a driver of \
                 branch 575 or later on the host, or take an image for CUDA 12.4 or earlier"
                    .to_owned()
            )
        );
        assert!(matches!(gpu.fit(Some(cuda("15.0"))), Fit::TooOld(text) if text.contains("install a newer driver")));
    }

    #[test]
    fn compatibility_libraries_may_do_if_they_bring_enough_and_the_loader_finds_them() {
        let old = || with("535.129.03", Some("13.0"));
        let fit = |compat| Gpu { compat, ..old() }.fit(None);
        assert!(matches!(fit(compat("13.0", true)), Fit::MayDo(text) if text.contains("data-centre")));
        assert!(matches!(fit(compat("13.0", false)), Fit::TooOld(text) if text.contains("LD_LIBRARY_PATH")));
        assert!(matches!(fit(compat("12.9", true)), Fit::TooOld(text) if !text.contains("compat")));
        let mut gamer = Gpu { compat: compat("13.0", true), ..old() };
        gamer.devices[0].model = Some("NVIDIA GeForce RTX 4090".to_owned());
        assert!(matches!(gamer.fit(None), Fit::TooOld(text) if text.contains("data-centre GPUs only")));
    }

    #[test]
    fn without_a_gpu_there_is_nothing_to_hold_the_need_against() {
        assert_eq!(Gpu { devices: Vec::new(), ..with("550.54.14", Some("13.0")) }.fit(None), Fit::NoGpu);
    }

    #[test]
    fn the_image_s_cuda_comes_from_the_variable_or_the_toolkit_or_the_requirement() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("usr/local/cuda");
        let found =
            |name: &str, value: &str| of_image(root.path(), &|wanted| (wanted == name).then(|| value.to_owned()));
        let requirement = "cuda>=12.9 brand=unknown,driver>=535,driver<536 brand=grid,driver>=535,driver<536";
        assert_eq!(found("NVIDIA_REQUIRE_CUDA", requirement), Some(cuda("12.9")));
        assert_eq!(found("NVIDIA_REQUIRE_CUDA", "driver>=535"), None);
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("version.json"), r#"{"cuda":{"name":"CUDA SDK","version":"12.4.1"}}"#).unwrap();
        assert_eq!(found("CUDA_VERSION", "11.8.0"), Some(cuda("11.8")));
        assert_eq!(found("CUDA_VERSION", "nonsense"), Some(cuda("12.4")));
        assert_eq!(found("NVIDIA_REQUIRE_CUDA", requirement), Some(cuda("12.4")));
        fs::write(folder.join("version.json"), r#"{"cuda":{"version":"#).unwrap();
        assert_eq!(found("X", ""), None);
    }
}
