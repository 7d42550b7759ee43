//! The workspace is the one that ARCHITECTURE.md draws: edges, sources, licences, versions, rule ids.

#![allow(
    clippy::panic,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test: a panic is its report"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// Who may depend on whom inside the workspace.
const EDGES: &[(&str, &[&str])] = &[
    ("sudare-kernels", &[]),
    ("sudare-crypto", &["sudare-kernels"]),
    ("sudare-disclosure", &["sudare-crypto", "sudare-kernels"]),
    ("sudare-ledger", &["sudare-crypto", "sudare-disclosure"]),
    ("sudare-api", &["sudare-crypto", "sudare-disclosure", "sudare-ledger"]),
    ("sudare", &["sudare-api", "sudare-crypto", "sudare-disclosure", "sudare-ledger"]),
    (
        "sudare-tests",
        &[
            "sudare",
            "sudare-api",
            "sudare-crypto",
            "sudare-disclosure",
            "sudare-kernels",
            "sudare-ledger",
        ],
    ),
];

/// Outside crates that only these packages may use: clocks, sockets and disks stay out of the rules.
const CONFINED: &[(&str, &[&str])] = &[
    ("fjall", &["sudare", "sudare-tests"]),
    ("quinn", &["sudare", "sudare-tests"]),
    ("rustls", &["sudare", "sudare-tests"]),
    ("tokio", &["sudare-api", "sudare", "sudare-tests"]),
    ("tokio-rustls", &["sudare", "sudare-tests"]),
    ("axum", &["sudare-api"]),
    ("hyper", &["sudare-api"]),
    ("sqlx", &["sudare-api"]),
    ("rcgen", &["sudare", "sudare-tests"]),
    ("serde", &["sudare-api", "sudare", "sudare-tests"]),
];

/// Crates that must not be linked.
const BANNED: &[&str] =
    &["openssl", "openssl-sys", "native-tls", "aws-lc-rs", "aws-lc-sys", "bincode"];

/// The lowest versions without a known hole.
const MINIMUM: &[(&str, (u64, u64, u64))] = &[
    ("curve25519-dalek", (4, 1, 3)),
    ("ed25519-dalek", (2, 0, 0)),
    ("fjall", (3, 1, 10)),
    ("quinn-proto", (0, 11, 18)),
    ("rand", (0, 8, 6)),
    ("rustls", (0, 23, 46)),
    ("rustls-webpki", (0, 103, 13)),
];

/// Licences that may be linked, in SPDX terms.
const LICENCES: &[&str] = &[
    "0BSD",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "CC0-1.0",
    "CDLA-Permissive-2.0",
    "ISC",
    "MIT",
    "MIT-0",
    "Unicode-3.0",
    "Unlicense",
    "Zlib",
];

#[test]
fn every_dependency_points_down() {
    let edges: BTreeMap<&str, BTreeSet<&str>> =
        EDGES.iter().map(|(from, to)| (*from, to.iter().copied().collect())).collect();
    let metadata = metadata(&["--no-deps"]);
    for package in metadata["packages"].as_array().unwrap() {
        let from = package["name"].as_str().unwrap();
        assert!(edges.contains_key(from), "{from} is not in the architecture test's list");
        for dependency in package["dependencies"].as_array().unwrap() {
            let to = dependency["name"].as_str().unwrap();
            if edges.contains_key(to) {
                assert!(edges[from].contains(to), "{from} must not depend on {to}");
            }
            if dependency["kind"].as_str() == Some("dev") {
                continue;
            }
            if let Some((_, allowed)) = CONFINED.iter().find(|(name, _)| *name == to) {
                assert!(allowed.contains(&from), "{from} must not use {to}");
            }
        }
    }
}

#[test]
fn every_outside_crate_has_an_allowed_licence_and_comes_from_the_registry() {
    let metadata = metadata(&[]);
    let mut seen = 0;
    for package in metadata["packages"].as_array().unwrap() {
        let name = package["name"].as_str().unwrap();
        let Some(source) = package["source"].as_str() else { continue };
        seen += 1;
        assert!(source.starts_with("registry+"), "{name} comes from {source}");
        let licence = package["license"].as_str().unwrap_or("");
        assert!(is_allowed(licence), "{name} has the licence {licence:?}");
        assert!(!BANNED.contains(&name), "{name} is banned");
    }
    assert!(seen > 100, "only {seen} packages: is this the whole graph?");
}

#[test]
fn no_crate_is_below_its_lowest_safe_version() {
    let lock = fs::read_to_string(root().join("Cargo.lock")).unwrap();
    for (name, lowest) in MINIMUM {
        let mut found = false;
        let mut lines = lock.lines();
        while let Some(line) = lines.next() {
            if line != format!("name = \"{name}\"") {
                continue;
            }
            let version = lines.next().unwrap().trim_start_matches("version = ").trim_matches('"');
            let mut parts = version.split(['.', '-', '+']).map(|part| part.parse().unwrap());
            let version: (u64, u64, u64) =
                (parts.next().unwrap(), parts.next().unwrap(), parts.next().unwrap());
            assert!(version >= *lowest, "{name} {version:?} is below {lowest:?}");
            found = true;
        }
        assert!(found, "{name} is no longer in the lock file: drop it from the list");
    }
}

#[test]
fn only_one_copy_of_the_point_arithmetic_is_linked() {
    let lock = fs::read_to_string(root().join("Cargo.lock")).unwrap();
    let copies = lock.lines().filter(|line| *line == "name = \"curve25519-dalek\"").count();
    assert_eq!(copies, 1);
}

#[test]
fn no_package_but_the_kernels_may_use_unsafe() {
    for package in ["crypto", "disclosure", "node/ledger", "node", "api"] {
        let library = fs::read_to_string(root().join(package).join("src/lib.rs")).unwrap();
        assert!(library.contains("#![forbid(unsafe_code)]"), "{package}");
    }
    let workspace = fs::read_to_string(root().join("Cargo.toml")).unwrap();
    let lints = lints(&workspace, "workspace.lints.");
    assert_eq!(lints["rust.unsafe_code"], "\"forbid\"");
    for package in metadata(&["--no-deps"])["packages"].as_array().unwrap() {
        let manifest = fs::read_to_string(package["manifest_path"].as_str().unwrap()).unwrap();
        if package["name"] != "sudare-kernels" {
            assert!(manifest.contains("[lints]\nworkspace = true\n"), "{}", package["name"]);
            continue;
        }
        // A package that lifts one lint inherits none: it must say all the others itself.
        let mut expected = lints.clone();
        expected.insert("rust.unsafe_code".into(), "\"deny\"".into());
        expected.insert("rust.unsafe_op_in_unsafe_fn".into(), "\"deny\"".into());
        expected.insert("clippy.undocumented_unsafe_blocks".into(), "\"deny\"".into());
        assert_eq!(self::lints(&manifest, "lints."), expected);
    }
}

#[test]
fn every_rule_of_the_specs_is_indexed_once_and_every_rule_cited_in_code_exists() {
    let index = fs::read_to_string(root().join("specs/README.md")).unwrap();
    let known: BTreeSet<String> = rules(&index);
    assert!(known.len() > 50, "only {} rules in the index", known.len());
    for file in files(&root().join("specs"), "md") {
        for rule in rules(&fs::read_to_string(&file).unwrap()) {
            assert!(known.contains(&rule), "[{rule}] in {} is not in the index", file.display());
        }
    }
    for folder in ["crypto", "disclosure", "node", "api", "tests"] {
        for file in files(&root().join(folder), "rs") {
            for rule in rules(&fs::read_to_string(&file).unwrap()) {
                assert!(known.contains(&rule), "[{rule}] in {} is no rule", file.display());
            }
        }
    }
}

#[test]
fn every_rule_has_a_test_where_the_index_says() {
    let index = fs::read_to_string(root().join("specs/README.md")).unwrap();
    let mut checked = 0;
    let is_rule = |line: &&str| line.starts_with("| [") && line.contains("] | ");
    for row in index.lines().filter(is_rule) {
        let mut cells = row.trim_end_matches(" |").rsplit(" | ");
        let (tests, enforced) = (cells.next().unwrap(), cells.next().unwrap());
        if matches!(enforced, "-" | "not built") {
            continue;
        }
        for test in tests.split("; ") {
            let mut parts = test.split('`').filter(|part| !part.trim().is_empty());
            let (Some(file), Some(name), None) = (parts.next(), parts.next(), parts.next()) else {
                panic!("no test, or not one file with one test: {row}");
            };
            let text = fs::read_to_string(root().join(file)).unwrap_or_default();
            assert!(text.contains(&format!("fn {name}(")), "no {name} in {file}: {row}");
            checked += 1;
        }
    }
    assert!(checked > 80, "only {checked} tests in the index");
}

#[test]
fn every_test_that_the_page_on_disclosure_names_is_in_the_file_it_says() {
    let page = fs::read_to_string(root().join("specs/disclosure.md")).unwrap();
    let folders = ["crypto", "disclosure", "node", "api", "tests"];
    let sources: Vec<PathBuf> =
        folders.iter().flat_map(|folder| files(&root().join(folder), "rs")).collect();
    let (mut file, mut checked) = (String::new(), 0);
    for quoted in page.split('`').skip(1).step_by(2) {
        let is_name = quoted.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        if quoted.ends_with(".rs") {
            quoted.clone_into(&mut file);
        } else if is_name && quoted.matches('_').count() > 2 {
            let named = sources.iter().filter(|path| path.ends_with(&file));
            let has = |path: &PathBuf| {
                fs::read_to_string(path).unwrap().contains(&format!("fn {quoted}("))
            };
            assert!(named.into_iter().any(has), "no {quoted} in {file}");
            checked += 1;
        }
    }
    assert!(checked > 50, "only {checked} tests are named");
}

#[test]
fn every_migration_is_run() {
    let code = files(&root().join("api/src"), "rs");
    let code: String = code.iter().map(|file| fs::read_to_string(file).unwrap()).collect();
    for file in files(&root().join("api/migrations"), "sql") {
        let name = file.file_name().unwrap().to_str().unwrap();
        assert!(code.contains(name), "{name} is in no list");
    }
}

#[test]
fn nothing_in_the_project_names_a_machine_or_leaves_a_mark_of_unfinished_work() {
    for folder in ["crypto", "disclosure", "node", "api"] {
        for file in files(&root().join(folder), "rs") {
            let text = fs::read_to_string(&file).unwrap();
            for mark in ["todo!(", "unimplemented!(", "dbg!(", "FIXME", "#[ignore"] {
                assert!(!text.contains(mark), "{mark} in {}", file.display());
            }
        }
    }
}

/// Whether an SPDX expression allows use under listed licences: one of an OR, all of an AND.
fn is_allowed(expression: &str) -> bool {
    let expression = expression.replace(" / ", " OR ").replace('/', " OR ");
    expression.split(" OR ").any(|choice| {
        let parts = choice.trim().trim_matches(['(', ')']).split(" AND ");
        parts.map(|part| part.trim().trim_matches(['(', ')'])).all(|part| {
            LICENCES.contains(&part) || part.split(" OR ").any(|one| LICENCES.contains(&one.trim()))
        })
    })
}

/// The lints of a manifest's tables with this beginning, such as `rust.missing_docs`.
fn lints(manifest: &str, beginning: &str) -> BTreeMap<String, String> {
    let (mut found, mut table) = (BTreeMap::new(), None);
    for line in manifest.lines() {
        if let Some(header) = line.strip_prefix('[') {
            table = header.trim_end_matches(']').strip_prefix(beginning);
        } else if let (Some(table), Some((lint, level))) = (table, line.split_once(" = ")) {
            found.insert(format!("{table}.{lint}"), level.to_owned());
        }
    }
    found
}

/// Ids like `[FIN-1]`.
fn rules(text: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for piece in text.split('[').skip(1) {
        let Some((id, _)) = piece.split_once(']') else { continue };
        let Some((name, number)) = id.split_once('-') else { continue };
        let letters = (2..=4).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_uppercase());
        if letters && !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit()) {
            found.insert(id.to_owned());
        }
    }
    found
}

fn files(folder: &Path, ending: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            if !path.ends_with("target") {
                found.extend(files(&path, ending));
            }
        } else if path.extension().is_some_and(|one| one == ending) {
            found.push(path);
        }
    }
    found
}

fn metadata(more: &[&str]) -> Value {
    let output = Command::new(env!("CARGO"))
        .current_dir(root())
        .args(["metadata", "--locked", "--offline", "--format-version=1"])
        .args(more)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}
