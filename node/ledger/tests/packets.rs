//! Disclosure packets: what they show is the ledger's, to their recipient alone, and nothing that was changed passes.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::as_conversions,
    clippy::disallowed_methods,
    clippy::panic,
    reason = "tests"
)]

mod common;

use std::collections::BTreeMap;

use common::chain::*;
use common::*;
use rand_chacha::ChaCha20Rng;
use serde_json::Value;
use sudare_crypto::encoding::{Version, decode, encode};
use sudare_crypto::{Hash, NodeId, NodeKey, Scalar, Secret};
use sudare_disclosure::{AssetId, Field, SectionKind};
use sudare_ledger::bundle::{BUNDLE_BYTES_MAX, Bundle, BundleError, ReceiptError, ReceiptFile};
use sudare_ledger::leg::{TearOff, TradeInfo};
use sudare_ledger::log::{Entry, EntryLeaf, EntryProof, FinalLeg};
use sudare_ledger::messages::Settlement;
use sudare_ledger::note::SlotSecrets;
use sudare_ledger::packet::{
    Anchor, Body, Content, Expected, Fork, ForkError, NodeFork, Packet, PacketError, ReadOutput,
    Shown, ShownOutput, Verified,
};
use sudare_ledger::transaction::CommitError;
use sudare_ledger::tree::{
    Checkpoint, ConsistencyProof, LogKind, MemoryTree, SignedCheckpoint, SignerName,
};

const RECIPIENT: &str = "Example Audit";
const NONCE: &str = "2031-07-19/1";

/// A log in which Alice was issued 60 and 40, and gave Bob 70.
struct World {
    rng: ChaCha20Rng,
    asset: Asset,
    tree: MemoryTree,
    legs: Vec<(u64, FinalLeg)>,
    /// The secrets of each leg's slots.
    secrets: Vec<Vec<SlotSecrets>>,
}

impl World {
    fn new() -> Self {
        let mut rng = rng(11);
        let asset = Asset::with(&Field::ALL, &mut rng);
        let mut tree = MemoryTree::default();
        tree.append(Entry::Terms(asset.signed()).leaf().unwrap().hash()).unwrap();
        let mut world = Self { rng, asset, tree, legs: Vec::new(), secrets: Vec::new() };
        let issued = world.append(&[], &[(1, 60), (1, 40)], &BTreeMap::new());
        world.append(&issued, &[(2, 70), (1, 30)], &BTreeMap::new());
        world
    }

    /// Appends a leg that spends these notes, with other contents of some sections.
    fn append(
        &mut self,
        spends: &[Held],
        to: &[(u8, u64)],
        contents: &BTreeMap<SectionKind, Vec<u8>>,
    ) -> Vec<Held> {
        let rng = &mut self.rng;
        let pays: Vec<_> = to
            .iter()
            .map(|(who, value)| (Holder::new(*who).slot(&self.asset, 0, rng), *value))
            .collect();
        let plan = match spends {
            [] => Plan::issue(pays),
            spends => Plan::transfer(spends.to_vec(), pays),
        };
        let draft = plan.draft_with(&self.asset, contents, rng);
        let entry = finalise(draft.prove(rng), &plan.spends, WINDOW, rng);
        let leaf = Entry::Leg(Box::new(entry.clone())).leaf().unwrap();
        let index = self.tree.append(leaf.hash()).unwrap();
        self.legs.push((index, entry));
        self.secrets.push(plan.pays.iter().map(|(to, _)| to.secrets.clone()).collect());
        let made = plan.pays.iter().zip(&draft.openings);
        made.map(|((to, _), opening)| {
            held(&self.asset, &to.slot, opening.clone(), to.secrets.clone())
        })
        .collect()
    }

    fn checkpoint(&self, size: u64) -> SignedCheckpoint {
        checkpoint(&self.asset, size, self.tree.root(size).unwrap())
    }

    /// What the registrar gives the custodian of an output.
    fn settlement(&self, leg: usize, output: u8) -> (Settlement, TearOff) {
        let (index, entry) = &self.legs[leg];
        let components = entry.leg.tear_off(entry.index, &entry.salt, output).unwrap();
        let size = self.tree.size();
        let text = self.checkpoint(size).to_text().into_bytes();
        let Some(EntryLeaf::Leg { body, .. }) = Entry::Leg(Box::new(entry.clone())).leaf() else {
            unreachable!()
        };
        let proof = EntryProof {
            index: *index,
            body,
            checkpoint: text.try_into().unwrap(),
            path: self.tree.inclusion(*index, size).unwrap(),
        };
        let settlement = Settlement {
            commit: entry.commit.clone(),
            index: entry.index,
            receipt: entry.receipt,
            entry: proof,
            components: vec![components.clone()].try_into().unwrap(),
        };
        (settlement, components)
    }

    fn shown(&self, leg: usize, output: u8, with_trade: bool) -> ShownOutput {
        let (settlement, components) = self.settlement(leg, output);
        let secrets = &self.secrets[leg][usize::from(output)];
        ShownOutput::of(&settlement, &components, secrets, with_trade).unwrap()
    }

    fn body(&self, shown: ShownOutput) -> Body {
        Body {
            version: Version,
            custodian: bob().id(),
            recipient: text(RECIPIENT),
            nonce: text(NONCE),
            purpose: text("yearly audit"),
            made_at: NOW,
            core: self.asset.terms.core.clone(),
            checkpoint: self.checkpoint(self.tree.size()),
            extends: ConsistencyProof::default(),
            content: Content::Transfer(Box::new(shown)),
        }
    }

    /// That the leg which paid Bob is final.
    fn receipt(&self) -> ReceiptFile {
        let (_, entry) = &self.legs[1];
        ReceiptFile { version: Version, commit: entry.commit.clone(), receipt: entry.receipt }
    }

    /// Bob's packet of the 70 he got.
    fn packet(&self) -> Packet {
        self.body(self.shown(1, 0, true)).sign(&bob())
    }

    fn expects(&self) -> Expected {
        self.expects_under(Anchor::Asset(self.asset.terms.asset()))
    }

    fn expects_under(&self, anchor: Anchor) -> Expected {
        Expected { recipient: RECIPIENT.to_owned(), nonce: NONCE.to_owned(), anchor }
    }

    fn holds(&self, checkpoint: SignedCheckpoint) -> Expected {
        self.expects_under(Anchor::Checkpoint(Box::new(checkpoint)))
    }

    fn refused(&self, packet: &Packet) -> PacketError {
        packet.verify(&self.expects(), &mut rng(1)).unwrap_err()
    }

    /// Bob's packet, with what is shown changed and signed by him.
    fn changed(&self, change: impl FnOnce(&mut ShownOutput)) -> PacketError {
        let mut shown = self.shown(1, 0, true);
        change(&mut shown);
        self.refused(&self.body(shown).sign(&bob()))
    }
}

fn output(verified: Verified) -> ReadOutput {
    let Shown::Output(output) = verified.shown else { panic!("no output") };
    *output
}

fn bob() -> NodeKey {
    Holder::new(2).node
}

#[test]
fn a_packet_shows_the_output_as_the_ledger_has_it() {
    let world = World::new();
    let (index, entry) = &world.legs[1];
    let expected = Verified {
        asset: world.asset.terms.asset(),
        checkpoint: world.checkpoint(3).unverified().clone(),
        shown: Shown::Output(Box::new(ReadOutput {
            entry: *index,
            tx: entry.receipt.tx,
            leg: 0,
            output: 0,
            time: entry.receipt.entry.time,
            purpose: entry.leg.header.purpose,
            custodian: bob().id(),
            note: entry.leg.notes().next().unwrap().id(),
            quantity: 70,
            trade: Some(TradeInfo { trade_id: text("T-1"), ..TradeInfo::default() }),
        })),
    };
    let bundle = Bundle::Packet(Box::new(world.packet()));
    let Bundle::Packet(packet) = Bundle::parse(&bundle.to_bytes()).unwrap() else { unreachable!() };
    assert_eq!(packet.verify(&world.expects(), &mut rng(1)), Ok(expected.clone()));
    assert_eq!(packet.verify(&world.holds(world.checkpoint(3)), &mut rng(1)), Ok(expected));
}

#[test]
fn a_trade_that_is_not_disclosed_is_not_in_the_packet() {
    let world = World::new();
    let shown = world.shown(1, 0, false);
    assert!(shown.components.section(SectionKind::Trade).is_err());
    let packet = world.body(shown).sign(&bob());
    assert_eq!(output(packet.verify(&world.expects(), &mut rng(1)).unwrap()).trade, None);
    let Bundle::Packet(whole) =
        Bundle::parse(&Bundle::Packet(Box::new(world.packet())).to_bytes()).unwrap()
    else {
        unreachable!()
    };
    assert!(encode(&packet).len() + 100 < encode(&whole).len());
}

#[test]
fn a_packet_for_somebody_else_or_another_nonce_is_not_taken_for_fresh() {
    let world = World::new();
    let packet = world.packet();
    let other = Expected { recipient: "Another Audit".into(), ..world.expects() };
    let found = RECIPIENT.to_owned();
    assert_eq!(packet.verify(&other, &mut rng(1)), Err(PacketError::Recipient { found }));
    let other = Expected { nonce: "2031-07-19/2".into(), ..world.expects() };
    assert_eq!(packet.verify(&other, &mut rng(1)), Err(PacketError::Nonce));
    // Who received it can't address it to the next one.
    let mut passed_on = packet.clone();
    passed_on.body.recipient = text("Another Audit");
    assert_eq!(world.refused(&passed_on), PacketError::Signature);
    let mut passed_on = packet;
    passed_on.body.nonce = text("2031-07-19/2");
    assert_eq!(world.refused(&passed_on), PacketError::Signature);
}

#[test]
fn only_the_custodian_of_the_output_shows_it() {
    let world = World::new();
    let alice = Holder::new(1).node;
    let body = Body { custodian: alice.id(), ..world.body(world.shown(1, 0, true)) };
    assert_eq!(world.refused(&body.sign(&alice)), PacketError::OtherCustodian);
    // A slot that its custodian did not sign is nobody's.
    let (settlement, components) = world.settlement(1, 0);
    let others = &world.secrets[1][1];
    assert!(ShownOutput::of(&settlement, &components, others, true).is_err());
}

#[test]
fn a_packet_stands_on_the_checkpoint_that_its_recipient_holds() {
    let mut world = World::new();
    let old = world.packet();
    let held = world.checkpoint(3);
    let asset = Asset::new("JP0000000002", &[&[]], &mut rng(1));
    let another = world.expects_under(Anchor::Asset(asset.terms.asset()));
    assert_eq!(old.verify(&another, &mut rng(1)), Err(PacketError::OtherAsset));
    let another = world.holds(checkpoint(&asset, 3, Hash::default()));
    assert!(matches!(old.verify(&another, &mut rng(1)), Err(PacketError::Checkpoint(_))));

    world.append(&[], &[(1, 5)], &BTreeMap::new());
    let longer = world.holds(world.checkpoint(4));
    assert_eq!(old.verify(&longer, &mut rng(1)), Err(PacketError::Stale { shown: 3, held: 4 }));
    let shorter = world.holds(held.clone());
    let unjoined = world.packet();
    assert_eq!(
        unjoined.verify(&shorter, &mut rng(1)),
        Err(PacketError::NotJoined { shown: 4, held: 3 })
    );
    let mut body = unjoined.body;
    body.extends = world.tree.consistency(3, 4).unwrap();
    assert_eq!(body.sign(&bob()).verify(&shorter, &mut rng(1)).unwrap().checkpoint.size, 4);
}

#[test]
fn a_registrar_with_two_histories_is_convicted_by_any_two_who_compare() {
    let world = World::new();
    let packet = world.packet();
    let forged = checkpoint(&world.asset, 3, Hash([7; 32]));
    let held = world.holds(forged.clone());
    assert_eq!(packet.verify(&held, &mut rng(1)), Err(PacketError::Forked { size: 3 }));
    let core = world.asset.terms.core.clone();
    let fork = Fork { core, one: world.checkpoint(3), other: forged };
    assert_eq!(fork.verify().unwrap().0, 3);
    let bytes = Bundle::Fork(Box::new(fork.clone())).to_bytes();
    let Bundle::Fork(read) = Bundle::parse(&bytes).unwrap() else { unreachable!() };
    assert_eq!(*read, fork);

    let other = |other| Fork { other, ..fork.clone() }.verify();
    assert_eq!(other(world.checkpoint(3)), Err(ForkError::Same));
    assert_eq!(other(world.checkpoint(2)), Err(ForkError::Sizes { one: 3, other: 2 }));
    let framed = Asset::new("JP0000000002", &[&[]], &mut rng(1));
    let another = checkpoint(&framed, 3, Hash([7; 32]));
    assert!(matches!(other(another), Err(ForkError::Checkpoint(_))));
    let mut framed = fork.clone();
    framed.core.registrar = bob().id();
    assert!(matches!(framed.verify(), Err(ForkError::Checkpoint(_))));
}

#[test]
fn a_memo_that_lies_shows_nothing() {
    let mut world = World::new();
    for lie in [encode(&(71u64, Secret(Scalar::ONE))), b"rubbish".to_vec()] {
        let contents = BTreeMap::from([(SectionKind::Opening(0), lie)]);
        world.append(&[], &[(2, 70)], &contents);
        let shown = world.shown(world.legs.len() - 1, 0, true);
        let packet = world.body(shown).sign(&bob());
        assert_eq!(world.refused(&packet), PacketError::Opening);
    }
    let contents = BTreeMap::from([(SectionKind::Trade, b"rubbish".to_vec())]);
    world.append(&[], &[(2, 70)], &contents);
    let shown = world.shown(world.legs.len() - 1, 0, true);
    assert_eq!(world.refused(&world.body(shown).sign(&bob())), PacketError::Trade);
}

#[test]
fn a_custodian_shows_nothing_but_what_is_final_in_the_asset_s_log() {
    let world = World::new();
    let other = world.shown(0, 0, true);
    // The key of another section, another leg's receipt, another entry's place, another leg's components.
    let key = other.opening.clone();
    assert_eq!(world.changed(|shown| shown.opening = key), PacketError::Opening);
    let key = world.shown(1, 0, true).trade.unwrap();
    assert_eq!(world.changed(|shown| shown.opening = key), PacketError::Opening);
    let key = world.shown(1, 0, true).opening;
    assert_eq!(world.changed(|shown| shown.trade = Some(key)), PacketError::Trade);
    assert_eq!(world.changed(|shown| shown.leg.receipt = other.leg.receipt), PacketError::Receipt);
    assert!(matches!(world.changed(|shown| shown.leg.place.entry = 1), PacketError::NotInLog(_)));
    assert!(matches!(
        world.changed(|shown| shown.leg.place.body = other.leg.place.body),
        PacketError::NotInLog(_)
    ));
    let components = other.components.clone();
    assert!(matches!(
        world.changed(|shown| shown.components = components),
        PacketError::Components(_)
    ));
    assert_eq!(world.changed(|shown| shown.leg.index = 1), PacketError::OtherLeg);
    let unapproved =
        |shown: &mut ShownOutput| shown.leg.commit.approvals = Vec::new().try_into().unwrap();
    assert_eq!(world.changed(unapproved), PacketError::Commit(CommitError::Approval(0)));
}

#[test]
fn a_transaction_of_another_registrar_or_notary_is_not_shown_as_one_of_the_asset() {
    let world = World::new();
    for strange in 0..3 {
        let mut body = world.body(world.shown(1, 0, true));
        match strange {
            0 => body.core.notary = bob().id(),
            1 => body.core.network = Hash([5; 32]),
            _ => body.core.registrar = bob().id(),
        }
        let size = world.tree.size();
        let origin = sudare_ledger::registrar::origin(body.core.network, body.core.id()).unwrap();
        let root = world.tree.root(size).unwrap();
        let own = Checkpoint { origin, size, root };
        let key = if strange == 2 { bob() } else { registrar() };
        body.checkpoint = own.sign(&key.id(), |text| key.sign_raw(text)).unwrap();
        let anchor = Anchor::Asset(body.core.id());
        let refused = body.sign(&bob()).verify(&world.expects_under(anchor), &mut rng(1));
        assert_eq!(refused, Err(PacketError::OtherLeg), "{strange}");
    }
}

/// Whether a file holds for the recipient of these tests.
fn holds(world: &World, file: &[u8]) -> bool {
    Bundle::parse(file).is_ok_and(|bundle| match bundle {
        Bundle::Packet(packet) => packet.verify(&world.expects(), &mut rng(1)).is_ok(),
        Bundle::Fork(fork) => fork.verify().is_ok() && fork.core == world.asset.terms.core,
        Bundle::Receipt(receipt) => receipt.verify_of(&world.asset.terms.core).is_ok(),
        Bundle::NodeFork(fork) => fork.verify().is_ok() && fork.node == notary().id(),
        Bundle::Statement(_)
        | Bundle::Access(_)
        | Bundle::Audit(_)
        | Bundle::Erasure(_)
        | Bundle::SignOff(_) => false,
    })
}

#[test]
fn every_byte_of_a_packet_evidence_or_receipt_counts() {
    let world = World::new();
    let packet = Bundle::Packet(Box::new(world.packet()));
    let mut one = world.checkpoint(3);
    let witness = bob();
    let name = SignerName::of_node(&network().to_string(), &witness.id()).unwrap();
    one.cosign(name, &witness.id(), |text| witness.sign_raw(text)).unwrap();
    let other = checkpoint(&world.asset, 3, Hash([7; 32]));
    let core = world.asset.terms.core.clone();
    let fork = Bundle::Fork(Box::new(Fork { core, one, other }));
    let of_notary = |root: u8| {
        let origin =
            SignerName::of_log(&network().to_string(), LogKind::Notary, &notary().id().0).unwrap();
        let own = Checkpoint { origin, size: 3, root: Hash([root; 32]) };
        own.sign(&notary().id(), |text| notary().sign_raw(text)).unwrap()
    };
    let node_fork =
        NodeFork { version: Version, node: notary().id(), one: of_notary(1), other: of_notary(2) };
    let same = NodeFork { other: of_notary(1), ..node_fork.clone() };
    assert_eq!(same.verify(), Err(ForkError::Same));
    let framed = NodeFork { node: bob().id(), ..node_fork.clone() };
    assert!(matches!(framed.verify(), Err(ForkError::Checkpoint(_))));
    let node_fork = Bundle::NodeFork(Box::new(node_fork));
    for bundle in [packet, fork, node_fork, Bundle::Receipt(Box::new(world.receipt()))] {
        assert_every_byte_counts(&bundle.to_bytes(), |file| holds(&world, file));
    }
}

#[test]
fn a_receipt_shows_that_a_transaction_is_final_to_whoever_knows_its_notary() {
    let world = World::new();
    let file = world.receipt();
    assert_eq!(file.verify(notary().id()), Ok(()));
    assert_eq!(file.verify_of(&world.asset.terms.core), Ok(()));
    assert_eq!(file.verify(bob().id()), Err(ReceiptError::OtherNotary(notary().id())));
    let other = |change: &dyn Fn(&mut sudare_disclosure::AssetCore)| {
        let mut core = world.asset.terms.core.clone();
        change(&mut core);
        file.verify_of(&core)
    };
    assert_eq!(other(&|core| core.registrar = bob().id()), Err(ReceiptError::OtherAsset));
    assert_eq!(other(&|core| core.network = Hash([5; 32])), Err(ReceiptError::OtherAsset));
    let mut unapproved = file.clone();
    unapproved.commit.approvals = Vec::new().try_into().unwrap();
    let missing = ReceiptError::Commit(CommitError::Approval(0));
    assert_eq!(unapproved.verify(notary().id()), Err(missing));
    let mut of_another = file;
    of_another.receipt = world.legs[0].1.receipt;
    assert_eq!(of_another.verify(notary().id()), Err(ReceiptError::Receipt));
}

#[test]
fn what_is_no_bundle_says_what_it_is_instead() {
    let bytes = Bundle::Packet(Box::new(World::new().packet())).to_bytes();
    let refused = |bytes: &[u8]| Bundle::parse(bytes).unwrap_err();
    assert_eq!(refused(b""), BundleError::Unknown);
    assert_eq!(refused(b"%PDF-1.7"), BundleError::Unknown);
    assert_eq!(refused(b"sudare bundle 2\n\0"), BundleError::Version);
    assert_eq!(refused(b"sudare bundle 1\n\xfe"), BundleError::Kind(0xfe));
    assert_eq!(refused(b"sudare bundle 1"), BundleError::Damaged);
    assert_eq!(refused(b"sudare bundle 1\n"), BundleError::Damaged);
    assert_eq!(refused(&bytes[..bytes.len() - 1]), BundleError::Damaged);
    assert_eq!(refused(&[&bytes[..], b"\0"].concat()), BundleError::Damaged);
    assert_eq!(refused(&vec![0; BUNDLE_BYTES_MAX + 1]), BundleError::TooLong);
}

#[test]
fn no_byte_that_the_custodian_itself_changes_makes_the_packet_say_something_else() {
    let world = World::new();
    let honest = world.packet().verify(&world.expects(), &mut rng(1)).unwrap();
    let shown = encode(&world.shown(1, 0, true));
    let (mut refused, mut the_same) = (0, 0);
    for at in 0..shown.len() {
        let mut changed = shown.clone();
        changed[at] ^= 1 << (at % 8);
        let Ok(changed) = decode::<ShownOutput>(&changed, "a test's output") else { continue };
        match world.body(changed).sign(&bob()).verify(&world.expects(), &mut rng(1)) {
            // The leg's size and a component's place bind nothing by themselves: kind and number stand in the leaf.
            Ok(verified) => {
                assert_eq!(verified, honest, "byte {at}");
                the_same += 1;
            }
            Err(_) => refused += 1,
        }
    }
    assert!(refused > 50 * the_same, "{refused} refused, {the_same} the same");
}

fn vectors() -> Value {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../specs/vectors/packet.json");
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

#[test]
fn every_byte_of_an_account_packet_counts() {
    let vectors = vectors();
    let own = |name: &str| vectors[name].as_str().unwrap().to_owned();
    let anchor = Anchor::Asset(AssetId(Hash::from_hex(&own("asset")).unwrap()));
    let expected = Expected { recipient: own("recipient"), nonce: own("nonce"), anchor };
    let file = bytes(&vectors["accounts"]["accepted"][0]["file"]);
    assert_every_byte_counts(&file, |file| {
        let Ok(Bundle::Packet(packet)) = Bundle::parse(file) else { return false };
        packet.verify(&expected, &mut rng(1)).is_ok()
    });
}

#[test]
fn packets_are_those_of_the_specification() {
    let vectors = vectors();
    let asset = AssetId(Hash::from_hex(vectors["asset"].as_str().unwrap()).unwrap());
    let verify = |case: &Value| -> Result<Verified, String> {
        let anchor = match case["checkpoint"].as_str() {
            Some(text) => {
                Anchor::Checkpoint(Box::new(SignedCheckpoint::parse(text.as_bytes()).unwrap()))
            }
            None => Anchor::Asset(asset),
        };
        let own = |name: &str| vectors[name].as_str().unwrap().to_owned();
        let expected = Expected { recipient: own("recipient"), nonce: own("nonce"), anchor };
        match Bundle::parse(&bytes(&case["file"])) {
            Ok(Bundle::Packet(packet)) => {
                packet.verify(&expected, &mut rng(1)).map_err(|error| error.to_string())
            }
            Ok(other) => unreachable!("{}", other.name()),
            Err(error) => Err(error.to_string()),
        }
    };
    for case in vectors["accepted"].as_array().unwrap() {
        let (shows, verified) = (&case["shows"], verify(case).unwrap());
        let checkpoint = verified.checkpoint.clone();
        let output = output(verified);
        assert_eq!(output.quantity, shows["quantity"].as_u64().unwrap());
        assert_eq!(output.note.0.to_string(), shows["note"].as_str().unwrap());
        assert_eq!(output.tx.to_string(), shows["transaction"].as_str().unwrap());
        assert_eq!(output.time, shows["time"].as_u64().unwrap());
        assert_eq!(output.entry, shows["entry"].as_u64().unwrap());
        assert_eq!(checkpoint.size, shows["entries"].as_u64().unwrap());
        let trade = output.trade.map(|trade| trade.note.to_string());
        assert_eq!(trade.as_deref(), shows["trade"]["note"].as_str());
        // What decodes encodes to the same bytes.
        let file = bytes(&case["file"]);
        assert_eq!(Bundle::parse(&file).unwrap().to_bytes(), file);
    }
    for case in vectors["accounts"]["accepted"].as_array().unwrap() {
        let Shown::Account(account) = verify(case).unwrap().shown else { panic!("no account") };
        let shows = &case["shows"];
        assert_eq!(format!("{:?}", account.account), shows["account"].as_str().unwrap());
        assert_eq!(account.opening, u128::from(shows["opening"].as_u64().unwrap()));
        assert_eq!(account.closing, u128::from(shows["closing"].as_u64().unwrap()));
        assert_eq!(account.from.map(|from| u64::from(from.0)), shows["from"].as_u64());
        assert_eq!(Some(u64::from(account.until.0)), shows["until"].as_u64());
        assert_eq!(account.events.len(), shows["events"].as_array().unwrap().len());
        let file = bytes(&case["file"]);
        assert_eq!(Bundle::parse(&file).unwrap().to_bytes(), file);
    }
    let refused = [&vectors["refused"], &vectors["accounts"]["refused"]];
    for case in refused.into_iter().flat_map(|cases| cases.as_array().unwrap()) {
        let (rule, error) = (case["rule"].as_str().unwrap(), verify(case).unwrap_err());
        assert!(error.contains(&format!("[{rule}]")), "{}: {error}", case["why"]);
    }
}

#[test]
fn receipts_and_forks_are_those_of_the_specification() {
    let vectors = vectors();
    let own = &vectors["receipt"];
    let notary = NodeId(bytes(&own["notary"]).try_into().unwrap());
    let receipt = |file: &Value| match Bundle::parse(&bytes(file)) {
        Ok(Bundle::Receipt(file)) => {
            file.verify(notary).map(|()| file).map_err(|error| error.to_string())
        }
        Ok(other) => unreachable!("{}", other.name()),
        Err(error) => Err(error.to_string()),
    };
    let recorded = receipt(&own["file"]).unwrap().receipt;
    assert_eq!(recorded.tx.to_string(), own["transaction"].as_str().unwrap());
    assert_eq!(recorded.entry.time, own["time"].as_u64().unwrap());
    for case in own["refused"].as_array().unwrap() {
        let (rule, error) = (case["rule"].as_str().unwrap(), receipt(&case["file"]).unwrap_err());
        assert!(error.contains(&format!("[{rule}]")), "{}: {error}", case["why"]);
    }
    let Ok(Bundle::Fork(fork)) = Bundle::parse(&bytes(&vectors["fork"]["file"])) else {
        panic!("the vectors hold a fork")
    };
    assert_eq!(fork.verify().unwrap().0, vectors["fork"]["size"].as_u64().unwrap());
}

fn bytes(value: &Value) -> Vec<u8> {
    let digits = value.as_str().unwrap();
    let pair = |at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap();
    (0..digits.len()).step_by(2).map(pair).collect()
}
