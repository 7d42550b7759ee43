//! The files of a ceremony.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use borsh::{BorshDeserialize, BorshSerialize};
use rand_core::OsRng;
use serde::Serialize;
use sudare_crypto::derive::Seed;
use sudare_crypto::encoding::{decode, encode};
use sudare_disclosure::threshold::{
    Kind, Message, Officer, OfficerKey, Plan, RetireMessage, SealedFile, SignedGroup,
};

use super::super::asset::{read, write_new};
use super::super::{Failure, Output};
use crate::net::certificate;

/// Reads a file of one value; an error names the file and what it should be.
pub(super) fn decoded<T: BorshDeserialize>(path: &Path, what: &'static str) -> Result<T, Failure> {
    let bytes = read(path)?;
    decode(&bytes, what).map_err(|_| not(path, what))
}

/// A group's file; whoever relies on it checks it.
pub(super) fn group(path: &Path) -> Result<SignedGroup, Failure> {
    decoded(path, "a group")
}

/// Reads messages.
pub(super) fn messages(paths: &[PathBuf]) -> Result<Vec<Message>, Failure> {
    paths.iter().map(|path| decoded(path, "a message of a ceremony")).collect()
}

/// Reads an officer's card.
pub(in super::super) fn officer_card(path: &Path) -> Result<Officer, Failure> {
    decoded(path, "an officer's card")
}

/// Reads an officer's key.
pub(in super::super) fn officer_key(path: &Path) -> Result<OfficerKey, Failure> {
    Ok(OfficerKey::new(Seed(certificate::read_key(path)?.seed())))
}

/// Opens a file that this officer sealed.
pub(super) fn open_sealed<T: BorshDeserialize>(
    key: &OfficerKey,
    path: &Path,
    what: &'static str,
) -> Result<T, Failure> {
    let file: SealedFile = decoded(path, what)?;
    key.open(&file, what).map_err(|error| {
        Failure::CheckFailed(format!(
            "{}: not {what}, or not this officer's: {error}",
            path.display()
        ))
    })
}

/// Seals a value into a file that must not exist yet.
pub(super) fn write_sealed<T: BorshSerialize>(
    key: &OfficerKey,
    path: &Path,
    value: &T,
) -> Result<(), Failure> {
    let bytes = encode(&key.seal(value, &mut OsRng)?);
    private(path, OpenOptions::new().create_new(true), &bytes)
}

/// Seals a value into a file in one step, whether it exists or not; it lasts when this returns.
pub(super) fn replace_sealed<T: BorshSerialize>(
    key: &OfficerKey,
    path: &Path,
    value: &T,
) -> Result<(), Failure> {
    replace_private(path, &encode(&key.seal(value, &mut OsRng)?))
}

/// Replaces a file that only its owner can read in one step; it lasts when this returns.
pub(in super::super) fn replace_private(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    let new = path.with_extension("new");
    private(&new, OpenOptions::new().create(true).truncate(true), bytes)?;
    let failed = |error| Failure::File(path.to_owned(), error);
    fs::rename(&new, path).map_err(failed)?;
    let folder = path.parent().filter(|one| !one.as_os_str().is_empty());
    File::open(folder.unwrap_or(Path::new("."))).and_then(|one| one.sync_all()).map_err(failed)
}

/// Writes a new file that only its owner can read.
pub(in super::super) fn write_private(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    private(path, OpenOptions::new().create_new(true), bytes)
}

fn private(path: &Path, options: &mut OpenOptions, bytes: &[u8]) -> Result<(), Failure> {
    let mut write = || {
        let mut file = options.write(true).mode(0o600).open(path)?;
        file.write_all(bytes)?;
        file.sync_all()
    };
    write().map_err(|error| Failure::File(path.to_owned(), error))
}

/// Writes a message to a folder, under a name that says its step, its sender and its receiver. The same message may be there already.
pub(super) fn write_message(
    plan: &Plan,
    message: &Message,
    folder: &Path,
) -> Result<String, Failure> {
    let name = |id| {
        let everybody = plan.everybody();
        let officer = everybody.iter().find(|officer| officer.id == id);
        plain(officer.map(|officer| officer.name.as_str()).unwrap_or_default())
    };
    let to = message.to.map(|to| format!("-to-{}", name(to))).unwrap_or_default();
    let file = format!("{}-{}{to}.bin", message.body.step(), name(message.from));
    let failed = |error| Failure::File(folder.to_owned(), error);
    fs::create_dir_all(folder).map_err(failed)?;
    let (path, bytes) = (folder.join(file), encode(message));
    if !path.exists() || read(&path)? != bytes {
        write_new(&path, &bytes)?;
    }
    Ok(path.display().to_string())
}

/// A name without characters that mean something in paths.
fn plain(name: &str) -> String {
    let plain = |letter: char| if letter.is_alphanumeric() { letter } else { '_' };
    name.chars().map(plain).collect()
}

/// Writes a plan and shows it.
pub(super) fn write_plan(plan: &Plan, path: &Path, output: &Output) -> Result<(), Failure> {
    write_new(path, &encode(plan))?;
    show(path, output)
}

/// Shows whatever of a ceremony's public files it is.
pub(super) fn show(path: &Path, output: &Output) -> Result<(), Failure> {
    let bytes = read(path)?;
    let shown = if let Ok(plan) = decode::<Plan>(&bytes, "a plan") {
        plan.check()?;
        Shown::plan(&plan)
    } else if let Ok(signed) = decode::<SignedGroup>(&bytes, "a group") {
        Shown::group(&signed)?
    } else if let Ok(message) = decode::<Message>(&bytes, "a message") {
        Shown::message(&message)
    } else if let Ok(message) = decode::<RetireMessage>(&bytes, "a message") {
        Shown::retiring(&message)
    } else if let Ok(officer) = decode::<Officer>(&bytes, "a card") {
        Shown { what: "card".into(), officers: vec![line(None, &officer)], ..Shown::default() }
    } else {
        return Err(not(path, "a plan, a group, a message or an officer's card"));
    };
    output.result(&shown, &shown.text());
    Ok(())
}

/// What is to be compared.
#[derive(Default, Serialize)]
struct Shown {
    what: String,
    id: String,
    about: Vec<String>,
    officers: Vec<String>,
    keys: Vec<String>,
}

impl Shown {
    fn plan(plan: &Plan) -> Self {
        let (kind, subject) = (&plan.kind, plan.subject());
        let what = match kind {
            Kind::Generate { .. } => "plan for new keys",
            Kind::Refresh { .. } => "plan for new shares",
            Kind::Move { .. } => "plan to move keys",
        };
        let mut about = vec![
            format!("{} of {} officers open together", plan.threshold, plan.officers.len()),
            format!("asset {}, label {}, fields {}", subject.asset, subject.label, subject.fields),
            format!("{} epoch(s)", plan.epochs()),
        ];
        if let Kind::Move { .. } = kind {
            let dealers: Vec<String> =
                plan.dealers().iter().map(|(index, one)| line(Some(*index), one)).collect();
            about.push(format!("dealt by {}", dealers.join(", ")));
        }
        let officers = plan.receivers();
        Self {
            what: what.into(),
            id: plan.id().0.to_string(),
            about,
            officers: officers.iter().map(|(index, one)| line(Some(*index), one)).collect(),
            keys: plan.from().map(keys).unwrap_or_default(),
        }
    }

    fn group(signed: &SignedGroup) -> Result<Self, Failure> {
        let group = signed.check()?;
        let subject = &group.subject;
        let officers = sudare_crypto::numbered(group.officers.iter());
        Ok(Self {
            what: "group, signed by all its officers".into(),
            id: group.id().0.to_string(),
            about: vec![
                format!("{} of {} officers open together", group.threshold, group.officers.len()),
                format!(
                    "asset {}, label {}, fields {}",
                    subject.asset, subject.label, subject.fields
                ),
                format!("generation {} of the shares", group.generation),
            ],
            officers: officers
                .map(|(place, one)| line(Some(place.saturating_add(1)), one))
                .collect(),
            keys: keys(group),
        })
    }

    fn message(message: &Message) -> Self {
        let to = message.to.map_or_else(|| "everybody".to_owned(), |to| to.to_string());
        Self {
            what: format!("message of the step `{}`", message.body.step()),
            id: message.ceremony.0.to_string(),
            about: vec![format!("from {}", message.from), format!("to {to}")],
            ..Self::default()
        }
    }

    fn retiring(message: &RetireMessage) -> Self {
        let RetireMessage { retiring, from, .. } = message;
        let what = format!("keys from epoch {} on, {}", retiring.from_epoch, retiring.how);
        Self {
            what: format!("message of `{}`", message.step()),
            id: retiring.group.0.to_string(),
            about: vec![format!("from {from}"), what],
            ..Self::default()
        }
    }

    fn text(&self) -> String {
        let mut lines = vec![self.what.clone()];
        if !self.id.is_empty() {
            lines.push(format!("id {}", self.id));
        }
        lines.extend(self.about.iter().chain(&self.officers).chain(&self.keys).cloned());
        lines.join("\n")
    }
}

fn keys(group: &super::Group) -> Vec<String> {
    let key = |epoch| Some(format!("epoch {epoch}: key {:?}", group.key(epoch)?));
    (0..group.epochs()).filter_map(key).collect()
}

fn line(index: Option<u8>, officer: &Officer) -> String {
    let index = index.map(|index| format!("{index} ")).unwrap_or_default();
    format!("{index}{} {}", officer.name, officer.id)
}

fn not(path: &Path, what: &str) -> Failure {
    Failure::Usage(format!("{} is not {what}", path.display()))
}
