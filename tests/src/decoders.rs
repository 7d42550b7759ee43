//! The decoders that read bytes from outside, each as one target for tests and fuzzers.

use borsh::{BorshDeserialize, BorshSerialize};
use sudare::membership::SignedMembership;
use sudare::opening::OpenedSeed;
use sudare::operator::{OperatorAnswer, OperatorQuery, PeerAnswer, PeerQuery};
use sudare::runtime::Status;
use sudare_api::imports::{self, Rows, Sheet};
use sudare_api::iso20022;
use sudare_api::masters::Kind;
use sudare_api::signed::{Input, byte_sequences};
use sudare_crypto::encoding::{decode, encode};
use sudare_crypto::linear::LinearProof;
use sudare_disclosure::dlog::{Search, Table, TableBuilder};
use sudare_disclosure::threshold::{self, Partial, Plan, RetireMessage, SignedGroup};
use sudare_disclosure::{Section, SignedTerms};
use sudare_ledger::access::LoggedEntry;
use sudare_ledger::bundle::Bundle;
use sudare_ledger::leg::{Leg, TearOff};
use sudare_ledger::log::{Entry, Receipt};
use sudare_ledger::messages::{Message, Settlement};
use sudare_ledger::slot::SignedSlot;
use sudare_ledger::statement::{Answer, Answered, Closing, Offer, Offered};
use sudare_ledger::transaction::{Commit, Transaction};
use sudare_ledger::tree::SignedCheckpoint;
use sudare_ledger::{audit, custodian, registrar};

/// A decoder's name, and a function that says whether bytes decode and panics if they encode to others.
pub type Target = (&'static str, fn(&[u8]) -> bool);

/// All targets.
pub const TARGETS: &[Target] = &[
    ("message", one_encoding::<Message>),
    ("leg", one_encoding::<Leg>),
    ("entry", one_encoding::<Entry>),
    ("slot", one_encoding::<SignedSlot>),
    ("terms", one_encoding::<SignedTerms>),
    ("section", one_encoding::<Section>),
    ("proof", one_encoding::<LinearProof>),
    ("tear-off", one_encoding::<TearOff>),
    ("transaction", one_encoding::<Transaction>),
    ("commit", one_encoding::<Commit>),
    ("receipt", one_encoding::<Receipt>),
    ("settlement", one_encoding::<Settlement>),
    ("membership", one_encoding::<SignedMembership>),
    ("peer query", one_encoding::<PeerQuery>),
    ("peer answer", one_encoding::<PeerAnswer>),
    ("operator query", one_encoding::<OperatorQuery>),
    ("operator answer", one_encoding::<OperatorAnswer>),
    ("status", one_encoding::<Status>),
    ("custodian instruction", one_encoding::<custodian::Instruction>),
    ("registrar instruction", one_encoding::<registrar::Instruction>),
    ("regulator instruction", one_encoding::<audit::Instruction>),
    ("entry of an access log", one_encoding::<LoggedEntry>),
    ("checkpoint text", checkpoint),
    ("bundle", bundle),
    ("statement", |bytes| {
        matches!(Bundle::parse(bytes), Ok(Bundle::Statement(_))) && bundle(bytes)
    }),
    ("sign-off", |bytes| matches!(Bundle::parse(bytes), Ok(Bundle::SignOff(_))) && bundle(bytes)),
    ("what a message says", said),
    ("offer of a joint statement", one_encoding::<Offer>),
    ("answer to an offer", one_encoding::<Answer>),
    ("closing of an offer", one_encoding::<Closing>),
    ("kept of an offer", one_encoding::<Offered>),
    ("kept of an answer", one_encoding::<Answered>),
    ("ISO 20022 message", message),
    ("seed of a snapshot", one_encoding::<OpenedSeed>),
    ("plan of a ceremony", one_encoding::<Plan>),
    ("message of a ceremony", one_encoding::<threshold::Message>),
    ("message of officers who retire keys", one_encoding::<RetireMessage>),
    ("group", one_encoding::<SignedGroup>),
    ("partial", one_encoding::<Partial>),
    ("search file", |bytes| Search::from_bytes(bytes).is_ok()),
    ("table of logarithms", table),
    ("input of a signature", signature_input),
    ("byte sequences of a header", |bytes| text(bytes).and_then(byte_sequences).is_some()),
    ("rows of a file", |bytes| Sheet::parse(Kind::Investor, bytes).is_ok()),
    ("messages of a file", |bytes| Rows::parse(imports::Target::Instructions, bytes).is_ok()),
    ("table under way", |bytes| TableBuilder::from_bytes(bytes, 1).is_ok()),
];

/// Runs one target.
///
/// # Panics
///
/// If bytes decode to a value that encodes to other bytes.
pub fn check(target: &Target, bytes: &[u8]) {
    let (_, run) = target;
    run(bytes);
}

fn one_encoding<T: BorshSerialize + BorshDeserialize>(bytes: &[u8]) -> bool {
    let Ok(value) = decode::<T>(bytes, "a fuzzed value") else { return false };
    assert!(encode(&value) == bytes, "two encodings of one {}", std::any::type_name::<T>());
    true
}

fn bundle(bytes: &[u8]) -> bool {
    let Ok(bundle) = Bundle::parse(bytes) else { return false };
    assert!(bundle.to_bytes() == bytes, "two files of one bundle");
    true
}

/// XML has many spellings of one message; the one that is written is read as the same.
fn message(bytes: &[u8]) -> bool {
    let Ok(parsed) = iso20022::Message::parse(bytes) else { return false };
    let again = iso20022::Message::parse(parsed.message.to_xml().as_bytes());
    assert!(again.is_ok_and(|again| again.message == parsed.message), "two messages of one text");
    true
}

/// Whatever is read can be shown.
fn said(bytes: &[u8]) -> bool {
    iso20022::Message::parse(bytes).is_ok_and(|parsed| !parsed.message.said().values.is_empty())
}

fn table(bytes: &[u8]) -> bool {
    let Ok(table) = Table::from_bytes(bytes) else { return false };
    assert!(table.to_bytes() == bytes, "two files of one table");
    true
}

fn checkpoint(bytes: &[u8]) -> bool {
    let Ok(checkpoint) = SignedCheckpoint::parse(bytes) else { return false };
    assert!(checkpoint.to_text().as_bytes() == bytes, "two texts of one checkpoint");
    true
}

fn text(bytes: &[u8]) -> Option<&str> {
    std::str::from_utf8(bytes).ok()
}

/// What is signed is one spelling, however the header spelled it.
fn signature_input(bytes: &[u8]) -> bool {
    let Some(input) = text(bytes).and_then(Input::parse) else { return false };
    let spelled = format!("{}={}", input.label, input.canonical());
    assert_eq!(Input::parse(&spelled), Some(input), "another spelling");
    true
}
