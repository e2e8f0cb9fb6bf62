//! The container's exit code is its command's; 126, 127 and 128+N as a shell has them.

use crate::support::{BASE, Container};

#[test]
fn the_exit_code_is_the_commands() {
    let cases: [(&[&str], i32); 10] = [
        (&["true"], 0),
        (&["false"], 1),
        (&["sh", "-c", "exit 42"], 42),
        (&["sh", "-c", "exit 255"], 255),
        (&["/nope"], 127),
        (&["no-such-program"], 127),
        (&["/etc/passwd"], 126),
        (&["/etc"], 126),
        (&["sh", "-c", "kill -KILL $$"], 137),
        (&["sh", "-c", "kill -TERM $$"], 143),
    ];
    for (command, code) in cases {
        let output = Container::image(BASE).arguments(command).output();
        assert_eq!(output.code, code, "{command:?}: {output:?}");
        if matches!(code, 126 | 127) {
            assert!(output.stderr.contains(command[0]), "{command:?}: the message does not name it: {}", output.stderr);
        }
    }
}

#[test]
fn a_commands_output_and_input_are_its_own() {
    let output = Container::image(BASE).command(["echo", "two words", ""]).output();
    assert_eq!(output.stdout, "two words \n");
    let output = Container::image(BASE).command(["tr", "a-z", "A-Z"]).output_given("from outside\n");
    assert_eq!(output.stdout, "FROM OUTSIDE\n");
}

#[test]
fn options_of_the_command_are_not_devinits() {
    let output = Container::image(BASE).command(["echo", "--help", "--", "-x"]).output();
    assert_eq!(output.stdout, "--help -- -x\n");
}

#[test]
fn a_command_has_the_containers_environment() {
    let output = Container::image(BASE)
        .config("{version: 1, environment: {HF_HOME: /workspace/hf}, path: [/opt/tools/bin]}")
        .env("HF_TOKEN", "hf_1")
        .option("--workdir=/usr/lib")
        .command(["sh", "-c", "echo $HF_TOKEN $HF_HOME $PWD; echo $PATH"])
        .output()
        .success();
    let (first, path) = output.split_once('\n').unwrap();
    assert_eq!(first, "hf_1 /workspace/hf /usr/lib");
    assert!(path.starts_with("/opt/tools/bin:"), "{path}");
}

/// Real-time signals, and 33 and 34 that the C library keeps for itself, included.
#[test]
fn a_command_has_the_signal_mask_and_dispositions_that_devinit_was_started_with() {
    let start = "import signal, os, sys
for number in [10, 13, 17]: signal.signal(number, signal.SIG_IGN)
signal.pthread_sigmask(signal.SIG_BLOCK, [2, 15, 34, 64])
os.execvp(sys.argv[1], sys.argv[1:])";
    let signals = |words: &[&str]| {
        let command = [&["-c", start], words, &["grep", "-E", "^Sig(Blk|Ign|Cgt)", "/proc/self/status"]].concat();
        Container::image(BASE).option("--entrypoint=python3").arguments(&command).output().success()
    };
    assert_eq!(signals(&["devinit", "--"]), signals(&[]));
}
