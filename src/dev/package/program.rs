//! The handler's program, looked into: what it asks of the machine that is to run it.

use std::fmt;

use object::Endianness;
use object::elf::{self, FileHeader64};
use object::read::elf::{Dyn, FileHeader, ProgramHeader};

/// What Azure runs it on is not documented; every Linux that is still supported has at least this glibc.
pub const FLOOR: Version = Version([2, 28, 0]);

/// What comes with glibc itself, and gcc's companion to it. Nothing else is certain to be there.
const LIBRARIES: [&str; 8] = [
    "ld-linux-x86-64.so.2",
    "libc.so.6",
    "libdl.so.2",
    "libgcc_s.so.1",
    "libm.so.6",
    "libpthread.so.0",
    "librt.so.1",
    "libutil.so.1",
];

/// A version of glibc's interface.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Version([u32; 3]);

impl fmt::Display for Version {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [major, minor, patch] = self.0;
        write!(to, "{major}.{minor}")?;
        if patch > 0 { write!(to, ".{patch}") } else { Ok(()) }
    }
}

impl Version {
    /// `2.17`, `2.2.5`
    fn parse(text: &str) -> Option<Self> {
        let mut parts = [0; 3];
        let mut given = text.split('.');
        for (part, text) in parts.iter_mut().zip(&mut given) {
            *part = text.parse().ok()?;
        }
        given.next().is_none().then_some(Self(parts))
    }
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Program {
    /// It brings everything along.
    Static,
    /// The highest version of glibc's interface that it needs.
    Glibc(Version),
}

impl fmt::Display for Program {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Static => to.write_str("is static"),
            Self::Glibc(highest) => write!(to, "needs glibc {highest} at least"),
        }
    }
}

/// What the program needs, or everything for which it would not run on the platform.
pub fn inspect(bytes: &[u8]) -> Result<Program, Vec<String>> {
    let needs = needs(bytes).map_err(|fault| vec![fault])?;
    let Some(needs) = needs else { return Ok(Program::Static) };
    let mut faults = Vec::new();
    for library in needs.libraries.iter().filter(|library| !LIBRARIES.contains(&library.as_str())) {
        faults.push(format!("needs {library}, which the platform need not have; link it statically"));
    }
    let mut highest = Version([2, 0, 0]);
    for name in &needs.versions {
        let Some(version) = name.strip_prefix("GLIBC_") else { continue };
        match Version::parse(version) {
            Some(version) => highest = highest.max(version),
            // Such as GLIBC_ABI_DT_RELR, which only newer ones have, and GLIBC_PRIVATE, which is for glibc alone.
            None => faults.push(format!("needs {name}, which no glibc up to {FLOOR} promises; {REMEDY}")),
        }
    }
    if highest > FLOOR {
        faults.push(format!(
            "needs GLIBC_{highest}, but the platform's glibc is not documented and may be {FLOOR}; {REMEDY}"
        ));
    }
    if faults.is_empty() { Ok(Program::Glibc(highest)) } else { Err(faults) }
}

const REMEDY: &str = "leave --handler out, and it is built against that";

struct Needs {
    libraries: Vec<String>,
    versions: Vec<String>,
}

/// None for a static program. An error for what is no program for the platform at all.
fn needs(bytes: &[u8]) -> Result<Option<Needs>, String> {
    let no_program = |_| "is no ELF program of 64 bits; a handler for Azure is built for Linux on x86-64".to_owned();
    let header = FileHeader64::<Endianness>::parse(bytes).map_err(no_program)?;
    let endian = header.endian().map_err(no_program)?;
    if header.e_machine(endian) != elf::EM_X86_64 || ![elf::ET_EXEC, elf::ET_DYN].contains(&header.e_type(endian)) {
        return Err("is no program for x86-64; build it for that target".to_owned());
    }
    read(header, endian, bytes).map_err(|error| format!("cannot be read as a program ({error}); build it anew"))?
}

/// The inner error is a program that can be read, and not judged.
fn read(
    header: &FileHeader64<Endianness>,
    endian: Endianness,
    bytes: &[u8],
) -> Result<Result<Option<Needs>, String>, object::Error> {
    let segments = header.program_headers(endian, bytes)?;
    let has = |kind| segments.iter().any(|segment| segment.p_type(endian) == kind);
    let interpreted = has(elf::PT_INTERP);
    if !interpreted && !has(elf::PT_DYNAMIC) {
        return Ok(Ok(None));
    }
    let sections = header.sections(endian, bytes)?;
    let Some((entries, strings)) = sections.dynamic(endian, bytes)? else {
        let fault =
            "has lost its table of sections, so that nobody can tell what it needs; strip it with `strip` alone";
        return Ok(Err(fault.to_owned()));
    };
    let strings = sections.strings(endian, bytes, strings)?;
    let mut libraries = Vec::new();
    for entry in entries.iter().filter(|entry| entry.tag(endian) == elf::DT_NEEDED) {
        libraries.push(text(entry.string(endian, strings)?));
    }
    // A static program that may be loaded anywhere has such a table, too.
    if libraries.is_empty() && !interpreted {
        return Ok(Ok(None));
    }
    let mut versions = Vec::new();
    if let Some((needed, strings)) = sections.gnu_verneed(endian, bytes)? {
        let strings = sections.strings(endian, bytes, strings)?;
        for library in needed {
            for version in library?.1 {
                versions.push(text(version?.name(endian, strings)?));
            }
        }
    }
    Ok(Ok(Some(Needs { libraries, versions })))
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_as_numbers_and_not_as_text() {
        let version = |text| Version::parse(text).unwrap();
        assert!(version("2.4") < FLOOR && version("2.28") == FLOOR && version("2.28.1") > FLOOR);
        assert!(version("2.100") > version("2.34") && version("2.2.5") < version("2.17"));
        assert_eq!((version("2.17").to_string(), version("2.2.5").to_string()), ("2.17".into(), "2.2.5".into()));
        for other in ["ABI_DT_RELR", "PRIVATE", "2.2.5.1", ""] {
            assert_eq!(Version::parse(other), None, "{other}");
        }
    }
}
