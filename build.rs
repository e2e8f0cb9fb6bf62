//! The config's schema and Mozilla's certificates, compressed, and what the linker is told about the binary that ships.

use std::fs::File;
use std::ops::Range;
use std::path::{Path, PathBuf};
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

/// Puts side by side what runs before a main command does: devinit's own way there, and the libraries that are common to
/// everything. The kernel reads and maps a program in pieces of 64 KiB, and strewn over all of it the way touched nearly
/// each of them, with a page fault for each. A name that is not there any more is passed over.
const START_TOGETHER: &str = "\
SECTIONS {
  .text.start : {
    *(.text.main .text._ZN7devinit4main* .text._ZN7devinit4boot* .text._ZN7devinit3log* .text._ZN7devinit3sys*)
    *(.text._ZN7devinit5paths* .text._ZN7devinit6engine* .text._ZN7devinit7prepare11environment*)
    *(.text._ZN7devinit4plan8services*)
    *(.text._R* .text._ZN3std* .text._ZN5alloc* .text._ZN3nix* .text._ZN12tracing_core* .text._ZN9once_cell*)
    *(.text._ZN4core4iter* .text._ZN4core6option* .text._ZN4core6result* .text._ZN4core3ptr* .text._ZN4core3ops*)
    *(.text._ZN4core3str* .text._ZN4core5slice5index* .text._ZN4core5slice3cmp* .text._ZN4core3cmp* .text._ZN4core5array*)
    *(.text._ZN??_$LT$alloc* .text._ZN???_$LT$alloc* .text._ZN??_$LT$$u5b$*)
    *(.text._ZN??_$LT$core* .text._ZN???_$LT$core* .text._ZN??_$LT$std* .text._ZN??_$LT$tracing_core*)
    *(.text._ZN??_$LT$T$u20$as$u20$* .text._ZN??_$LT$$RF$* .text._ZN??_$LT$devinit..engine*)
    *(.text._ZN??_$LT$devinit..log*)
  }
}
INSERT BEFORE .text;
";

fn main() -> io::Result<()> {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=config/schema.json");
    let folder = PathBuf::from(env::var_os("OUT_DIR").unwrap_or_default());
    // What unpacks them is there for the first run. The schema shrinks to a seventh, the certificates to two fifths.
    compress(&mut File::open("config/schema.json")?, &folder.join("schema.z"))?;
    let certificates = webpki_root_certs::TLS_SERVER_ROOT_CERTS.iter().flat_map(|certificate| unsigned(certificate));
    compress(&mut certificates.collect::<Vec<u8>>().as_slice(), &folder.join("certificates.z"))?;

    let is = |variable: &str, value: &str| env::var(variable).is_ok_and(|found| found == value);
    if is("PROFILE", "release") && is("CARGO_CFG_TARGET_ENV", "musl") {
        let script = folder.join("sections.ld");
        fs::write(&script, [WITHOUT_UNWINDING, START_TOGETHER].concat())?;
        println!("cargo::rustc-link-arg-bins=-T{}", script.display());
        // A bit for each pointer that the start code has to relocate, where it would be 24 bytes.
        println!("cargo::rustc-link-arg-bins=-Wl,-z,pack-relative-relocs");
    }
    Ok(())
}

/// The certificate with zeros for its signature, which is a third of it and cannot be compressed. A root's is its own, and
/// nobody checks it: a root is trusted because it is in the list.
fn unsigned(certificate: &[u8]) -> Vec<u8> {
    let mut bytes = certificate.to_vec();
    // A SEQUENCE of what is signed, the algorithm and the signature: a BIT STRING, whose first byte is about its bits.
    let signed = content(certificate, content(certificate, 0).start);
    let signature = content(certificate, content(certificate, signed.end).end);
    bytes[signature.start + 1..signature.end].fill(0);
    bytes
}

/// Where the content is of what begins at `start` in DER.
fn content(der: &[u8], start: usize) -> Range<usize> {
    let start = start + 2;
    match usize::from(der[start - 1]) {
        length @ ..0x80 => start..start + length,
        long => {
            let end = start + (long & 0x7f);
            end..end + der[start..end].iter().fold(0, |length, byte| length << 8 | usize::from(*byte))
        }
    }
}

fn compress(from: &mut impl io::Read, to: &Path) -> io::Result<()> {
    let mut to = ZlibEncoder::new(File::create(to)?, Compression::best());
    io::copy(from, &mut to)?;
    to.finish().map(drop)
}
