//! Programs for x86-64, with whatever needs a test wants them to have.

use std::collections::BTreeSet;
use std::io::Write;
use std::process::{Command, Stdio};

use regex::bytes::Regex;
use windlass::dev::package::{Program, check};

use crate::repository::{Repository, said};
use crate::zips::{Item, sound, zip};

/// A static program that ends with code 7: a header, one segment, and `exit(7)`.
pub fn static_program() -> Vec<u8> {
    let mut program = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0".to_vec();
    program.extend([2, 0, 62, 0, 1, 0, 0, 0]);
    // Where it begins, where its segments are described, and no sections.
    for word in [0x40_0078_u64, 64, 0] {
        program.extend(word.to_le_bytes());
    }
    program.extend([0, 0, 0, 0, 64, 0, 56, 0, 1, 0, 0, 0, 0, 0, 0, 0]);
    program.extend([1, 0, 0, 0, 5, 0, 0, 0]);
    for word in [0_u64, 0x40_0000, 0x40_0000, 132, 132, 0x1000] {
        program.extend(word.to_le_bytes());
    }
    program.extend(b"\xbf\x07\0\0\0\xb8\x3c\0\0\0\x0f\x05");
    program
}

/// A program that this machine's compiler links against this machine's glibc.
fn linked() -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("program");
    let mut compiler =
        Command::new("cc").args(["-x", "c", "-", "-o"]).arg(&program).stdin(Stdio::piped()).spawn().unwrap();
    let text = b"#include <stdio.h>\nint main(int n, char **v) { return printf(\"%d\", n) < 0; }\n";
    compiler.stdin.take().unwrap().write_all(text).unwrap();
    assert!(compiler.wait().unwrap().success());
    std::fs::read(program).unwrap()
}

/// The versions of glibc's interface that stand in a program, by their text alone.
fn versions(program: &[u8]) -> BTreeSet<(u32, u32)> {
    let form = Regex::new(r"GLIBC_(\d+)\.(\d+)").unwrap();
    let number = |text: &[u8]| std::str::from_utf8(text).unwrap().parse().unwrap();
    form.captures_iter(program).map(|found| (number(&found[1]), number(&found[2]))).collect()
}

/// The same program with another text of the same length in place of one that it has.
fn replaced(program: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    assert_eq!(from.len(), to.len());
    let mut program = program.to_vec();
    let places: Vec<_> = (0..program.len()).filter(|at| program[*at..].starts_with(from)).collect();
    assert!(!places.is_empty(), "{} is not in it", String::from_utf8_lossy(from));
    for at in places {
        program[at..at + to.len()].copy_from_slice(to);
    }
    program
}

/// One that would run on the platform, wherever it was linked: versions beyond the floor are called by older names.
fn linked_to_an_old_glibc() -> Vec<u8> {
    let program = linked();
    let newer = versions(&program).into_iter().filter(|version| *version > (2, 28));
    newer.fold(program, |program, (major, minor)| {
        replaced(&program, format!("GLIBC_{major}.{minor}\0").as_bytes(), b"GLIBC_2.17\0")
    })
}

fn faults(program: Vec<u8>) -> String {
    let mut items = sound();
    items.iter_mut().find(|item| item.name == "windlass").unwrap().content = program;
    check(&zip(&items)).err().unwrap_or_default().join("\n")
}

#[test]
fn a_program_that_needs_a_newer_glibc_is_refused_with_the_version_that_it_needs() {
    let program = replaced(&linked(), b"GLIBC_2.2.5\0", b"GLIBC_2.99\0\0");
    let repository = Repository::with_handler(&program);
    let output = repository.package(&["--zip", "--handler", "built"]);
    assert!(!output.status.success());
    let said = said(&output);
    assert!(said.contains("windlass needs GLIBC_2.99") && said.contains("2.28"), "{said}");
    assert!(said.contains("leave --handler out"), "{said}");
    assert!(!repository.path("windlass.zip").exists());
}

#[test]
fn what_this_machine_links_is_judged_by_the_versions_that_stand_in_it() {
    let program = linked();
    let (major, minor) = *versions(&program).last().unwrap();
    let said = faults(program);
    match (major, minor) > (2, 28) {
        true => assert!(said.contains(&format!("needs GLIBC_{major}.{minor}")), "{said}"),
        false => assert_eq!(said, ""),
    }
}

#[test]
fn a_program_for_an_old_glibc_is_let_through_and_its_highest_version_told() {
    let program = linked_to_an_old_glibc();
    let (major, minor) = *versions(&program).last().unwrap();
    let mut items: Vec<Item> = sound();
    items.iter_mut().find(|item| item.name == "windlass").unwrap().content = program;
    let package = check(&zip(&items)).unwrap_or_else(|faults| panic!("{faults:?}"));
    assert!(matches!(package.handler, Program::Glibc(_)));
    assert_eq!(package.handler.to_string(), format!("needs glibc {major}.{minor} at least"));
}

#[test]
fn what_no_glibc_promises_and_what_is_no_part_of_it_are_named() {
    let program = linked_to_an_old_glibc();
    let said = faults(replaced(&program, b"GLIBC_2.2.5\0", b"GLIBC_ABI_X\0"));
    assert!(said.contains("windlass needs GLIBC_ABI_X, which no glibc up to 2.28 promises"), "{said}");
    let said = faults(replaced(&program, b"libc.so.6\0", b"libz.so.1\0"));
    assert!(said.contains("windlass needs libz.so.1") && said.contains("statically"), "{said}");
}

#[test]
fn a_program_that_nobody_can_judge_is_refused() {
    let mut program = linked_to_an_old_glibc();
    // Where its sections are described, and how many there are.
    program[0x28..0x30].fill(0);
    program[0x3c..0x40].fill(0);
    let said = faults(program);
    assert!(said.contains("has lost its table of sections"), "{said}");
    let mut program = linked_to_an_old_glibc();
    program.truncate(2_000);
    assert!(faults(program).contains("windlass cannot be read as a program"));
}

#[test]
fn a_program_for_other_processors_and_what_is_none_are_refused() {
    let mut program = static_program();
    program[18] = 183;
    assert!(faults(program).contains("windlass is no program for x86-64"));
    for other in [&b"#!/bin/sh\nexit 7\n"[..], b"", b"MZ\x90\0", b"\xcf\xfa\xed\xfe"] {
        let said = faults(other.to_vec());
        assert!(said.contains("windlass is no ELF program"), "{said}");
    }
}
