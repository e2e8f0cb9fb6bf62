//! Variables about GPUs that do not mean what was meant.

use super::Gpu;
use crate::words::clean;

/// Which GPUs a CUDA program sees.
pub const VISIBLE: &str = "CUDA_VISIBLE_DEVICES";

/// The longest value that is shown, in characters.
const LONGEST: usize = 80;

/// A line for each variable that will surprise someone. `wanted`: GPUs are asked for, so their lack is a fault.
#[must_use]
pub fn warnings(gpu: &Gpu, wanted: bool, variable: &dyn Fn(&str) -> Option<String>) -> Vec<String> {
    let mut warnings = Vec::new();
    warnings.extend(variable(VISIBLE).and_then(|value| visible(&value, gpu)));
    if (gpu.present() || wanted)
        && let Some(value) = variable("NVIDIA_DRIVER_CAPABILITIES").filter(|value| !value.trim().is_empty())
        && !value.split(',').any(|word| ["all", "compute"].contains(&word.trim()))
    {
        let value = clean(&value, LONGEST);
        warnings.push(format!(
            "NVIDIA_DRIVER_CAPABILITIES={value} leaves CUDA's libraries out: CUDA programs find no driver; add compute"
        ));
    }
    if gpu.wsl.is_some_and(|wsl| !wsl.libcuda) {
        warnings.push(format!(
            "CUDA programs will not find WSL's libcuda.so: add {0} to LD_LIBRARY_PATH, and mount it with \
             --volume {0}:{0}:ro if it is missing",
            super::wsl::FOLDER
        ));
    }
    warnings
}

/// What is wrong with CUDA_VISIBLE_DEVICES. Its words are indexes, or the beginnings of UUIDs; CUDA ignores the first
/// one that names no GPU, and all that follow.
fn visible(value: &str, gpu: &Gpu) -> Option<String> {
    let shown = || clean(value, LONGEST);
    if value.trim().eq_ignore_ascii_case("all") {
        return Some(format!(
            "{VISIBLE}={} means no GPU at all to CUDA: leave it unset (NVIDIA_VISIBLE_DEVICES is the one that takes all)",
            shown()
        ));
    }
    // Of WSL's GPUs nothing is known here, and of several MIG instances CUDA takes just one.
    if gpu.devices.is_empty() || gpu.devices.iter().any(|device| device.mig > 0) {
        return None;
    }
    let count = gpu.devices.len();
    let wrong = value.split(',').map(str::trim).filter(|word| !word.is_empty()).find_map(|word| {
        if let Some(wanted) = word.strip_prefix("GPU-") {
            let is_it = |uuid: &str| uuid.strip_prefix("GPU-").is_some_and(|uuid| uuid.starts_with(wanted));
            // One whose UUID is not known may be the one.
            let possible = gpu.devices.iter().any(|device| device.uuid.as_deref().is_none_or(is_it));
            return (!possible).then(|| (word, "is none of this container's GPUs".to_owned()));
        }
        if word.starts_with("MIG-") {
            return None;
        }
        match word.parse::<i64>() {
            // -1 is how people say "none".
            Ok(index) if index < 0 => None,
            Ok(index) if usize::try_from(index).is_ok_and(|index| index < count) => None,
            Ok(_) if count == 1 => Some((word, "is not there: this container has one GPU, which is 0".to_owned())),
            Ok(_) => Some((word, format!("is not there: this container has {count} GPUs, 0 to {}", count - 1))),
            Err(_) => Some((word, "is neither a number nor a UUID".to_owned())),
        }
    });
    let (word, why) = wrong?;
    let word = clean(word, LONGEST);
    Some(format!("{VISIBLE}={}: {word} {why}; CUDA does not see it, nor what is named after it", shown()))
}

#[cfg(test)]
mod tests {
    use super::super::{Device, Wsl};
    use super::*;

    fn two() -> Gpu {
        let device = |minor, uuid: Option<&str>| Device { minor, uuid: uuid.map(str::to_owned), ..Device::default() };
        Gpu { devices: vec![device(0, Some("GPU-aaaa-1")), device(3, Some("GPU-bbbb-2"))], ..Gpu::default() }
    }

    fn said(gpu: &Gpu, name: &str, value: &str) -> Option<String> {
        let mut warnings = warnings(gpu, false, &|wanted| (wanted == name).then(|| value.to_owned()));
        assert!(warnings.len() < 2, "{warnings:?}");
        warnings.pop()
    }

    #[test]
    fn all_is_no_value_for_cuda_whether_there_is_a_gpu_or_not() {
        for gpu in [two(), Gpu::default()] {
            assert!(said(&gpu, VISIBLE, "all").unwrap().contains("means no GPU at all"));
        }
        assert_eq!(said(&two(), "NVIDIA_VISIBLE_DEVICES", "all"), None);
    }

    #[test]
    fn what_names_a_gpu_of_this_container_or_none_on_purpose_is_fine() {
        for value in ["", "0", "1,0", " 0 , 1", "-1", "GPU-aa", "GPU-bbbb-2,GPU-aaaa-1", "MIG-x", "0,"] {
            assert_eq!(said(&two(), VISIBLE, value), None, "{value}");
        }
        assert_eq!(said(&Gpu::default(), VISIBLE, "5"), None, "on a CPU box nothing can be told");
        let mut parts = two();
        parts.devices[0].mig = 2;
        assert_eq!(said(&parts, VISIBLE, "1,2"), None);
    }

    #[test]
    fn what_names_no_gpu_is_told_with_those_that_there_are() {
        let text = |value: &str| said(&two(), VISIBLE, value).unwrap();
        assert_eq!(
            text("0,2"),
            "CUDA_VISIBLE_DEVICES=0,2: 2 is not there: this container has 2 GPUs, 0 to 1; CUDA does not see it, nor \
             what is named after it"
        );
        assert!(text("GPU-cc").contains("GPU-cc is none of"));
        assert!(text("cuda:0").contains("neither a number nor a UUID"));
        assert!(text("none\u{1b}[2J").contains("none?[2J is neither"));
        let mut unknown = two();
        unknown.devices[1].uuid = None;
        assert_eq!(said(&unknown, VISIBLE, "GPU-cc"), None);
    }

    #[test]
    fn without_the_compute_capability_there_is_no_cuda() {
        let name = "NVIDIA_DRIVER_CAPABILITIES";
        assert!(said(&two(), name, "utility,video").unwrap().contains("add compute"));
        for fine in ["", "all", "compute,utility", "utility, compute"] {
            assert_eq!(said(&two(), name, fine), None, "{fine}");
        }
        assert_eq!(said(&Gpu::default(), name, "utility"), None);
    }

    #[test]
    fn wsl_s_library_has_to_be_where_the_loader_looks() {
        let with = |libcuda| Gpu { wsl: Some(Wsl { libcuda }), ..Gpu::default() };
        assert!(said(&with(false), "X", "").unwrap().contains("/usr/lib/wsl/lib"));
        assert_eq!(said(&with(true), "X", ""), None);
    }
}
