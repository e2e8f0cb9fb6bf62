//! What the documentation says is held against the code: configs load, commands parse, links lead somewhere, and the
//! reference names every key there is.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use clap::Parser;
use devinit::cli::Cli;
use devinit::config::{self, Sources};
use serde_json::Value;

/// The documents with commands and configs in them.
const DOCUMENTS: [&str; 10] = [
    "README.md",
    "CONTRIBUTING.md",
    "docs/commands.md",
    "docs/config.md",
    "docs/entrypoints.md",
    "docs/first-run.md",
    "docs/gpu.md",
    "docs/jobs.md",
    "docs/pid1.md",
    "docs/services.md",
];

fn repository() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &str) -> String {
    std::fs::read_to_string(repository().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The fenced blocks of a document: language and text.
fn blocks(document: &str) -> Vec<(String, String)> {
    let (mut blocks, mut open) = (Vec::new(), None::<(String, String)>);
    for line in document.lines() {
        match (line.strip_prefix("```"), &mut open) {
            (Some(language), None) => open = Some((language.to_owned(), String::new())),
            (Some(_), Some(_)) => blocks.extend(open.take()),
            (None, Some((_, text))) => text.extend([line, "\n"]),
            (None, None) => {}
        }
    }
    assert!(open.is_none(), "a block without its end");
    blocks
}

fn blocks_of(language: &str) -> Vec<(String, String)> {
    let all = DOCUMENTS.into_iter().flat_map(|path| blocks(&read(path)).into_iter().map(move |block| (path, block)));
    let wanted: Vec<_> =
        all.filter(|(_, (found, _))| found == language).map(|(path, (_, text))| (path.to_owned(), text)).collect();
    assert!(!wanted.is_empty(), "no {language} block");
    wanted
}

/// A document without its fenced blocks.
fn prose(document: &str) -> String {
    document.split("```").step_by(2).collect()
}

/// What stands between backticks.
fn spans(text: &str) -> Vec<String> {
    text.split('`').skip(1).step_by(2).map(|span| span.split_whitespace().collect::<Vec<_>>().join(" ")).collect()
}

#[test]
fn every_config_loads_without_a_warning() {
    for (path, text) in blocks_of("yaml") {
        let sources = Sources {
            main: PathBuf::from("/nonexistent"),
            main_required: false,
            drop_ins: None,
            extra: vec![(path.clone(), text.clone())],
        };
        match config::load(&sources, &BTreeMap::new()) {
            Ok(loaded) => assert_eq!(loaded.warnings, [], "{path}: {text}"),
            Err(broken) => panic!("{path}: {:?}\n{text}", broken.problems),
        }
    }
}

#[test]
fn every_devinit_command_is_understood() {
    let mut commands = Vec::new();
    for path in DOCUMENTS {
        commands.extend(spans(&prose(&read(path))).into_iter().filter(|span| span.starts_with("devinit ")));
    }
    for (_, text) in blocks_of("sh") {
        let lines = text.lines().map(|line| line.split(['#', '>', '|']).next().unwrap_or_default().trim().to_owned());
        commands.extend(lines.filter(|line| line.starts_with("devinit ")));
    }
    assert!(commands.len() > 10, "{commands:?}");
    for command in commands {
        let parsed = Cli::try_parse_from(command.split_whitespace());
        assert!(parsed.is_ok(), "{command}: {}", parsed.err().map(|error| error.to_string()).unwrap_or_default());
    }
}

#[test]
fn every_script_that_is_called_is_there() {
    let mut checked = 0;
    for (path, text) in blocks_of("sh") {
        for word in text.split_whitespace().filter(|word| word.starts_with("tests/") || word.starts_with("docker/")) {
            assert!(repository().join(word).is_file(), "{path}: {word}");
            checked += 1;
        }
    }
    assert!(checked >= 3, "only {checked}");
}

#[test]
fn the_dockerfile_begins_and_ends_as_those_of_the_images() {
    let (_, readme) = blocks_of("Dockerfile").remove(0);
    let image = read("docker/pytorch/Dockerfile");
    for line in readme.lines().filter(|line| !line.starts_with("FROM") && !line.starts_with("COPY config")) {
        assert!(image.contains(line), "docker/pytorch/Dockerfile has no line: {line}");
    }
}

#[test]
fn every_link_leads_somewhere() {
    let mut checked = 0;
    for path in DOCUMENTS.into_iter().chain(["CHANGELOG.md"]) {
        let document = prose(&read(path));
        let folder = Path::new(path).parent().unwrap_or(Path::new(""));
        for target in document.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            if target.starts_with("http") {
                continue;
            }
            let (file, anchor) = target.split_once('#').unwrap_or((target, ""));
            let file = if file.is_empty() { repository().join(path) } else { repository().join(folder).join(file) };
            assert!(file.exists(), "{path}: {target}");
            if !anchor.is_empty() {
                let headings = prose(&std::fs::read_to_string(&file).unwrap()).to_lowercase().replace(' ', "-");
                assert!(headings.lines().any(|line| line.trim_start_matches(['#', '-']) == anchor), "{path}: {target}");
            }
            checked += 1;
        }
    }
    assert!(checked > 5, "only {checked}");
}

/// The ways to all keys that a config can have: `users.NAME.authorized_keys[].env`.
fn keys(root: &Value, node: &Value, place: &str, found: &mut BTreeSet<String>) {
    if let Some(name) = node["$ref"].as_str().and_then(|target| target.strip_prefix("#/$defs/")) {
        keys(root, &root["$defs"][name], place, found);
    }
    for form in ["anyOf", "oneOf"].iter().filter_map(|form| node[form].as_array()).flatten() {
        keys(root, form, place, found);
    }
    for (key, property) in node["properties"].as_object().into_iter().flatten() {
        let place = if place.is_empty() { key.clone() } else { format!("{place}.{key}") };
        keys(root, property, &place, found);
        found.insert(place);
    }
    if node["additionalProperties"].is_object() {
        keys(root, &node["additionalProperties"], &format!("{place}.NAME"), found);
    }
    if node["items"].is_object() {
        keys(root, &node["items"], &format!("{place}[]"), found);
    }
}

/// With `first_run.steps[].KIND.name` in place of the same key of every kind of step.
fn with_common_keys_once(keys: BTreeSet<String>) -> BTreeSet<String> {
    const STEPS: &str = "first_run.steps[].";
    let of_kind = |key: &str| {
        let (kind, key) = key.strip_prefix(STEPS)?.split_once('.')?;
        Some((kind.to_owned(), key.to_owned()))
    };
    let mut kinds: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (kind, key) in keys.iter().filter_map(|key| of_kind(key)) {
        kinds.entry(kind).or_default().insert(key);
    }
    let common = kinds.values().cloned().reduce(|all, these| &all & &these).unwrap_or_default();
    assert!(kinds.len() > 10 && common.contains("needs"), "{kinds:?}");
    let once = |key: String| match of_kind(&key) {
        Some((_, own)) if common.contains(&own) => format!("{STEPS}KIND.{own}"),
        _ => key,
    };
    keys.into_iter().map(once).collect()
}

/// The keys that the reference describes: the first column of its tables.
fn described() -> BTreeSet<String> {
    let reference = read("docs/config.md");
    let rows = reference.lines().filter_map(|line| line.strip_prefix("| `"));
    rows.filter_map(|row| row.split('`').next()).map(str::to_owned).collect()
}

#[test]
fn the_reference_names_every_key_and_no_other() {
    let schema = serde_json::from_str(&config::schema_text()).unwrap();
    let mut known = BTreeSet::new();
    keys(&schema, &schema, "", &mut known);
    let known = with_common_keys_once(known);
    assert!(known.contains("users.NAME.authorized_keys[].github"), "{known:?}");
    // A section is described by its keys.
    let section = |key: &str| known.iter().any(|other| other.starts_with(&format!("{key}.")));
    let described = described();
    let missing: Vec<_> = known.iter().filter(|key| !section(key) && !described.contains(*key)).collect();
    assert!(missing.is_empty(), "docs/config.md lacks {missing:?}");
    let unknown: Vec<_> = described.difference(&known).collect();
    assert!(unknown.is_empty(), "docs/config.md has {unknown:?}, which no config can");
}
