//! What drivers of many branches say: `tests/fixtures/gpu` has it in the forms that they write.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::*;

fn written(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/gpu").join(name)
}

fn look(name: &str) -> Gpu {
    Gpu::look(&written(name), &|_| None)
}

const ALL: [(&str, &str); 14] = [
    ("390", "2 x Tesla K80, driver 390.157 (CUDA up to 9.1)"),
    ("450", "Tesla T4, driver 450.248.02 (CUDA up to 11.0)"),
    ("470", "4 x Tesla V100-SXM2-16GB, driver 470.256.02 (CUDA up to 11.4)"),
    ("510", "NVIDIA RTX A6000, driver 510.108.03 (CUDA up to 11.6)"),
    ("525", "2 x NVIDIA A100-SXM4-40GB, driver 525.147.05 (CUDA up to 12.0)"),
    ("535", "NVIDIA L40S, NVIDIA GeForce RTX 4090, driver 535.183.01 (CUDA up to 12.2)"),
    ("550", "8 x NVIDIA H100 80GB HBM3, driver 550.54.14 (CUDA up to 12.4)"),
    ("565", "NVIDIA GeForce RTX 3080 Laptop GPU, driver 565.57.01 (CUDA up to 12.7)"),
    ("570", "NVIDIA H200, driver 570.133.20, open module (CUDA up to 12.8)"),
    ("575", "NVIDIA GeForce RTX 5090, driver 575.57.08, open module (CUDA up to 12.9)"),
    ("580", "NVIDIA A10G, driver 580.95.05 (CUDA up to 13.0)"),
    ("580-open", "2 x NVIDIA B200, driver 580.95.05, open module (CUDA up to 13.0)"),
    ("590-open", "NVIDIA RTX PRO 6000 Blackwell Server Edition, driver 590.44.01, open module (CUDA up to 13.1)"),
    ("mig", "1 MIG instance of NVIDIA H100 80GB HBM3, driver 535.216.01 (CUDA up to 12.2)"),
];

#[test]
fn every_branch_reads_as_a_sentence() {
    for (name, sentence) in ALL {
        assert_eq!(look(name).to_string(), sentence, "{name}");
    }
}

#[test]
fn what_nvidia_smi_answers_agrees_with_what_the_module_says() {
    for (name, _) in ALL {
        let gpu = look(name);
        let rows = rows(name);
        assert_eq!(rows.len(), gpu.devices.len(), "{name}");
        for (row, device) in rows.iter().zip(&gpu.devices) {
            assert_eq!((&row.name, &row.uuid), (&device.model, &device.uuid), "{name}");
            assert_eq!(row.driver, gpu.driver.as_ref().map(|driver| driver.version.clone()), "{name}");
            assert!(row.memory_mib.unwrap() > 8000 && row.memory_used_mib.is_some(), "{name}");
            assert_eq!(row.mig == Some(true), name == "mig", "{name}");
        }
    }
    assert_eq!(rows("525")[1].utilization_percent, Some(100));
    assert_eq!((rows("mig")[0].utilization_percent, rows("390")[0].utilization_percent), (None, None));
    assert_eq!((rows("390")[1].temperature_c, rows("450")[0].mig, rows("570")[0].mig), (Some(31), None, Some(false)));
    assert_eq!(rows("wsl")[0].driver.as_deref(), Some("561.09"));
}

/// What a stand-in is understood to say that answers as the real one does.
fn rows(name: &str) -> Vec<smi::Row> {
    let folder = tempfile::tempdir().unwrap();
    let (program, root) = (folder.path().join("nvidia-smi"), written(name));
    let (answer, refused) = (root.join("smi.csv"), root.join("smi-refused.txt"));
    let refuse = if refused.exists() {
        format!("case $* in *mig*) cat '{}'; exit 2 ;; esac\n", refused.display())
    } else {
        String::new()
    };
    fs::write(&program, format!("#!/bin/sh\n{refuse}exec cat '{}'\n", answer.display())).unwrap();
    fs::set_permissions(&program, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    loop {
        match smi::ask(&program, Duration::from_secs(60)) {
            Err(why) if why.contains("Text file busy") => std::thread::sleep(Duration::from_millis(5)),
            rows => return rows.unwrap(),
        }
    }
}

#[test]
fn a_gpu_has_its_node_its_place_and_its_uuid() {
    let gpu = look("580");
    let [device] = gpu.devices.as_slice() else { panic!("{gpu:?}") };
    assert_eq!((device.minor, device.bus.as_deref(), device.mig), (2, Some("0000:65:00.0"), 0));
    assert!(device.uuid.as_ref().unwrap().starts_with("GPU-"));
    assert_eq!(device.name(), "GPU 2 (NVIDIA A10G)");
}

#[test]
fn instances_count_only_if_their_node_is_here() {
    let gpu = look("mig");
    assert_eq!(gpu.devices.iter().map(|device| device.mig).collect::<Vec<_>>(), [1]);
    let three = Gpu { devices: vec![Device { mig: 3, ..gpu.devices[0].clone() }, Device::default()], ..Gpu::default() };
    assert_eq!(three.to_string(), "3 MIG instances of NVIDIA H100 80GB HBM3, NVIDIA GPU");
}

#[test]
fn wsl_has_a_gpu_without_a_module_and_its_library_has_to_be_found() {
    let gpu = look("wsl");
    assert_eq!((gpu.present(), gpu.wsl), (true, Some(Wsl { libcuda: false })));
    assert_eq!(gpu.to_string(), "through WSL");
    assert_eq!(gpu.fit(Cuda::parse("13.0")), Fit::Fits, "nothing is known of the driver");
    let found = |value: &str| {
        let look = |name: &str| (name == "LD_LIBRARY_PATH").then(|| value.to_owned());
        Gpu::look(&written("wsl"), &look).wsl.unwrap().libcuda
    };
    assert!(found("/opt/lib:/usr/lib/wsl/lib") && !found("/usr/lib/wsl") && !found("usr/lib/wsl/lib"));
}

#[test]
fn the_loader_is_told_by_files_as_well() {
    let root = tempfile::tempdir().unwrap();
    let etc = root.path().join("etc/ld.so.conf.d");
    fs::create_dir_all(&etc).unwrap();
    fs::write(etc.join("wsl.conf"), "# WSL\n  /usr/lib/wsl/lib\n").unwrap();
    fs::write(etc.join("off.conf.bak"), "/off\n").unwrap();
    fs::write(root.path().join("etc/ld.so.conf"), "include /etc/ld.so.conf.d/*.conf\n/main\n").unwrap();
    let folders = loader::folders(root.path(), Some("/own::relative"));
    assert_eq!(folders, ["/own", "/main", "/usr/lib/wsl/lib"].map(PathBuf::from));
}

#[test]
fn compatibility_libraries_are_found_with_what_they_bring_and_whether_they_are_used() {
    let root = tempfile::tempdir().unwrap();
    let compat = |library_path: &str| {
        Gpu::look(root.path(), &|name| (name == "LD_LIBRARY_PATH").then(|| library_path.to_owned())).compat
    };
    let put = |path: &str| {
        let path = root.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, "").unwrap();
    };
    put("usr/local/cuda-12.9/compat/libnvidia-nvvm.so.575.57.08");
    assert_eq!(compat(""), None);
    put("usr/local/cuda-12.9/compat/libcuda.so.1");
    put("usr/local/cuda-12.9/compat/libcuda.so.575.57.08");
    std::os::unix::fs::symlink("cuda-12.9", root.path().join("usr/local/cuda")).unwrap();
    let found = |in_use| Compat { folder: "/usr/local/cuda/compat".into(), cuda: Cuda::parse("12.9").unwrap(), in_use };
    assert_eq!(compat("/usr/local/cuda/lib64"), Some(found(false)));
    // Where NVIDIA's own images have it before their entrypoint made the folder.
    assert_eq!(compat("/usr/local/cuda/compat/lib:/x"), Some(found(true)));
    assert_eq!(compat("/usr/local/cuda-12.9/compat").map(|compat| compat.in_use), Some(true));
}

#[test]
fn only_the_gpus_that_were_given_to_the_container_are_named() {
    let root = tempfile::tempdir().unwrap();
    let gpus = root.path().join("proc/driver/nvidia/gpus");
    for (bus, minor) in [("0000:0a:00.0", 0), ("0000:0b:00.0", 1), ("0000:0c:00.0", 2)] {
        fs::create_dir_all(gpus.join(bus)).unwrap();
        let uuid = "GPU UUID: \t GPU-????????-????-????-????-????????????\n";
        let text = format!("Model: \t\t NVIDIA A100-{minor}\nIRQ:   \t\t 35\n{uuid}Device Minor: \t {minor}\n");
        fs::write(gpus.join(bus).join("information"), text).unwrap();
    }
    fs::create_dir_all(root.path().join("dev")).unwrap();
    for node in ["nvidia1", "nvidiactl", "nvidia-uvm", "nvidia2"] {
        fs::write(root.path().join("dev").join(node), "").unwrap();
    }
    let gpu = Gpu::look(root.path(), &|_| None);
    assert_eq!(gpu.to_string(), "NVIDIA A100-1, NVIDIA A100-2");
    assert!(gpu.devices.iter().all(|device| device.uuid.is_none()), "one that has not been started has no UUID yet");
}

#[test]
fn it_reads_as_a_sentence_whatever_is_missing() {
    let driver = Some(Driver { version: "550.54.14".to_owned(), open: false });
    assert_eq!(Gpu::default().to_string(), "none");
    let kept = Gpu { driver: driver.clone(), ..Gpu::default() };
    assert_eq!(kept.to_string(), "none given to this container (the host has driver 550.54.14)");
    assert_eq!(Gpu { devices: vec![Device::default(); 3], ..Gpu::default() }.to_string(), "3 x NVIDIA GPU");
    let image = Gpu { devices: vec![Device::default()], image_cuda: Cuda::parse("12.9"), driver, ..Gpu::default() };
    assert_eq!(image.to_string(), "NVIDIA GPU, driver 550.54.14 (CUDA up to 12.4); image: CUDA 12.9");
}
