//! The config's schema, compressed, and what the linker is told about the binary that ships.

use std::fs::File;
use std::path::PathBuf;
use std::{env, fs, io};

use flate2::Compression;
use flate2::write::ZlibEncoder;

/// Leaves out the tables for unwinding, 0.4 MiB. The release profile aborts on a panic, and without symbols a backtrace is
/// empty anyway, so nothing needs them. The compiler could only be told so for all profiles at once, and tests unwind. The
/// start files refer to their own tables.
const WITHOUT_UNWINDING: &str = "\
SECTIONS {
  /DISCARD/ : { *(EXCLUDE_FILE(*crtbegin*.o *crtend*.o) .eh_frame .gcc_except_table .gcc_except_table.*) }
}
INSERT AFTER .text;
";

fn main() -> io::Result<()> {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=config/schema.json");
    let folder = PathBuf::from(env::var_os("OUT_DIR").unwrap_or_default());
    // A seventh of its size; what unpacks it is there for the first run.
    let mut schema = ZlibEncoder::new(File::create(folder.join("schema.z"))?, Compression::best());
    io::copy(&mut File::open("config/schema.json")?, &mut schema)?;
    schema.finish()?;

    let is = |variable: &str, value: &str| env::var(variable).is_ok_and(|found| found == value);
    if is("PROFILE", "release") && is("CARGO_CFG_TARGET_ENV", "musl") {
        let script = folder.join("without-unwinding.ld");
        fs::write(&script, WITHOUT_UNWINDING)?;
        println!("cargo::rustc-link-arg-bins=-T{}", script.display());
        // A bit for each pointer that the start code has to relocate, where it would be 24 bytes.
        println!("cargo::rustc-link-arg-bins=-Wl,-z,pack-relative-relocs");
    }
    Ok(())
}
