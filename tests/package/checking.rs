//! `windlass-dev package --check`: what is wrong with a zip, whoever made it.

use std::path::Path;
use std::process::{Command, Output};

use serde_json::{Value, json};

use crate::repository::{Repository, said};
use crate::zips::{Item, python, sound, zip};

fn checked(zip: &Path) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_windlass-dev"));
    command.current_dir(env!("CARGO_MANIFEST_DIR")).args(["package", "--check"]).arg(zip);
    command.output().unwrap()
}

/// What is said of a zip of these, and whether it was let through.
fn said_of(bytes: &[u8]) -> (bool, String) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("some.zip");
    std::fs::write(&file, bytes).unwrap();
    let output = checked(&file);
    (output.status.success(), said(&output))
}

fn item<'a>(items: &'a mut [Item], name: &str) -> &'a mut Item {
    items.iter_mut().find(|item| item.name == name).unwrap()
}

fn change(items: &mut [Item], name: &str, change: impl FnOnce(&mut Value)) {
    let item = item(items, name);
    let mut json: Value = serde_json::from_slice(&item.content).unwrap();
    change(&mut json);
    item.content = json.to_string().into_bytes();
}

fn named(items: &mut [Item], executable: &str) {
    change(items, "host.json", |json| {
        json["customHandler"]["description"]["defaultExecutablePath"] = json!(executable);
    });
}

/// What may go wrong with a zip, and what is then said of it.
type Tampering = (&'static str, fn(&mut Vec<Item>), &'static [&'static str]);

const TAMPERINGS: &[Tampering] = &[
    (
        "a run bit that was lost on the way",
        |items| item(items, "windlass").mode = Some(0o644),
        &["windlass has lost its run bit: its mode is 644", "chmod 755"],
    ),
    (
        "a run bit for the owner alone",
        |items| item(items, "windlass").mode = Some(0o744),
        &["windlass has lost its run bit: its mode is 744"],
    ),
    (
        "a zip from Windows",
        |items| items.iter_mut().for_each(|item| item.mode = None),
        &["windlass has lost its run bit: it was zipped on Windows"],
    ),
    ("no handler", |items| items.retain(|item| item.name != "windlass"), &["windlass is missing", "beside host.json"]),
    (
        "another handler",
        |items| item(items, "windlass").name = "handler".into(),
        &["windlass is missing", "handler is no part"],
    ),
    ("a handler by its path", |items| named(items, "./windlass"), &["the handler's bare file name"]),
    ("no host.json", |items| items.retain(|item| item.name != "host.json"), &["host.json is missing"]),
    (
        "the folder in place of what is in it",
        |items| items.iter_mut().for_each(|item| item.name.insert_str(0, "dist/")),
        &["at dist/host.json; zip what is in the folder"],
    ),
    ("a host.json that is none", |items| item(items, "host.json").content = b"{".to_vec(), &["host.json: is no JSON"]),
    (
        "a host.json that stops a host",
        |items| {
            change(items, "host.json", |json| {
                json["version"] = json!("1.0");
                json["extensions"]["queues"]["batchSize"] = json!(33);
                json["extensions"]["queues"]["maxPollingInterval"] = json!("00:00:00.010");
            });
        },
        &["version is not \"2.0\"", "batchSize is 33", "maxPollingInterval is under"],
    ),
    (
        "a function.json that is none",
        |items| item(items, "health/function.json").content = b"{\"bindings\": [".to_vec(),
        &["health/function.json: is no JSON"],
    ),
    (
        "a function.json that is no text",
        |items| item(items, "health/function.json").content = vec![0xff, 0xfe, b'{'],
        &["health/function.json is no text"],
    ),
    (
        "a binding's name",
        |items| change(items, "runs/function.json", |json| json["bindings"][0]["name"] = json!("a-b")),
        &["runs/function.json: bindings[0].name is 'a-b'"],
    ),
    (
        "a route twice",
        |items| {
            let route = serde_json::from_slice::<Value>(&item(items, "health/function.json").content).unwrap();
            let route = route["bindings"][0]["route"].clone();
            change(items, "runs/function.json", |json| json["bindings"][0]["route"] = route);
        },
        &["runs/function.json: has the route of function 'health'"],
    ),
    (
        "a function's name",
        |items| item(items, "health/function.json").name = "2health/function.json".into(),
        &["'2health' is no function name"],
    ),
    (
        "a function one level too deep",
        |items| item(items, "health/function.json").name = "functions/health/function.json".into(),
        &["functions/health/function.json is no part of a package"],
    ),
    ("no function", |items| items.retain(|item| !item.name.contains('/')), &["there is no function in it"]),
    (
        "names from Windows",
        |items| item(items, "health/function.json").name = "health\\function.json".into(),
        &["has a backslash in its name"],
    ),
    ("a stray file", |items| items.push(Item::new("README.md", "hello")), &["README.md is no part of a package"]),
    ("a stray folder", |items| items.push(Item::new("src/", "")), &["src/ is no part of a package"]),
    (
        "a stray file in a function",
        |items| items.push(Item::new("health/index.js", "")),
        &["health/index.js is no part of a package"],
    ),
    (
        "this machine's settings",
        |items| items.push(Item::new("local.settings.json", r#"{"Values":{}}"#)),
        &["local.settings.json holds secrets", "change them"],
    ),
    ("a key", |items| items.push(Item::new("runs/deploy.PEM", "")), &["runs/deploy.PEM holds secrets"]),
    ("an environment", |items| items.push(Item::new(".env.production", "")), &[".env.production holds secrets"]),
    (
        "a secret in a file that belongs there",
        |items| {
            change(items, "host.json", |json| {
                json["customHandler"]["description"]["arguments"] = json!(["AccountName=a;AccountKey=c2VjcmV0"]);
            });
        },
        &["host.json holds a secret (AccountKey=…)"],
    ),
    (
        "a handler that grew",
        |items| item(items, "windlass").content.resize(25_000_000, 0),
        &["windlass has 25000 kB, and 25000 kB are the limit", "it has 25001 kB, and 15000 kB are the limit"],
    ),
];

#[test]
fn whatever_is_wrong_with_a_zip_is_told_with_what_to_do() {
    for (name, tamper, words) in TAMPERINGS {
        let mut items = sound();
        tamper(&mut items);
        let (fine, said) = said_of(&zip(&items));
        assert!(!fine, "{name}: was let through");
        for word in *words {
            assert!(said.contains(word), "{name}: {said}");
        }
        assert!(!said.contains("c2VjcmV0"), "{name} tells the secret: {said}");
    }
}

#[test]
fn all_that_is_wrong_is_told_at_once() {
    let mut items = sound();
    item(&mut items, "windlass").mode = Some(0o644);
    item(&mut items, "windlass").content = b"#!/bin/sh\n".to_vec();
    item(&mut items, "runs/function.json").content = b"[]".to_vec();
    items.push(Item::new("local.settings.json", "{}"));
    let (fine, said) = said_of(&zip(&items));
    assert!(!fine);
    assert_eq!(said.matches("\n  - ").count(), 4, "{said}");
}

#[test]
fn a_zip_of_another_tool_is_as_good_as_ours() {
    let repository = Repository::with_handler(&crate::programs::static_program());
    repository.staged();
    let lines = "import os, zipfile\nwith zipfile.ZipFile('theirs.zip', 'w', zipfile.ZIP_DEFLATED) as z:\n  \
                 for folder, _, files in os.walk('dist'):\n    if folder != 'dist': z.write(folder, folder[5:])\n    \
                 for f in files: z.write(folder + '/' + f, (folder + '/' + f)[5:])";
    python(repository.folder.path(), lines);
    let output = checked(&repository.path("theirs.zip"));
    assert!(output.status.success(), "{}", said(&output));
}

#[test]
fn what_is_in_a_sound_zip_is_listed() {
    let repository = Repository::with_handler(&crate::programs::static_program());
    repository.zipped();
    let output = checked(&repository.path("windlass.zip"));
    let told = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success());
    assert!(told.contains("0755       132  windlass\n"), "{told}");
    assert!(told.lines().any(|line| line.starts_with("0644 ") && line.ends_with("  health/function.json")), "{told}");
    assert!(told.contains("is sound: "), "{told}");
}

#[test]
fn what_is_no_zip_or_half_of_one_or_two_in_one_is_refused() {
    let whole = zip(&sound());
    let mut bent = whole.clone();
    // Within the handler, the second entry: its sum is wrong then.
    let at = whole.windows(4).position(|bytes| bytes == b"\x7fELF").unwrap();
    bent[at + 100] ^= 1;
    for (name, bytes) in
        [("text", b"PK is not enough".to_vec()), ("none", Vec::new()), ("half", whole[..whole.len() / 2].to_vec())]
    {
        let (fine, said) = said_of(&bytes);
        assert!(!fine && said.contains("it is no zip that can be read"), "{name}: {said}");
    }
    let (fine, complaint) = said_of(&bent);
    assert!(!fine && complaint.contains("entry 2 cannot be unpacked"), "{complaint}");

    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("two.zip"), whole).unwrap();
    let lines = "import warnings, zipfile\nwarnings.simplefilter('ignore')\n\
                 with zipfile.ZipFile('two.zip', 'a') as z: z.writestr('host.json', '{}')";
    python(folder.path(), lines);
    let output = checked(&folder.path().join("two.zip"));
    assert!(said(&output).contains("two entries of one name"), "{}", said(&output));
    assert!(!checked(&folder.path().join("missing.zip")).status.success());
}

#[test]
fn a_link_is_no_handler() {
    let folder = tempfile::tempdir().unwrap();
    let mut items = sound();
    items.retain(|item| item.name != "windlass");
    std::fs::write(folder.path().join("link.zip"), zip(&items)).unwrap();
    let lines = "import zipfile\nwith zipfile.ZipFile('link.zip', 'a') as z:\n  i = zipfile.ZipInfo('windlass')\n  \
                 i.create_system = 3\n  i.external_attr = 0o120777 << 16\n  z.writestr(i, '/usr/bin/windlass')";
    python(folder.path(), lines);
    let output = checked(&folder.path().join("link.zip"));
    assert!(said(&output).contains("windlass is a link"), "{}", said(&output));
}
