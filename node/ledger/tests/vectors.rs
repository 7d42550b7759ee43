//! The vectors of `specs/vectors/` on notes, slots, legs, transactions and logs, written by the reference in Python from the
//! specification alone: is what it says what the code does?
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "vectors are files of this project"
)]

use rand_chacha::ChaCha20Rng;
use rand_core::{CryptoRng, RngCore, SeedableRng};
use serde_json::Value;
use sudare_crypto::derive::Seed;
use sudare_crypto::encoding::{Version, decode, encode};
use sudare_crypto::linear::LinearProof;
use sudare_crypto::proof::{possession, tag};
use sudare_crypto::{
    Claims, Encoded, Hash, NodeId, NodeKey, NodeSignature, Rejected, RistrettoPoint, Scalar,
    Secret, Text, pairs,
};
use sudare_disclosure::{
    AssetId, AssetTerms, DisclosureSecret, Field, Fields, KeyPurpose, SignedTerms,
};
use sudare_ledger::leg::{ComponentKind, Leg, LegError, LegSalt, TearOff};
use sudare_ledger::log::{Absence, Entry, EntryLeaf, NotaryEntry, Receipt};
use sudare_ledger::messages::account_purpose;
use sudare_ledger::note::{InvestorSeed, Note, SlotSecrets};
use sudare_ledger::slot::{SignedSlot, Slot, SlotContext, SlotError};
use sudare_ledger::snapshot::{
    AccountEvent, AccountRow, Chain, SnapshotSeed, SumNode, SumPath, locator, search_ends_at,
};
use sudare_ledger::transaction::{
    Commit, CommitError, LegRef, Transaction, tag_hash, tags_root, tx_id,
};
use sudare_ledger::tree::{
    ConsistencyProof, InclusionProof, LogKind, MemoryTree, SignedCheckpoint, SignerName, leaf_hash,
    list_root,
};

// --- notes and slots ------------------------------------------------------------------------------------------------

#[test]
fn notes_and_accounts_are_those_of_the_specification() {
    let vectors = load("note");
    for case in list(&vectors["ids"]) {
        let note = Note {
            asset: asset(&case["asset"]),
            owner: point(&case["owner"]),
            commitment: point(&case["commitment"]),
        };
        assert_eq!(case["note_id"], note.id().0.to_string());
        let value = string(&case["value"]).parse().unwrap();
        let opened = sudare_crypto::point::commit(value, &scalar(&case["blinding"]));
        assert_eq!(note.commitment, Encoded::of(&opened));
    }
    let case = &vectors["derived"];
    let seed =
        Seed(array(&case["master"])).child(b"investor", string(&case["investor"]).as_bytes());
    assert_eq!(seed.0, array(&case["seed"]));
    let secrets = InvestorSeed(seed).slot(asset(&case["asset"]), &array(&case["nonce"]));
    assert_eq!(scalars_of(&secrets), scalars_of(&secrets_of(case)));
    assert_eq!(secrets.account.public(), point(&case["account"]));
    assert_eq!(secrets.spend_key().tag(), point(&case["tag"]));
    assert_eq!(secrets.owner(), point(&case["owner"]));
}

#[test]
fn an_account_is_proved_for_its_custodian_alone() {
    let case = &load("note")["account"];
    let proof: LinearProof = decode(&bytes(&case["possession"]), "a proof").unwrap();
    let proved_for = |custodian: &Value, investor: &str| {
        let (network, investor) = (hash(&case["network"]), Text::new(investor).unwrap());
        let purpose =
            account_purpose(network, asset(&case["asset"]), NodeId(array(custodian)), &investor);
        let statement =
            possession::Statement { key: point(&case["account"]), purpose: purpose.clone() };
        let mut claims = Claims::new();
        possession::verify(&statement, &proof, &mut claims).unwrap();
        (purpose, claims.accept(&mut rng()).is_ok())
    };
    let investor = string(&case["investor"]);
    assert_eq!(proved_for(&case["custodian"], investor), (bytes(&case["purpose"]), true));
    assert!(!proved_for(&case["stranger"], investor).1);
    assert!(!proved_for(&case["custodian"], "another investor").1);
}

#[test]
fn slots_are_made_and_checked_as_the_specification_says() {
    let vectors = load("slot");
    let (case, terms) = (&vectors["slot"], terms(&vectors));
    let epoch = terms.policy.epoch(0).unwrap();
    assert_eq!(epoch.keys_with(Field::Parties), points(&case["keys"]));
    let written = &case["context"];
    let context = SlotContext {
        version: Version,
        network: hash(&written["network"]),
        asset: asset(&written["asset"]),
        terms: hash(&written["terms"]),
        epoch: u32::try_from(written["epoch"].as_u64().unwrap()).unwrap(),
        receiver: NodeId(array(&written["receiver"])),
        nonce: array(&written["nonce"]),
        expires_at: string(&written["expires_at"]).parse().unwrap(),
        proposal: hash(&written["proposal"]),
    };
    assert_eq!(encode(&context), bytes(&case["context_bytes"]));
    assert_eq!((context.asset, context.terms), (terms.asset(), terms.hash()));

    let secrets = InvestorSeed(Seed(array(&case["seed"]))).slot(context.asset, &context.nonce);
    assert_eq!(scalars_of(&secrets), scalars_of(&secrets_of(&case["secrets"])));
    let made = Slot::make(context, &secrets, epoch, &mut Fixed(array(&case["entropy"]))).unwrap();
    assert_eq!(made.owner, point(&case["owner"]));
    assert_eq!(made.ephemeral, point(&case["ephemeral"]));
    assert_eq!(made.identities.to_vec(), points(&case["identities"]));
    assert_eq!(made.memo_key, point(&case["memo_key"]));
    assert_eq!(encode(&made.proof), bytes(&case["proof"]));
    let signed = made.sign(&NodeKey::from_seed(&array(&case["node_seed"])));
    assert_eq!(signed.signature, NodeSignature(array(&case["signature"])));
    assert_eq!(encode(&signed), bytes(&case["signed_slot"]));
    assert_eq!(case["hash"], signed.hash().to_string());

    let read: SignedSlot = decode(&bytes(&case["signed_slot"]), "a slot").unwrap();
    assert_eq!(read, signed);
    assert_eq!(check_slot(&read, &terms), Ok(()));
    let registrar: DisclosureSecret =
        decode(&bytes(&case["registrar_secret"]), "a secret").unwrap();
    let account = registrar.decrypt(&read.slot.ephemeral, &read.slot.identities[0]).unwrap();
    assert_eq!(Encoded::of(&account), point(&case["account"]));
}

#[test]
fn slots_that_break_a_rule_are_refused() {
    let vectors = load("slot");
    let terms = terms(&vectors);
    for case in list(&vectors["refused"]) {
        let slot: SignedSlot = decode(&bytes(&case["signed_slot"]), "a slot").unwrap();
        let refused = check_slot(&slot, &terms).unwrap_err();
        let why = string(&case["why"]);
        let expected = match string(&case["rule"]) {
            "SLOT-1" if why.contains("sign") => refused == SlotError::Signature,
            // A leg that holds it names its own context; the proof alone shows the change here.
            "SLOT-1" | "TRN-1" | "OWN-1" => matches!(refused, SlotError::Proof(Rejected::False(_))),
            "POL-6" => matches!(refused, SlotError::Proof(Rejected::Shape(_))),
            other => panic!("no such rule: {other}"),
        };
        assert!(expected, "{why}: {refused:?}");
    }
}

fn check_slot(slot: &SignedSlot, terms: &AssetTerms) -> Result<(), SlotError> {
    let mut claims = Claims::new();
    slot.check(terms.policy.epoch(0).unwrap(), &mut claims)?;
    Ok(claims.accept(&mut rng())?)
}

// --- legs -----------------------------------------------------------------------------------------------------------

#[test]
fn legs_of_the_reference_are_accepted_and_read_by_their_registrar() {
    let vectors = load("leg");
    let terms = terms(&vectors);
    for case in list(&vectors["accepted"]) {
        let leg: Leg = decode(&bytes(&case["leg"]), "a leg").unwrap();
        assert_eq!(encode(&leg), bytes(&case["leg"]), "{}", case["name"]);
        assert_eq!(check_leg(&leg, &terms), Ok(()), "{}", case["name"]);

        let registrar: DisclosureSecret =
            decode(&bytes(&case["registrar_secret"]), "a secret").unwrap();
        let opened = leg.open(terms.policy.epoch(0).unwrap(), &registrar).unwrap();
        let column = |of: &str, name: &str| -> Vec<Value> {
            list(&case[of]).iter().map(|one| one[name].clone()).collect()
        };
        assert_eq!(opened.senders, points(&column("inputs", "account").into()));
        assert_eq!(opened.receivers, points(&column("outputs", "account").into()));
        let amounts: Vec<Value> =
            opened.amounts.iter().map(|value| value.to_string().into()).collect();
        assert_eq!(amounts, column("outputs", "value"));
        let made: Vec<Value> = leg.notes().map(|note| note.id().0.to_string().into()).collect();
        assert_eq!(made, column("outputs", "note_id"));

        let sections = list(&case["sections"]);
        let (parties, trade) = (&sections[leg.outputs.len()], &sections[leg.outputs.len() + 1]);
        assert_eq!(encode(&opened.sender), bytes(&parties["content"]));
        assert_eq!(encode(&opened.trade), bytes(&trade["content"]));
        match &opened.links {
            Some(links) => assert_eq!(encode(links), bytes(&sections.last().unwrap()["content"])),
            None => assert!(leg.inputs.is_empty()),
        }
    }
}

#[test]
fn inputs_are_linked_to_the_notes_they_spend_and_to_no_others() {
    let vectors = load("leg");
    let terms = terms(&vectors);
    for case in list(&vectors["accepted"]) {
        let leg: Leg = decode(&bytes(&case["leg"]), "a leg").unwrap();
        let registrar: DisclosureSecret =
            decode(&bytes(&case["registrar_secret"]), "a secret").unwrap();
        let opened = leg.open(terms.policy.epoch(0).unwrap(), &registrar).unwrap();
        let Some(links) = opened.links else { continue };
        let notes: Vec<Note> =
            list(&case["inputs"]).iter().map(|input| note(&terms, input)).collect();
        assert_eq!(links.notes.to_vec(), notes.iter().map(Note::id).collect::<Vec<_>>());
        let linked = |notes: &[Note]| {
            let mut claims = Claims::new();
            leg.check_links(notes, &links.proof, &mut claims).is_ok()
                && claims.accept(&mut rng()).is_ok()
        };
        assert!(linked(&notes), "{}", case["name"]);
        assert!(!linked(&notes[1..]), "a note fewer");
        let mut other = notes.clone();
        other.reverse();
        assert!(other == notes || !linked(&other), "the notes in another order");
        other.clone_from(&notes);
        other[0].commitment = leg.inputs[0].commitment;
        assert!(!linked(&other), "a note with another amount");
    }
}

#[test]
fn components_have_the_salts_leaves_and_root_of_the_specification() {
    let vectors = load("leg");
    let terms = terms(&vectors);
    for case in list(&vectors["accepted"]) {
        let leg: Leg = decode(&bytes(&case["leg"]), "a leg").unwrap();
        let (number, salt) = (u8_of(&case["number"]), LegSalt(array(&case["salt"])));
        let root = leg.root(number, &salt);
        assert_eq!(case["root"], root.to_string());
        let components = list(&case["components"]);
        let leaves: Vec<Hash> =
            components.iter().map(|component| hash(&component["leaf"])).collect();
        assert_eq!(list_root(&leaves), root);
        if leg.outputs.is_empty() {
            assert!(leg.tear_off(number, &salt, 0).is_err());
            continue;
        }
        let torn = leg.tear_off(number, &salt, 0).unwrap();
        assert_eq!(case["tear_off"], hex(&encode(&torn)));
        let read: TearOff = decode(&bytes(&case["tear_off"]), "a tear-off").unwrap();
        assert_eq!(read.check(number, root), Ok(()));
        assert!(read.check(number + 1, root).is_err(), "the components of another leg");
        for component in &read.components {
            let written = &components[usize::try_from(component.position).unwrap()];
            let kind = encode(&component.kind);
            assert_eq!(
                (kind, component.index),
                (vec![u8_of(&written["kind"])], u8_of(&written["index"]))
            );
            assert_eq!(component.salt, array(&written["salt"]));
            assert_eq!(component.body.to_vec(), bytes(&written["body"]));
        }
        let output = &case["outputs"][0];
        let received = read.receive(&terms, &secrets_of(&output["secrets"])).unwrap();
        assert_eq!(output["value"], received.opening.value.to_string());
        assert_eq!(received.opening.blinding, scalar(&output["blinding"]));
    }
}

#[test]
fn a_component_is_shown_only_as_what_it_is() {
    let case = &load("leg")["accepted"][1];
    let (number, root) = (u8_of(&case["number"]), hash(&case["root"]));
    let read: TearOff = decode(&bytes(&case["tear_off"]), "a tear-off").unwrap();
    for place in 0..read.components.len() {
        let refused = |change: fn(&mut sudare_ledger::leg::Component)| {
            let mut components = read.components.to_vec();
            change(&mut components[place]);
            let changed = TearOff { size: read.size, components: components.try_into().unwrap() };
            changed.check(number, root).is_err()
        };
        assert!(refused(|one| one.kind = ComponentKind::Input), "another kind");
        assert!(refused(|one| one.index += 1), "another index");
        assert!(refused(|one| one.salt[0] ^= 1), "another salt");
        assert!(refused(|one| one.position += 1), "another place");
        assert!(refused(|one| {
            let mut body = one.body.to_vec();
            *body.last_mut().unwrap() ^= 1;
            one.body = body.try_into().unwrap();
        }));
    }
}

#[test]
fn legs_that_break_a_rule_are_refused() {
    let vectors = load("leg");
    let terms = terms(&vectors);
    for case in list(&vectors["refused"]) {
        let why = format!("{}: {}", case["rule"], case["why"]);
        let Ok(leg) = decode::<Leg>(&bytes(&case["leg"]), "a leg") else {
            assert_eq!(case["rule"], "ENC-1", "{why}");
            continue;
        };
        let refused = check_leg(&leg, &terms).err().unwrap_or_else(|| panic!("accepted: {why}"));
        let expected = match string(&case["rule"]) {
            // The other epoch is one of these terms: its keys are not those of the ciphertexts.
            "LEG-1" if case["why"] == "another epoch" => is_false(refused),
            "LEG-1" => refused == LegError::Terms,
            "LEG-2" => refused == LegError::Purpose,
            "LEG-3" => refused == LegError::Repeated,
            "SEC-1" if string(&case["why"]).contains("reader") => {
                matches!(refused, LegError::Proof(_))
            }
            "SEC-1" => refused == LegError::Sections,
            "POL-6" | "LEG" => matches!(refused, LegError::Proof(Rejected::Shape(_))),
            "TRN-1" if case["why"] == "the sections in another order" => {
                refused == LegError::Sections
            }
            "TRN-1" | "BAL-1" | "RNG-1" => is_false(refused),
            other => panic!("no such rule: {other}"),
        };
        assert!(expected, "{why}: {refused:?}");
    }
}

fn check_leg(leg: &Leg, terms: &AssetTerms) -> Result<(), LegError> {
    let mut claims = Claims::new();
    leg.check(terms, &mut claims)?;
    Ok(claims.accept(&mut rng())?)
}

fn is_false(refused: LegError) -> bool {
    matches!(refused, LegError::Proof(Rejected::False(_)))
}

fn note(terms: &AssetTerms, input: &Value) -> Note {
    let (owner, commitment) = (point(&input["owner"]), point(&input["commitment"]));
    let note = Note { asset: terms.asset(), owner, commitment };
    assert_eq!(input["note_id"], note.id().0.to_string());
    note
}

// --- transactions ---------------------------------------------------------------------------------------------------

#[test]
fn a_transaction_has_the_hashes_of_the_specification() {
    let case = &load("transaction")["accepted"];
    let transaction: Transaction = decode(&bytes(&case["transaction"]), "a transaction").unwrap();
    assert_eq!(encode(&transaction), bytes(&case["transaction"]));
    assert_eq!(transaction.network, hash(&case["network"]));
    assert_eq!(transaction.notary.0, array(&case["notary"]));
    assert_eq!(encode(&transaction.window), bytes(&case["window"]));
    assert_eq!(transaction.salt, array(&case["salt"]));
    let leg = |leg: &Value| LegRef {
        registrar: NodeId(array(&leg["registrar"])),
        root: hash(&leg["root"]),
    };
    assert_eq!(transaction.legs.to_vec(), list(&case["legs"]).iter().map(leg).collect::<Vec<_>>());
    assert_eq!(transaction.tags.to_vec(), hashes(&case["tags"]));

    let (legs, tags) = (transaction.legs_root(), tags_root(&transaction.tags).unwrap());
    assert_eq!(case["legs_root"], legs.to_string());
    assert_eq!(case["tags_root"], tags.to_string());
    let id = transaction.id().unwrap();
    assert_eq!(case["tx_id"], id.to_string());
    assert_eq!(tx_id(legs, tags, transaction.network, transaction.notary, transaction.window), id);
    for case in list(&load("transaction")["other_ids"]) {
        let other: Transaction = decode(&bytes(&case["transaction"]), "a transaction").unwrap();
        assert_eq!(case["tx_id"], other.id().unwrap().to_string(), "{}", case["why"]);
        assert_ne!(other.id(), Some(id), "{}", case["why"]);
    }
    for case in list(&load("transaction")["no_id"]) {
        let other: Transaction = decode(&bytes(&case["transaction"]), "a transaction").unwrap();
        assert_eq!(other.id(), None, "{}", case["why"]);
    }
}

#[test]
fn a_commit_has_the_approvals_and_the_hash_of_the_specification() {
    let vectors = load("transaction");
    let case = &vectors["accepted"];
    let commit: Commit = decode(&bytes(&case["commit"]), "a commit").unwrap();
    assert_eq!(encode(&commit), bytes(&case["commit"]));
    assert_eq!(commit.salt, array(&case["commit_salt"]));
    assert_eq!(case["approvals_root"], commit.approvals_root().to_string());
    assert_eq!(case["m"], commit.check().unwrap().to_string());
    assert_eq!(commit.id(), commit.check().ok());
    let (messages, approvals) = (list(&case["approval_messages"]), list(&case["approvals"]));
    assert_eq!(commit.approvals.len(), approvals.len());
    for (index, (message, approval)) in pairs(messages, approvals).unwrap().enumerate() {
        let index = u8::try_from(index).unwrap();
        assert_eq!(commit.transaction.approval_bytes(index).unwrap(), bytes(message));
        let approval = NodeSignature(array(approval));
        assert_eq!(commit.approvals[usize::from(index)], approval);
        assert!(commit.transaction.is_approved(index, &approval));
        assert!(!commit.transaction.is_approved(1 - index, &approval));
    }
    for case in list(&vectors["bad_commits"]) {
        let bad: Commit = decode(&bytes(&case["commit"]), "a commit").unwrap();
        assert!(matches!(bad.check(), Err(CommitError::Approval(_))), "{}", case["why"]);
    }
}

#[test]
fn spend_signatures_are_those_of_the_specification() {
    let vectors = load("transaction");
    let case = &vectors["accepted"];
    let (m, tags) = (hash(&case["m"]), hashes(&case["tags"]));
    for spend in list(&case["spends"]) {
        let found = tag_hash(&array(&spend["salt"]), &point(&spend["tag"]));
        assert_eq!(spend["tag_hash"], found.to_string());
        assert!(tags.contains(&found));
        let key = tag::SpendKey { account: scalar(&spend["a"]), tag: scalar(&spend["t"]) };
        assert_eq!(key.tag(), point(&spend["tag"]));
        let signature = tag::sign(&key, m, &mut Fixed(array(&spend["entropy"]))).unwrap();
        assert_eq!(spend["signature"], hex(&encode(&signature)));
        // z = k + c*x for both variables; another commit has another c.
        assert_eq!(encode(&signature).len(), 100);
        assert!(is_spent(&spend["tag"], m, &spend["signature"]));
        assert!(!is_spent(&spend["tag"], Hash([0; 32]), &spend["signature"]));
    }
    for case in list(&vectors["bad_spends"]) {
        assert!(!is_spent(&case["tag"], hash(&case["m"]), &case["signature"]), "{}", case["why"]);
    }
}

fn is_spent(tag: &Value, commit: Hash, signature: &Value) -> bool {
    let signature: LinearProof = decode(&bytes(signature), "a signature").unwrap();
    let (statement, mut claims) = (tag::Statement { tag: point(tag), commit }, Claims::new());
    tag::verify(&statement, &signature, &mut claims).is_ok() && claims.accept(&mut rng()).is_ok()
}

#[test]
fn receipts_and_absences_are_those_of_the_specification() {
    let vectors = load("transaction");
    let case = &vectors["accepted"];
    let commit: Commit = decode(&bytes(&case["commit"]), "a commit").unwrap();
    let receipt: Receipt = decode(&bytes(&case["receipt"]), "a receipt").unwrap();
    assert_eq!(encode(&receipt), bytes(&case["receipt"]));
    assert_eq!(encode::<NotaryEntry>(&receipt.entry), bytes(&case["entry"]));
    assert_eq!(case["entry_leaf"], leaf_hash(&bytes(&case["entry"])).to_string());
    assert!(receipt.is_of(&commit));
    for case in list(&vectors["bad_receipts"]) {
        let bad: Receipt = decode(&bytes(&case["receipt"]), "a receipt").unwrap();
        assert!(!bad.is_of(&commit), "{}", case["why"]);
    }

    let transaction = &commit.transaction;
    let absent = |bytes: &[u8]| {
        let absence: Absence = decode(bytes, "an absence").unwrap();
        assert_eq!(encode(&absence), bytes);
        let signed =
            absence.is_valid(transaction.network, transaction.notary, transaction.window.until);
        signed && Some(absence.tx) == transaction.id()
    };
    assert!(absent(&bytes(&case["absence"])));
    for case in list(&vectors["bad_absences"]) {
        assert!(!absent(&bytes(&case["absence"])), "{}", case["why"]);
    }
}

// --- logs -----------------------------------------------------------------------------------------------------------

#[test]
fn entries_of_an_asset_log_have_the_leaves_of_the_specification() {
    let vectors = &load("transaction")["accepted"];
    for name in ["terms_entry", "leg_entry"] {
        let case = &vectors[name];
        let entry: Entry = decode(&bytes(&case["entry"]), "an entry").unwrap();
        assert_eq!(encode(&entry), bytes(&case["entry"]), "{name}");
        assert_eq!(case["body"], entry.body_hash().to_string(), "{name}");
        let leaf = entry.leaf().unwrap();
        assert_eq!(case["leaf"], hex(&encode(&leaf)), "{name}");
        assert_eq!(case["leaf_hash"], leaf.hash().to_string(), "{name}");
        let Entry::Leg(entry) = entry else { continue };
        // All that shows it is final is in the entry.
        assert_eq!(check_leg(&entry.leg, &terms(vectors)), Ok(()));
        let m = entry.commit.check().unwrap();
        assert!(entry.receipt.is_of(&entry.commit));
        let named = entry.commit.transaction.legs[usize::from(entry.index)];
        assert_eq!(entry.leg.root(entry.index, &entry.salt), named.root);
        let spends: Vec<_> = pairs(&entry.tag_salts, &entry.signatures).unwrap().collect();
        for (input, (salt, signature)) in pairs(&entry.leg.inputs, &spends).unwrap() {
            assert!(entry.commit.transaction.tags.contains(&tag_hash(salt, &input.tag)));
            let (statement, mut claims) =
                (tag::Statement { tag: input.tag, commit: m.0 }, Claims::new());
            tag::verify(&statement, signature, &mut claims).unwrap();
            assert_eq!(claims.accept(&mut rng()), Ok(()));
        }
    }
}

#[test]
fn trees_have_the_roots_and_paths_of_the_specification() {
    let vectors = load("log");
    let leaves = hashes(&vectors["leaves"]);
    for (number, leaf) in leaves.iter().enumerate() {
        assert_eq!(*leaf, leaf_hash(format!("leaf {number}").as_bytes()));
    }
    let tree = MemoryTree::from_leaves(&leaves).unwrap();
    let number = |value: &Value| value.as_u64().unwrap();
    for case in list(&vectors["roots"]) {
        let size = number(&case["size"]);
        assert_eq!(case["root"], tree.root(size).unwrap().to_string(), "{case}");
        assert_eq!(
            tree.root(size).unwrap(),
            list_root(&leaves[..usize::try_from(size).unwrap()]),
            "{case}"
        );
    }
    for case in list(&vectors["inclusion"]) {
        let (index, size) = (number(&case["index"]), number(&case["size"]));
        let proof = tree.inclusion(index, size).unwrap();
        assert_eq!(proof.path(), hashes(&case["path"]), "{case}");
        let read: InclusionProof = decode(&encode(&proof), "a proof").unwrap();
        let leaf = leaves[usize::try_from(index).unwrap()];
        let root = tree.root(size).unwrap();
        assert_eq!(read.verify(&leaf, index, size, &root), Ok(()), "{case}");
        assert!(read.verify(&root, index, size, &leaf).is_err() || size == 1, "{case}");
    }
    for case in list(&vectors["consistency"]) {
        let (old, size) = (number(&case["old"]), number(&case["size"]));
        let proof = tree.consistency(old, size).unwrap();
        assert_eq!(proof.path(), hashes(&case["path"]), "{case}");
        let read: ConsistencyProof = decode(&encode(&proof), "a proof").unwrap();
        let (before, after) = (tree.root(old).unwrap(), tree.root(size).unwrap());
        assert_eq!(read.verify(old, &before, size, &after), Ok(()), "{case}");
    }
}

#[test]
fn checkpoints_have_the_text_of_the_specification_and_no_other() {
    let vectors = &load("log")["checkpoints"];
    let named = |case: &Value| {
        let kind = match string(&case["kind"]) {
            "asset" => LogKind::Asset,
            "notary" => LogKind::Notary,
            "access" => LogKind::Access,
            other => panic!("no such log: {other}"),
        };
        SignerName::of_log(string(&case["network"]), kind, &array(&case["id"])).unwrap()
    };
    for case in list(&vectors["accepted"]) {
        let text = string(&case["text"]);
        let signed = SignedCheckpoint::parse(text.as_bytes()).unwrap();
        assert_eq!(signed.to_text(), text);
        let checkpoint = signed.open(&named(case), &NodeId(array(&case["node"]))).unwrap();
        assert_eq!(checkpoint.size, case["size"].as_u64().unwrap());
        assert_eq!(case["root"], checkpoint.root.to_string());
        if let Some(witness) = case["witness"].as_str() {
            let witness = NodeId(array(&witness.into()));
            let name = SignerName::of_node(string(&case["network"]), &witness).unwrap();
            assert_eq!(signed.verify(&name, &witness), Ok(()));
        }
    }
    let expected = &vectors["refused_as"];
    for case in list(&vectors["refused"]) {
        let opened = SignedCheckpoint::parse(string(&case["text"]).as_bytes()).and_then(|signed| {
            signed.open(&named(expected), &NodeId(array(&expected["node"]))).cloned()
        });
        assert!(opened.is_err(), "{}", case["why"]);
    }
}

// --- register snapshots ----------------------------------------------------------------------------------------------

#[test]
fn chains_leaves_and_roots_of_a_snapshot_are_those_of_the_specification() {
    let vectors = load("snapshot");
    let seed: SnapshotSeed = decode(&bytes(&vectors["seed"]), "a seed").unwrap();
    let rows: Vec<AccountRow> = list(&vectors["accounts"]).iter().map(account_row).collect();
    let tree = seed.leaves(&rows).unwrap();
    let root = tree.root().unwrap();
    assert_eq!(hex(&encode(&root)), string(&vectors["root"]));
    for case in list(&vectors["accounts"]) {
        let account = point(&case["account"]);
        assert_eq!(seed.blinding(&account).0, scalar(&case["blinding"]));
        let (leaf, place, path) = tree.prove(&account).unwrap();
        assert_eq!(hex(&encode(&leaf)), string(&case["leaf"]));
        assert_eq!(u64::from(place), case["place"].as_u64().unwrap());
        let listed: Vec<String> = path.iter().map(|node| hex(&encode(node))).collect();
        assert_eq!(listed, list(&case["path"]).iter().map(string).collect::<Vec<_>>());
        let at = (place, &path);
        assert!(search_ends_at(&leaf.node(), &leaf.locator, at, (4, &root)).unwrap());
    }
}

#[test]
fn searches_in_a_snapshot_end_where_the_specification_says() {
    let vectors = load("snapshot");
    let searches = &vectors["searches"];
    let (mut found, mut absent, mut refused) = (0, 0, 0);
    for case in list(searches) {
        let (account, shared) = (point(&case["account"]), point(&case["shared"]));
        let own = locator(&account, &shared);
        assert_eq!(own, hash(&case["locator"]));
        let leaf: SumNode = decode(&bytes(&case["leaf"]), "a leaf").unwrap();
        let root: SumNode = decode(&bytes(&case["root"]), "a root").unwrap();
        let path = list(&case["path"]).iter().map(|node| decode(&bytes(node), "a node").unwrap());
        let path: SumPath = path.collect::<Vec<_>>().try_into().unwrap();
        let place = u32::try_from(case["place"].as_u64().unwrap()).unwrap();
        let ends = search_ends_at(&leaf, &own, (place, &path), (4, &root)).unwrap();
        assert_eq!(ends, case["ends"].as_bool().unwrap(), "{}", case["why"]);
        match (ends, leaf.first == own) {
            (true, true) => found += 1,
            (true, false) => absent += 1,
            (false, _) => refused += 1,
        }
    }
    assert!(found > 0 && absent > 0 && refused > 0);
}

#[test]
fn snapshots_are_accepted_and_refused_as_the_specification_says() {
    let vectors = load("snapshot");
    let terms = terms(&vectors);
    let check = |entry: &Value| {
        let Entry::Snapshot(snapshot) = decode(&bytes(entry), "an entry").unwrap() else {
            panic!("not a snapshot")
        };
        let mut claims = Claims::new();
        let checked = snapshot.check(&terms, &mut claims);
        checked.map_err(|error| error.to_string()).and_then(|()| {
            claims.accept(&mut rng()).map_err(|error| error.to_string()).map(|()| snapshot)
        })
    };
    let snapshot = check(&vectors["entry"]).unwrap();
    assert_eq!(hex(&encode(&snapshot.heading)), string(&vectors["heading"]));
    let leaf = EntryLeaf::Snapshot { heading: hash(&vectors["heading_hash"]), body: Hash([7; 32]) };
    assert_eq!(snapshot.heading.leaf(Hash([7; 32])), leaf);
    let epoch = terms.policy.epoch(0).unwrap();
    let purpose = KeyPurpose {
        network: terms.core.network,
        asset: terms.asset(),
        epoch: 0,
        fields: Fields::ALL,
        label: Text::new("registrar").unwrap(),
    };
    let key = DisclosureSecret::derive(&Seed(array(&vectors["registrar"])), &purpose);
    let opened = snapshot.open(epoch, &key).unwrap().unwrap();
    assert_eq!(hex(&encode(&opened)), string(&vectors["seed"]));
    for case in list(&vectors["refused"]) {
        assert!(check(&case["entry"]).is_err(), "{}", case["why"]);
    }
}

fn account_row(case: &Value) -> AccountRow {
    let mut chain = Chain::default();
    for event in list(&case["events"]) {
        let event: AccountEvent = decode(&bytes(event), "an event").unwrap();
        chain = chain.after(&event);
    }
    assert_eq!(Some(chain.count), case["count"].as_u64());
    assert_eq!(chain.head, hash(&case["head"]));
    let sum = bytes(&case["sum"]);
    let sum = if sum == [0; 32] {
        RistrettoPoint::default()
    } else {
        point(&case["sum"]).decompress().unwrap()
    };
    AccountRow { account: point(&case["account"]), chain, sum }
}

// --- reading --------------------------------------------------------------------------------------------------------

/// Entropy that was fixed beforehand.
struct Fixed([u8; 32]);

impl RngCore for Fixed {
    fn next_u32(&mut self) -> u32 {
        unreachable!("entropy is asked for as bytes")
    }

    fn next_u64(&mut self) -> u64 {
        unreachable!("entropy is asked for as bytes")
    }

    fn fill_bytes(&mut self, out: &mut [u8]) {
        out.copy_from_slice(&self.0);
    }

    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), rand_core::Error> {
        self.fill_bytes(out);
        Ok(())
    }
}

impl CryptoRng for Fixed {}

fn rng() -> ChaCha20Rng {
    ChaCha20Rng::seed_from_u64(1)
}

fn load(name: &str) -> Value {
    let path = format!("{}/../../specs/vectors/{name}.json", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// The terms under which a file's values were made, checked.
fn terms(vectors: &Value) -> AssetTerms {
    let signed: SignedTerms = decode(&bytes(&vectors["signed_terms"]), "terms").unwrap();
    assert_eq!(signed.check(signed.terms.core.network, &mut rng()), Ok(()));
    signed.terms
}

/// The scalars `a`, `t`, `s`, `u` and the memo key's, as the vectors name them.
fn secrets_of(case: &Value) -> SlotSecrets {
    let secret = |name: &str| Secret(scalar(&case[name]));
    SlotSecrets {
        account: secret("a"),
        tag: secret("t"),
        blinding: secret("s"),
        ephemeral: secret("u"),
        memo: secret("memo"),
    }
}

fn scalars_of(secrets: &SlotSecrets) -> [Scalar; 5] {
    [&secrets.account, &secrets.tag, &secrets.blinding, &secrets.ephemeral, &secrets.memo]
        .map(|secret| secret.0)
}

fn list(value: &Value) -> &[Value] {
    value.as_array().unwrap()
}

fn string(value: &Value) -> &str {
    value.as_str().unwrap()
}

fn u8_of(value: &Value) -> u8 {
    u8::try_from(value.as_u64().unwrap()).unwrap()
}

fn bytes(value: &Value) -> Vec<u8> {
    let text = string(value);
    assert!(text.len().is_multiple_of(2));
    (0..text.len()).step_by(2).map(|i| u8::from_str_radix(&text[i..i + 2], 16).unwrap()).collect()
}

fn array<const N: usize>(value: &Value) -> [u8; N] {
    bytes(value).try_into().unwrap()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn hash(value: &Value) -> Hash {
    Hash(array(value))
}

fn hashes(value: &Value) -> Vec<Hash> {
    list(value).iter().map(hash).collect()
}

fn asset(value: &Value) -> AssetId {
    AssetId(hash(value))
}

fn scalar(value: &Value) -> Scalar {
    Scalar::from_canonical_bytes(array(value)).unwrap()
}

fn point(value: &Value) -> Encoded {
    Encoded::from_bytes(array(value)).unwrap()
}

fn points(value: &Value) -> Vec<Encoded> {
    list(value).iter().map(point).collect()
}
