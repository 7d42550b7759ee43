//! The measuring program as its users meet it.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test: a panic is its report")]

use std::process::{Command, Output};

use sudare_crypto::Kernel;

fn measure(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_measure")).args(arguments).output().unwrap()
}

#[test]
fn an_unknown_topic_is_refused_with_the_list_of_topics() {
    let output = measure(&["nothing"]);
    assert_eq!(output.status.code(), Some(2));
    let text = String::from_utf8(output.stderr).unwrap();
    for topic in [
        "leg",
        "depth",
        "network",
        "dlog",
        "verification",
        "proving",
        "timing",
        "disclosure",
        "audit",
        "api",
    ] {
        assert!(text.contains(topic), "{topic} is not in {text}");
    }
}

#[test]
fn help_names_every_topic() {
    let output = measure(&["--help"]);
    let text = String::from_utf8(output.stdout).unwrap();
    for topic in [
        "leg",
        "depth",
        "network",
        "dlog",
        "verification",
        "proving",
        "timing",
        "disclosure",
        "audit",
        "api",
    ] {
        assert!(text.contains(topic), "{topic} is not in {text}");
    }
}

#[test]
fn a_topic_ends_with_one_json_object_on_the_last_line_and_shows_a_table_before() {
    let output = measure(&["leg", "--quick", "--json"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    let (table, json) = text.trim_end().rsplit_once('\n').unwrap();
    let object: serde_json::Value = serde_json::from_str(json).unwrap();
    assert_eq!(object["topic"], "leg");
    assert!(object["machine"]["cores"].as_u64().unwrap() > 0);
    for key in [
        "points",
        "bytes",
        "prove_us",
        "prove_crate_us",
        "verify_us",
        "verify_crate_us",
        "open_us",
        "issue_64_prove_us",
        "issue_64_verify_us",
        "issue_16_prove_us",
        "issue_16_verify_us",
    ] {
        assert!(object[key].as_f64().unwrap() > 0.0, "{key} in {json}");
        assert!(table.contains(key), "{key} in {table}");
    }
    let profile = if cfg!(debug_assertions) { "debug" } else { "release" };
    assert_eq!(object["profile"], profile);
}

#[test]
fn verification_is_drawn_into_the_file_that_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("plot.svg");
    let named = file.to_str().unwrap();
    let output = measure(&["verification", "--quick", "--json", "--plot", named]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    let object: serde_json::Value =
        serde_json::from_str(text.trim_end().rsplit_once('\n').unwrap().1).unwrap();
    for key in ["naive_us", "best_us", "ratio", "points", "limit_us"] {
        assert!(object[key].as_f64().unwrap() > 0.0, "{key} in {object}");
    }
    for kernel in Kernel::all().map(Kernel::name) {
        for key in ["us", "decompress_us", "multiply_us", "limit_us", "over_limit", "gain"] {
            let key = format!("{kernel}_{key}");
            assert!(object[&key].as_f64().unwrap() > 0.0, "{key} in {object}");
        }
    }
    let svg = std::fs::read_to_string(file).unwrap();
    assert!(svg.starts_with("<svg") && svg.contains("ours") && svg.contains("the arithmetic"));
}

#[test]
fn a_topic_without_a_drawing_refuses_to_be_drawn_before_it_measures() {
    let output = measure(&["leg", "--plot", "plot.svg"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8(output.stderr).unwrap().contains("verification"));
}

#[test]
fn a_replay_is_measured_with_the_real_program_on_legs_that_are_kept() {
    let directory = tempfile::tempdir().unwrap();
    let folder = directory.path().join("legs");
    let output = measure(&["audit", "--quick", "--json", "--legs", folder.to_str().unwrap()]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    let object: serde_json::Value =
        serde_json::from_str(text.trim_end().rsplit_once('\n').unwrap().1).unwrap();
    for key in [
        "legs_per_s_per_core",
        "naive_legs_per_s_per_core",
        "rss_mb_10k",
        "rss_mb_100k",
        "first_answer_ms",
    ] {
        assert!(object[key].as_f64().unwrap() > 0.0, "{key} in {object}");
    }
    // Two small logs say nothing of a large one.
    assert_eq!(object.get("rss_mb_million"), None);
    let kept = std::fs::read_dir(folder).unwrap();
    let blocks =
        kept.filter(|one| one.as_ref().unwrap().file_name().to_str().unwrap().starts_with("legs-"));
    assert_eq!(blocks.count(), 2);
    let refused = measure(&["leg", "--legs", "x"]);
    assert!(String::from_utf8(refused.stderr).unwrap().contains("only `audit`"));
}

#[test]
fn the_api_is_measured_over_both_databases() {
    let output = measure(&["api", "--quick", "--json"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    let object: serde_json::Value =
        serde_json::from_str(text.trim_end().rsplit_once('\n').unwrap().1).unwrap();
    for engine in ["sqlite", "postgres"] {
        for key in [
            "register_rps",
            "register_p99_ms",
            "read_rps",
            "accept_rps",
            "accept_p99_ms",
            "transfer_rps",
        ] {
            assert!(object[engine][key].as_f64().unwrap() > 0.0, "{engine}.{key} in {object}");
        }
    }
}
