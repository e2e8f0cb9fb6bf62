//! The config's `gpu`: what follows if the driver does not do for what is needed.

use std::collections::BTreeMap;

use crate::config::Config;
use crate::config::model::OnMismatch;
use crate::engine::spec::Service;
use crate::machine::Gpu;
use crate::machine::gpu::{self, Cuda, Fit, VISIBLE};
use crate::note::Note;
use crate::words::clean;

/// What keeps programs off the GPU. NVIDIA's own images know the second one.
const OFF: [(&str, &str); 2] = [(VISIBLE, ""), ("NVIDIA_CPU_ONLY", "1")];
/// The same for login shells: not every one of them comes from sshd.
const OFF_IN_SHELLS: &str = "# gpu.on_mismatch: disable\nexport CUDA_VISIBLE_DEVICES= NVIDIA_CPU_ONLY=1\n\n";
/// The longest value of a variable that is shown, in characters.
const LONGEST: usize = 80;

type Environment = BTreeMap<String, String>;

/// The variables that keep programs off the GPU, or none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Switch {
    /// Whether programs are to see no GPU.
    pub off: bool,
}

/// Works out what follows, and says it. `environment` is that of the container.
pub(super) fn resolve(config: &Config, gpu: &Gpu, environment: &Environment, notes: &mut Vec<Note>) -> Switch {
    let variable = |name: &str| config.environment.get(name).or_else(|| environment.get(name)).cloned();
    let off = switched_off(config, gpu, environment);
    match mismatch(config, gpu, environment) {
        Some(what) if off => {
            let own = users_own(config, environment);
            let over = own.map(|value| format!("; {VISIBLE}={} is overridden", clean(value, LONGEST)));
            notes.push(Note::warning(format!("GPU off: {what}{}", over.unwrap_or_default())));
        }
        // With `fail` the container is in rescue, and that says it.
        Some(what) if config.gpu.on_mismatch == OnMismatch::Warn => notes.push(Note::warning(what)),
        Some(_) => {}
        None => {
            if let Fit::MayDo(what) = gpu.fit(wanted(config)) {
                notes.push(Note::info(what));
            }
        }
    }
    let of_variables = if off { Vec::new() } else { gpu::warnings(gpu, config.gpu.cuda.is_some(), &variable) };
    notes.extend(of_variables.into_iter().map(Note::warning));
    Switch { off }
}

/// Why the config cannot be used on this machine, if it says that it cannot (`on_mismatch: fail`).
#[must_use]
pub fn fault(config: &Config, gpu: &Gpu, environment: &Environment) -> Option<String> {
    let fails = config.gpu.on_mismatch == OnMismatch::Fail;
    mismatch(config, gpu, environment).filter(|_| fails).map(|what| format!("gpu.on_mismatch is fail: {what}"))
}

/// Whether programs are to see no GPU.
fn switched_off(config: &Config, gpu: &Gpu, environment: &Environment) -> bool {
    config.gpu.on_mismatch == OnMismatch::Disable && mismatch(config, gpu, environment).is_some()
}

/// The config with the variables that keep programs off the GPU, if they are to be. For who makes no plan.
#[must_use]
pub fn with_gpu_off(mut config: Config, environment: &Environment) -> Config {
    if config.gpu.on_mismatch == OnMismatch::Disable {
        let gpu = super::facts::gpu(environment);
        Switch { off: switched_off(&config, &gpu, environment) }.set(&mut config.environment);
    }
    config
}

fn wanted(config: &Config) -> Option<Cuda> {
    config.gpu.cuda.as_deref().and_then(Cuda::parse)
}

/// What is needed and not there, in one line with what to do.
fn mismatch(config: &Config, gpu: &Gpu, environment: &Environment) -> Option<String> {
    let wanted = wanted(config);
    match (gpu.fit(wanted), wanted) {
        (Fit::TooOld(what), _) => Some(what),
        (Fit::NoGpu, Some(cuda)) => {
            let given = environment.get("NVIDIA_VISIBLE_DEVICES").map(|value| value.trim());
            let remedy = match given.filter(|given| ["void", "none"].contains(given)) {
                Some(given) => {
                    format!(
                        "NVIDIA_VISIBLE_DEVICES={given} keeps it from any: leave it unset, and start it with --gpus all"
                    )
                }
                None => "start it with --gpus all".to_owned(),
            };
            Some(format!("this container has no GPU, and gpu.cuda asks for CUDA {cuda}; {remedy}"))
        }
        _ => None,
    }
}

/// What someone set on purpose and does not get.
fn users_own<'a>(config: &'a Config, environment: &'a Environment) -> Option<&'a String> {
    let processes = config.services.values().map(|service| &service.environment);
    let processes = processes.chain(config.app.iter().map(|app| &app.environment));
    let mut all = std::iter::once(&config.environment).chain(processes).chain([environment]);
    all.find_map(|environment| environment.get(VISIBLE)).filter(|value| !value.is_empty())
}

impl Switch {
    /// Sets the variables, whatever they were, if they are to be set.
    pub fn set(self, environment: &mut Environment) {
        if self.off {
            environment.extend(OFF.map(|(name, value)| (name.to_owned(), value.to_owned())));
        }
    }

    /// Sets them for all processes, over their own. sshd's sessions get them by its config.
    pub fn set_for(self, services: &mut [Service]) {
        for service in services.iter_mut().filter(|service| service.name != super::SSHD) {
            self.set(&mut service.environment);
        }
    }

    /// What login shells source before everything else.
    pub fn in_shells(self) -> &'static str {
        if self.off { OFF_IN_SHELLS } else { "" }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{facts, find, loaded};
    use super::super::{APP, FIRST_RUN, Facts, Plan, SSHD, resolve};
    use super::*;
    use crate::machine::gpu::{Compat, Device, Driver};
    use crate::note::Level;

    const PASSWD: &str = "root:x:0:0::/root:/bin/sh\npeid:x:3100:1100::/home/peid:/bin/bash\n";
    const TOO_OLD: &str = "the driver 550.54.14 supports CUDA up to 12.4, and gpu.cuda asks for CUDA 12.9; ";

    /// A box with this many GPUs.
    fn with(gpus: usize, variables: &[(&str, &str)]) -> Facts {
        let device = Device { model: Some("NVIDIA H100".to_owned()), ..Device::default() };
        let driver = Some(Driver { version: "550.54.14".to_owned(), open: false });
        let gpu = Gpu { driver, devices: vec![device; gpus], ..Gpu::default() };
        let mut facts = facts(PASSWD);
        facts.environment.extend(variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        Facts {
            gpu,
            runtime: Some("/run/devinit".into()),
            etc_writable: true,
            capabilities: u64::MAX,
            sshd: Some("/sshd".into()),
            ..facts
        }
    }

    fn plan(config: &str, facts: &Facts) -> Plan {
        resolve(&loaded(config), facts, None)
    }

    /// What is said of GPUs.
    fn said(plan: &Plan) -> Vec<&Note> {
        let about = |note: &&Note| ["GPU", "CUDA", "driver"].iter().any(|word| note.text.contains(word));
        plan.record.notes.iter().filter(about).collect()
    }

    #[test]
    fn a_mismatch_is_a_warning_and_changes_nothing_else() {
        let plan = plan("{gpu: {cuda: '12.9'}, app: {command: [a]}}", &with(1, &[]));
        let [note] = said(&plan)[..] else { panic!("{:?}", plan.record.notes) };
        assert!(note.level == Level::Warning && note.text.starts_with(TOO_OLD), "{note:?}");
        assert!(!find(&plan, APP).unwrap().environment.contains_key(VISIBLE));
        assert!(!plan.profile.unwrap().snippet.contains(VISIBLE));
    }

    #[test]
    fn a_driver_that_does_is_not_spoken_of() {
        for mismatch in ["warn", "disable", "fail"] {
            let config = format!("{{gpu: {{cuda: '12.4', on_mismatch: {mismatch}}}, app: {{command: [a]}}}}");
            let facts = with(1, &[]);
            let plan = plan(&config, &facts);
            assert!(said(&plan).is_empty(), "{:?}", plan.record.notes);
            assert!(!find(&plan, APP).unwrap().environment.contains_key(VISIBLE));
            assert_eq!(fault(&loaded(&config).config, &facts.gpu, &facts.environment), None);
        }
    }

    #[test]
    fn disabled_means_for_everything_that_runs_whatever_it_sets_itself() {
        let config = "{gpu: {cuda: '12.9', on_mismatch: disable}, environment: {CUDA_VISIBLE_DEVICES: '1', A: b}, \
                      app: {command: [a], environment: {CUDA_VISIBLE_DEVICES: '2'}}, hooks: {on_boot: [[h]]}, \
                      services: {s: {command: [s], user: peid, environment: {NVIDIA_CPU_ONLY: '0'}}}, \
                      first_run: {steps: [{uv: {}}]}}";
        for gpus in [0, 1] {
            let facts = with(gpus, &[("CUDA_VISIBLE_DEVICES", "0")]);
            let plan = plan(config, &facts);
            for name in [APP, "s", "on-boot-1", FIRST_RUN] {
                let environment = &find(&plan, name).unwrap().environment;
                assert_eq!(
                    (environment[VISIBLE].as_str(), environment["NVIDIA_CPU_ONLY"].as_str()),
                    ("", "1"),
                    "{name}"
                );
            }
            assert!(!find(&plan, SSHD).unwrap().environment.contains_key(VISIBLE));
            let sessions = &plan.ssh.as_ref().unwrap().wanted.environment;
            assert_eq!((sessions[VISIBLE].as_str(), sessions["NVIDIA_CPU_ONLY"].as_str()), ("", "1"));
            let profile = plan.profile.as_ref().unwrap();
            assert!(profile.snippet.starts_with(OFF_IN_SHELLS), "{}", profile.snippet);
            let [note] = said(&plan)[..] else { panic!("{:?}", plan.record.notes) };
            let why =
                if gpus > 0 { TOO_OLD } else { "this container has no GPU, and gpu.cuda asks for CUDA 12.9; start" };
            assert!(note.text.starts_with(&format!("GPU off: {why}")), "{note:?}");
            assert!(note.text.ends_with("; CUDA_VISIBLE_DEVICES=1 is overridden"), "{note:?}");

            let main = Facts { main: vec!["a".to_owned()], ..facts };
            let plan = super::super::resolve(&loaded(config), &main, None);
            assert_eq!(find(&plan, super::super::MAIN).unwrap().environment["NVIDIA_CPU_ONLY"], "1");
        }
    }

    #[test]
    fn fail_is_a_fault_that_says_what_is_missing() {
        let fault = |on_mismatch: &str, facts: &Facts| {
            let config = loaded(&format!("{{gpu: {{cuda: '12.9', on_mismatch: {on_mismatch}}}}}")).config;
            super::fault(&config, &facts.gpu, &facts.environment)
        };
        assert!(fault("fail", &with(1, &[])).unwrap().starts_with(&format!("gpu.on_mismatch is fail: {TOO_OLD}")));
        let none = fault("fail", &with(0, &[("NVIDIA_VISIBLE_DEVICES", "none")])).unwrap();
        assert!(none.contains("has no GPU") && none.contains("NVIDIA_VISIBLE_DEVICES=none"), "{none}");
        assert_eq!((fault("warn", &with(0, &[])), fault("disable", &with(1, &[]))), (None, None));
    }

    #[test]
    fn a_cpu_box_is_no_mismatch_unless_a_version_is_asked_for() {
        for mismatch in ["warn", "disable", "fail"] {
            let mut facts = with(0, &[]);
            facts.gpu.image_cuda = Cuda::parse("13.0");
            let config = format!("{{gpu: {{on_mismatch: {mismatch}}}}}");
            assert!(said(&plan(&config, &facts)).is_empty());
            assert_eq!(fault(&loaded(&config).config, &facts.gpu, &facts.environment), None);
        }
    }

    #[test]
    fn compatibility_libraries_that_may_do_are_worth_knowing_and_no_mismatch() {
        let mut facts = with(1, &[]);
        let cuda = Cuda::parse("12.9").unwrap();
        facts.gpu.compat = Some(Compat { folder: "/usr/local/cuda/compat".into(), cuda, in_use: true });
        for mismatch in ["warn", "disable", "fail"] {
            let config = format!("{{gpu: {{cuda: '12.9', on_mismatch: {mismatch}}}}}");
            let plan = plan(&config, &facts);
            assert!(matches!(said(&plan)[..], [note] if note.level == Level::Info), "{:?}", plan.record.notes);
            assert_eq!(fault(&loaded(&config).config, &facts.gpu, &facts.environment), None);
        }
    }

    #[test]
    fn variables_that_surprise_are_warned_about_wherever_they_are_set() {
        let on = |config: &str, variables: &[(&str, &str)]| plan(config, &with(1, variables)).record.notes;
        let all =
            |notes: Vec<Note>| notes.iter().any(|note| note.text.starts_with("CUDA_VISIBLE_DEVICES=all means no"));
        assert!(all(on("{}", &[(VISIBLE, "all")])));
        assert!(all(on("{environment: {CUDA_VISIBLE_DEVICES: all}}", &[(VISIBLE, "0")])));
        assert!(!all(on("{environment: {CUDA_VISIBLE_DEVICES: '0'}}", &[(VISIBLE, "all")])));
    }
}
