//! Stands in for the unwinder in the binary that ships, where a panic ends the process at once.
//!
//! Rust's library brings code that walks the stack and names what it finds there for a backtrace, 0.2 MiB with the unwinder
//! and the readers of debug information. The binary has no symbols and no tables for unwinding (build.rs), so that code
//! could name nothing. With these functions in place of the unwinder's the linker sees that, and leaves it all out.
//! Whatever unwinds, tests among them, has the real ones.
#![cfg(all(panic = "abort", target_env = "musl", not(debug_assertions)))]

use std::ffi::{c_int, c_void};

use nix::libc;

/// _URC_END_OF_STACK: there is no frame to show.
const END_OF_STACK: c_int = 5;

// SAFETY: the signature is that of the Itanium C++ ABI for exception handling, which Rust's library calls it by. It calls
// nothing, as if the stack were empty.
#[unsafe(no_mangle)]
extern "C" fn _Unwind_Backtrace(_: *const c_void, _: *mut c_void) -> c_int {
    END_OF_STACK
}

/// What only a frame that is being unwound is asked, so nobody asks.
macro_rules! never_called {
    ($($name:ident)*) => {$(
        // SAFETY: it takes nothing and does not return, so it fits every way to call it.
        #[unsafe(no_mangle)]
        extern "C" fn $name() -> ! {
            // SAFETY: abort(3) may be called at any time.
            unsafe { libc::abort() }
        }
    )*};
}

never_called! {
    _Unwind_FindEnclosingFunction _Unwind_GetCFA _Unwind_GetDataRelBase _Unwind_GetIP _Unwind_GetIPInfo
    _Unwind_GetLanguageSpecificData _Unwind_GetRegionStart _Unwind_GetTextRelBase _Unwind_Resume _Unwind_SetGR _Unwind_SetIP
}
