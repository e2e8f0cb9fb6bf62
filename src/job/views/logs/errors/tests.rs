use super::*;

const ERRORS: &[&str] = &[
    // make, ninja, cmake, autoconf
    "make: *** [Makefile:12: all] Error 2",
    "make[2]: *** [CMakeFiles/a.dir/build.make:76: CMakeFiles/a.dir/a.c.o] Error 1",
    "make: *** No rule to make target 'x.c', needed by 'x.o'.  Stop.",
    "Makefile:3: *** missing separator.  Stop.",
    "ninja: build stopped: subcommand failed.",
    "ninja: error: loading 'build.ninja': No such file or directory",
    "FAILED: src/a.o",
    "[3/17] FAILED: src/a.o",
    "CMake Error at CMakeLists.txt:12 (find_package):",
    "-- Configuring incomplete, errors occurred!",
    "configure: error: C compiler cannot create executables",
    // gcc, clang, linkers
    "src/a.c:12:5: error: 'x' undeclared (first use in this function)",
    "src/a.c:3:10: fatal error: errors.h: No such file or directory",
    "a.c:12:5: error: unused variable 'x' [-Werror=unused-variable]",
    "cc1plus: all warnings being treated as errors",
    "3 errors generated.",
    "1 error generated.",
    "2 warnings and 1 error generated.",
    "compilation terminated due to errors: 3",
    "/usr/bin/ld: cannot find -lz: No such file or directory",
    "/usr/bin/ld: a.o: in function `main':",
    "a.c:(.text+0x1b): undefined reference to `frob'",
    "collect2: error: ld returned 1 exit status",
    "ld.lld: error: undefined symbol: frob",
    "clang: error: linker command failed with exit code 1 (use -v to see invocation)",
    "a.c:(.text+0x0): multiple definition of `x'; b.o:b.c:(.text+0x0): first defined here",
    "g++: internal compiler error: Killed (program cc1plus)",
    "c++: fatal error: Killed signal terminated program cc1plus",
    "main.c(12): error C2065: 'x': undeclared identifier",
    "nvcc fatal   : Unsupported gpu architecture 'compute_30'",
    // cargo, go, java, node, gradle
    "error[E0308]: mismatched types",
    "error: could not compile `devinit` (lib) due to 2 previous errors",
    "thread 'main' panicked at src/main.rs:2:5:",
    "test parser::reads ... FAILED",
    "test result: FAILED. 3 passed; 1 failed; 0 ignored",
    "panic: runtime error: index out of range [3] with length 3",
    "goroutine 1 [running]:",
    "fatal error: all goroutines are asleep - deadlock!",
    "--- FAIL: TestParse (0.00s)",
    "Exception in thread \"main\" java.lang.NullPointerException",
    "Caused by: java.io.IOException: Stream closed",
    "java.lang.IllegalStateException: no",
    "[ERROR] COMPILATION ERROR :",
    "[INFO] BUILD FAILURE",
    "FAILURE: Build failed with an exception.",
    "npm ERR! code ELIFECYCLE",
    "npm error code ENOENT",
    "error Command failed with exit code 1.",
    // Python, pip, pytest
    "ModuleNotFoundError: No module named 'numpy'",
    "torch.cuda.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB",
    "AssertionError",
    "E       assert 1 == 2",
    "E   ValueError: no",
    "FAILED tests/test_a.py::test_x - assert 1 == 2",
    "=================================== FAILURES ===================================",
    "==================== 1 failed, 3 passed in 0.12s ====================",
    "ERROR: Could not find a version that satisfies the requirement x==9",
    "ERROR: No matching distribution found for x==9",
    "error: subprocess-exited-with-error",
    "  Failed to build wheel for x",
    "2026-01-31 12:00:00,123 - root - ERROR - it broke",
    "ERROR:root:it broke",
    "requests.exceptions.HTTPError: 404 Client Error: Not Found for url: https://a.b/c",
    // spack, bazel, ctest, docker, git, apt, curl
    "==> Error: Package 'x' not found.",
    "==> Error: zlib-1.3.1 failed to build",
    "==> [2026-01-31-12:00:00] Error: ProcessError: Command exited with status 2:",
    "     >> 123    error: x",
    "ERROR: /src/BUILD:3:1: C++ compilation of rule '//:a' failed (Exit 1)",
    "//a:test                                          FAILED in 0.3s",
    "1/3 Test #1: parser ...................***Failed    0.01 sec",
    "The following tests FAILED:",
    "50% tests passed, 1 tests failed out of 2",
    "Error response from daemon: No such container: x",
    "fatal: not a git repository (or any of the parent directories): .git",
    "error: pathspec 'x' did not match any file(s) known to git",
    "E: Unable to locate package x",
    "Err:1 http://deb/x bookworm InRelease",
    "dpkg: error processing package x (--configure):",
    "curl: (6) Could not resolve host: a.b",
    "wget: unable to resolve host address 'a.b'",
    "tar: Exiting with failure status due to previous errors",
    "gzip: stdin: unexpected end of file",
    // shell, kernel
    "bash: line 1: foo: command not found",
    "/bin/sh: 1: cmake: not found",
    "bash: ./x: Permission denied",
    "./run.sh: line 3: syntax error near unexpected token `('",
    "Segmentation fault (core dumped)",
    "./a.sh: line 2: 12345 Killed                  ./big",
    "[1]+  Killed                  ./big",
    "Killed",
    "Bus error",
    "Aborted",
    "Out of memory: Killed process 4711 (cc1plus) total-vm:1kB",
    "oom-kill:constraint=CONSTRAINT_MEMCG",
    "cp: error writing 'x': No space left on device",
    "mkdir: cannot create directory 'x': Read-only file system",
    "./a: error while loading shared libraries: libz.so.1: cannot open shared object file",
    "terminate called after throwing an instance of 'std::runtime_error'",
    "  what():  boom",
    "a: a.c:3: main: Assertion `x' failed.",
    "==12==ERROR: AddressSanitizer: heap-use-after-free",
    "(signal: 11, SIGSEGV: invalid memory reference)",
    "*** stack smashing detected ***: terminated",
    "read: Connection reset by peer",
    "An error occurred while installing x",
    "command exited with exit code 3",
    "level=error msg=\"it broke\"",
    "{\"level\":\"error\",\"msg\":\"it broke\"}",
    "not ok 3 - parses",
    // CUDA
    "CUDA error: no kernel image is available for execution on the device",
    "RuntimeError: cuDNN error: CUDNN_STATUS_EXECUTION_FAILED",
    "cublas returned CUBLAS_STATUS_ALLOC_FAILED",
    "CUDA_ERROR_NO_DEVICE: no CUDA-capable device is detected",
    "NVRM: Xid (PCI:0000:01:00): 79, GPU has fallen off the bus.",
    "cudaErrorMemoryAllocation",
];

const HARMLESS: &[&str] = &[
    "",
    "cc -c a.c",
    "0 errors",
    "0 errors, 3 warnings",
    "Found 0 errors in 3 files",
    "no error",
    "no errors found",
    "No errors.",
    "Finished without errors",
    "no fatal errors",
    "compiled with 0 error(s)",
    "    0 Error(s)",
    "Errors: 0",
    "Error: 0",
    "error: none",
    "Tests run: 5, Failures: 0, Errors: 0, Skipped: 0",
    "errors=0 failed=0",
    "test result: ok. 5 passed; 0 failed; 0 ignored; 0 measured",
    "100% tests passed, 0 tests failed out of 2",
    "# FAIL:  0",
    "# ERROR: 0",
    "# XFAIL: 2",
    "gcc -Wall -Werror -c a.c",
    "cc -Wno-error=unused -Werror=format -c a.c",
    "valgrind --error-exitcode=1 ./a",
    "CC      src/error_handler.o",
    "gcc -c errors.c -o errors.o",
    "[3/17] Building CXX object src/CMakeFiles/a.dir/error.cc.o",
    "Compiling error-chain v0.12.4",
    "   Compiling thiserror v2.0.1",
    "   Compiling serde_path_to_error v0.1.16",
    "Get:1 http://deb/debian bookworm/main amd64 libgpg-error0 amd64 1.46-1",
    "==> libgpg-error: Successfully installed libgpg-error-1.49-abcdef",
    "[+] /opt/store/libgpg-error-1.49",
    "test error_is_told ... ok",
    "test errors::bad_input ... ok",
    "test fails_on_error: yes ... ok",
    "tests/test_error.py::test_failed PASSED                  [ 42%]",
    "ok 12 - error is raised",
    "  ✓ error: shows a message",
    "PASS: error handling",
    "see https://a.b/errors/error: for more",
    "downloading https://a.b/error/failed.tar.gz",
    "/usr/share/error/messages",
    "src/error.rs",
    "installing: include/error.h",
    "mv errors.log old/",
    "a.c:3:5: warning: unused variable 'error' [-Wunused-variable]",
    "a.c:3:5: warning: error: is a strange label",
    "a.c:3:5: note: 'error' declared here",
    "WARNING: could not open the cache, going on without",
    "[WARN] failed to warm up, retrying",
    "ld: warning: -s is obsolete",
    "/usr/bin/ld: warning: a.o: missing .note.GNU-stack section implies executable stack",
    "-- Performing Test HAVE_X - Failed",
    "-- Could NOT find Doxygen (missing: DOXYGEN_EXECUTABLE)",
    "-- Looking for error.h - not found",
    "checking for strerror... yes",
    "checking for library containing error... no",
    "checking whether the compiler supports -fno-error: yes",
    "make: [Makefile:3: clean] Error 1 (ignored)",
    "+ grep error: build.log",
    "Retry on error",
    "exit if failed",
    "Epoch 3: loss 0.1234, error: 0.0123",
    "mean squared error 0.0123",
    "standard error of the mean",
    "error rate 3 %",
    "Error handling was improved",
    "printing error messages",
    "def on_error(self):",
    "except ValueError:",
    "    raise ValueError(\"x\")",
    "exit status 0",
    "exited with code 0",
    "process finished with exit code 0",
    "drwxr-xr-x 2 root root 4096 Jan 31 12:00 errors",
    "set ERROR=1",
    "export ERROR_LOG=/tmp/x",
    "-DERROR=1 -DFAILED=0 -DNO_ERROR",
    "failed_login.c",
    "0 failed, 3 passed",
    "Killed 3 processes of yesterday",
    "INFO: retrying after error: x",
    "2026-01-31 12:00:00 DEBUG failed to get the lock, again in 1s",
    "{\"error\": null, \"value\": 3}",
    "Setting up libterror-perl (1.2-3) ...",
    "cuDNN returned CUDNN_STATUS_SUCCESS",
    "Mirror: a.b",
    "terror: the movie",
];

#[test]
fn errors_of_the_usual_tools_are_found() {
    let missed: Vec<&&str> = ERRORS.iter().filter(|line| !looks_like_error(line)).collect();
    assert!(missed.is_empty(), "{missed:#?}");
}

#[test]
fn what_only_speaks_of_errors_is_none() {
    let taken: Vec<&&str> = HARMLESS.iter().filter(|line| looks_like_error(line)).collect();
    assert!(taken.is_empty(), "{taken:#?}");
}

/// The lines of a text that are errors, by their numbers.
fn found(text: &str) -> Vec<usize> {
    let mut errors = Errors::default();
    text.lines().enumerate().filter(|(_, line)| errors.is_error(true, line)).map(|(at, _)| at).collect()
}

#[test]
fn a_traceback_is_one_to_its_last_line() {
    let text = "\
hello
Traceback (most recent call last):
  File \"a.py\", line 3, in <module>
    frob()
  File \"a.py\", line 2, in frob
    raise Strange(3)
a.Strange: three
bye";
    assert_eq!(found(text), [1, 2, 3, 4, 5, 6]);
}

#[test]
fn tracebacks_with_something_in_front_and_in_chains_are_found() {
    let ranked = "\
[rank0]: Traceback (most recent call last):
[rank0]:   File \"a.py\", line 3
[rank0]: Strange: three
[rank0]: bye";
    assert_eq!(found(ranked), [0, 1, 2]);
    let chain = "\
Traceback (most recent call last):
  File \"a.py\"
Strange: three

During handling of the above exception, another exception occurred:

Traceback (most recent call last):
  File \"b.py\"
KeyboardInterrupt
bye";
    assert_eq!(found(chain), [0, 1, 2, 4, 6, 7, 8]);
}

#[test]
fn a_traceback_of_one_stream_is_not_ended_by_the_other() {
    let mut errors = Errors::default();
    let lines = [
        (true, TRACEBACK, true),
        (false, "  cc -c a.c", false),
        (true, "  File \"a.py\"", true),
        (false, "hello", false),
        (true, "Strange: three", true),
        (true, "  hello", false),
    ];
    for (stderr, line, is) in lines {
        assert_eq!(errors.is_error(stderr, line), is, "{line}");
    }
}

#[test]
fn no_line_is_too_strange() {
    let mut errors = Errors::default();
    for text in ["error", "error:", "failed ", ": ", "***", "ü", "x ", "\t", "[", "Error 1 ", "E   ", "'error' ", "0 "]
    {
        for count in [1, 2, 97, 5000, 70_000] {
            errors.is_error(false, &text.repeat(count));
        }
    }
}
