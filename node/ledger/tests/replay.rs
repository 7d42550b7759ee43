//! The regulator's replay: what it states of an honest log within each scope, and the fault it names in every other.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::as_conversions,
    clippy::disallowed_methods,
    clippy::too_many_lines,
    clippy::panic,
    reason = "tests"
)]

mod common;

use std::collections::BTreeMap;

use common::chain::*;
use common::*;
use rand_chacha::ChaCha20Rng;
use sudare_crypto::encoding::encode;
use sudare_crypto::linear::LinearProof;
use sudare_crypto::point::{B, B_BLINDING};
use sudare_crypto::proof::{balance, links, owner, tag, wrap};
use sudare_crypto::{Encoded, Hash, LedgerTranscript, NodeKey, Rejected, Scalar, Secret};
use sudare_disclosure::dlog::{Outcome, Search};
use sudare_disclosure::{DisclosureSecret, Field, Fields, SectionKind, TermsError};
use sudare_ledger::audit::{AuditError, Fault, Replay};
use sudare_ledger::leg::{Leg, LegError, LegSalt, Purpose};
use sudare_ledger::log::{Entry, FinalLeg};
use sudare_ledger::note::Note;
use sudare_ledger::slot::{SignedSlot, Slot};
use sudare_ledger::transaction::{CommitError, LegRef, Transaction, Window};
use sudare_ledger::tree::{MemoryTree, SignedCheckpoint};

/// A log under construction, and who holds what.
#[derive(Clone)]
struct Story {
    rng: ChaCha20Rng,
    asset: Asset,
    entries: Vec<Entry>,
    /// The notes that each leg spent, to sign anew what a test changes.
    spends: BTreeMap<usize, Vec<Held>>,
}

impl Story {
    fn new(epochs: &[&[Fields]]) -> Self {
        let mut rng = rng(7);
        let asset = Asset::new("JP0000000001", epochs, &mut rng);
        let entries = vec![Entry::Terms(asset.signed())];
        Self { rng, asset, entries, spends: BTreeMap::new() }
    }

    /// Terms; 100 issued to Alice; 70 to Bob and 30 back; Bob's 70 redeemed but 50.
    fn ordinary(authority: Fields) -> Self {
        let mut story = Self::new(&[&[authority]]);
        let issued = story.issue(&[(1, 60), (1, 40)]);
        let moved = story.transfer(issued, &[(2, 70), (1, 30)]);
        story.redeem(20, moved[..1].to_vec(), &[(2, 50)]);
        story
    }

    fn pays(&mut self, to: &[(u8, u64)]) -> Vec<(Receiver, u64)> {
        let last = self.asset.terms.policy.epochs.len() as u32 - 1;
        let one = |(who, value): &(u8, u64)| {
            (Holder::new(*who).slot(&self.asset, last, &mut self.rng), *value)
        };
        to.iter().map(one).collect()
    }

    fn issue(&mut self, to: &[(u8, u64)]) -> Vec<Held> {
        let pays = self.pays(to);
        self.append(Plan::issue(pays))
    }

    fn transfer(&mut self, spends: Vec<Held>, to: &[(u8, u64)]) -> Vec<Held> {
        let pays = self.pays(to);
        self.append(Plan::transfer(spends, pays))
    }

    fn redeem(&mut self, burn: u64, spends: Vec<Held>, to: &[(u8, u64)]) -> Vec<Held> {
        let pays = self.pays(to);
        self.append(Plan::redeem(burn, spends, pays))
    }

    fn append(&mut self, plan: Plan) -> Vec<Held> {
        let mut draft = plan.draft(&self.asset, &mut self.rng);
        self.append_draft(&plan, &mut draft)
    }

    fn append_draft(&mut self, plan: &Plan, draft: &mut Draft) -> Vec<Held> {
        let leg = draft.prove(&mut self.rng);
        self.append_leg(leg, &plan.spends, window(plan.epoch));
        let made = plan.pays.iter().zip(&draft.openings);
        made.map(|((to, _), opening)| {
            held(&self.asset, &to.slot, opening.clone(), to.secrets.clone())
        })
        .collect()
    }

    fn append_leg(&mut self, leg: Leg, spends: &[Held], window: Window) {
        let entry = finalise(leg, spends, window, &mut self.rng);
        self.spends.insert(self.entries.len(), spends.to_vec());
        self.entries.push(Entry::Leg(Box::new(entry)));
    }

    fn keys(&self, place: usize) -> Vec<DisclosureSecret> {
        self.asset.secrets.iter().map(|keys| keys[place].clone()).collect()
    }

    /// The replay with the key at this place of every epoch.
    fn replay(&self, place: usize) -> Result<Seen, AuditError> {
        self.replay_with(self.keys(place), &mut |_, _| None)
    }

    fn replay_with(
        &self,
        keys: Vec<DisclosureSecret>,
        solve: &mut dyn FnMut(&Encoded, u64) -> Option<u64>,
    ) -> Result<Seen, AuditError> {
        let (bytes, checkpoint) = published(&self.asset, &self.entries);
        replay(&self.asset, &bytes, &checkpoint, keys, solve)
    }

    /// Asserts that with this change the entry is at fault, for every key and for no key at all, and that without it nothing is.
    fn at_fault(
        &self,
        entry: usize,
        fault: Fault,
        change: impl Fn(&mut FinalLeg, &mut ChaCha20Rng),
    ) {
        self.at_fault_signed(entry, fault, false, change);
    }

    /// As [`Story::at_fault`], with the transaction committed, notarised and signed anew after the change.
    fn at_fault_anew(
        &self,
        entry: usize,
        fault: Fault,
        change: impl Fn(&mut FinalLeg, &mut ChaCha20Rng),
    ) {
        self.at_fault_signed(entry, fault, true, change);
    }

    fn at_fault_signed(
        &self,
        entry: usize,
        fault: Fault,
        anew: bool,
        change: impl Fn(&mut FinalLeg, &mut ChaCha20Rng),
    ) {
        assert!(self.replay(0).is_ok());
        let mut other = self.clone();
        let Entry::Leg(leg) = &mut other.entries[entry] else { panic!("a leg") };
        change(leg, &mut other.rng);
        if anew {
            recommit(leg, &self.spends[&entry], &mut other.rng);
        }
        let error = Err(AuditError::Entry { entry: entry as u64, fault });
        assert_eq!(other.replay(0), error);
        assert_eq!(other.replay_with(Vec::new(), &mut |_, _| None), error);
    }
}

fn window(epoch: u32) -> Window {
    let from = NOW + u64::from(epoch) * EPOCH_MS;
    Window { from, until: from + 30_000 }
}

fn replay(
    asset: &Asset,
    entries: &[Vec<u8>],
    checkpoint: &SignedCheckpoint,
    keys: Vec<DisclosureSecret>,
    solve: &mut dyn FnMut(&Encoded, u64) -> Option<u64>,
) -> Result<Seen, AuditError> {
    let mut replay = Replay::new(asset_log(asset), keys, rng(42));
    for (index, bytes) in entries.iter().enumerate() {
        replay.push(index as u64, bytes)?;
    }
    finish(replay, checkpoint, solve)
}

fn leg(entry: &Entry) -> &FinalLeg {
    let Entry::Leg(leg) = entry else { panic!("a leg") };
    leg
}

fn wrong(name: &'static str) -> Fault {
    Fault::Proof(Rejected::False(name))
}

mod states {
    use super::*;

    #[test]
    fn with_all_fields_the_register_is_recomputed_and_sums_to_the_supply() {
        let story = Story::ordinary(Fields::ALL);
        let report = story.replay(1).unwrap();
        assert_eq!((report.entries, report.legs, report.live), (4, 3, Some(2)));
        assert_eq!((report.minted, report.burned, report.supply), (100, 20, 80));
        assert_eq!((report.tags, report.notes, report.sums), (3, 5, true));
        let account = |who| Holder::new(who).account(&story.asset);
        let holdings = BTreeMap::from([(account(1), 30), (account(2), 50)]);
        assert_eq!(report.holdings, Some(holdings));
        let transfer = &report.read[1];
        assert_eq!((transfer.entry, transfer.purpose, transfer.time), (2, Purpose::Transfer, NOW));
        assert_eq!(transfer.amounts, Some(vec![70, 30]));
        assert_eq!(transfer.senders, Some(vec![account(1); 2]));
        assert_eq!(transfer.receivers, Some(vec![account(2), account(1)]));
        assert_eq!(transfer.trade.as_ref().unwrap().trade_id.as_str(), "T-1");
        let issued: Vec<_> = leg(&story.entries[1]).leg.notes().map(|note| note.id()).collect();
        assert_eq!(transfer.spends, Some(issued));
        let text = report.to_string();
        for line in [
            "entries 0..4 of 4, none missing",
            "legs 0..3 of 3, none missing, none unreadable",
            "supply = minted - burned = 100 - 20 = 80",
            "the live notes sum to the supply",
            "2 accounts hold the supply",
        ] {
            assert!(text.contains(line), "{line} not in:\n{text}");
        }
        assert!(!text.contains("not in scope") && !text.contains("finding"));
    }

    #[test]
    fn the_registrars_own_key_reads_the_same() {
        let story = Story::ordinary(Fields::ALL);
        assert_eq!(story.replay(0), story.replay(1));
    }

    #[test]
    fn with_fewer_fields_the_report_says_what_it_can_and_what_it_can_not() {
        for bits in 0..15u8 {
            let list: Vec<Field> = Field::ALL
                .into_iter()
                .enumerate()
                .filter(|(i, _)| bits & (1 << i) != 0)
                .map(|(_, field)| field)
                .collect();
            let story = Story::ordinary(Fields::of(&list).unwrap_or(fields(&[Field::Trade])));
            let keys = if list.is_empty() { Vec::new() } else { story.keys(1) };
            let report = story.replay_with(keys, &mut |_, _| None).unwrap();
            let has = |field| list.contains(&field);
            let whole = |there: bool| if there { 3 } else { 0 };
            assert_eq!(report.scope.amounts, whole(has(Field::Amounts)));
            assert_eq!(report.scope.parties, whole(has(Field::Parties)));
            assert_eq!(report.scope.trade, whole(has(Field::Trade)));
            assert_eq!(report.scope.links, whole(has(Field::Links)));
            assert_eq!((report.supply, report.legs), (80, 3), "public, whatever the scope");
            assert_eq!(report.live, has(Field::Links).then_some(2));
            assert_eq!(report.sums, has(Field::Links) && has(Field::Amounts));
            let register = [Field::Amounts, Field::Parties, Field::Links];
            assert_eq!(report.holdings.is_some(), register.into_iter().all(has));
            let text = report.to_string();
            for field in Field::ALL {
                let missing = text.contains(&format!("not in scope: {field} of "));
                assert_eq!(missing, !has(field), "{field} with {list:?}:\n{text}");
            }
            for seen in &report.read {
                assert_eq!(seen.amounts.is_some(), has(Field::Amounts));
                assert_eq!(seen.senders.is_some(), has(Field::Parties));
                assert_eq!(seen.receivers.is_some(), has(Field::Parties));
                assert_eq!(seen.trade.is_some(), has(Field::Trade));
                assert!(
                    seen.spends.is_some() == has(Field::Links) || seen.purpose == Purpose::Issue
                );
            }
        }
    }

    #[test]
    fn keys_for_single_fields_together_read_as_one_key_for_all() {
        let single: Vec<Fields> = Field::ALL.iter().map(|field| fields(&[*field])).collect();
        let mut story = Story::new(&[&single]);
        let issued = story.issue(&[(1, 9)]);
        story.transfer(issued, &[(2, 9)]);
        let all = story.asset.secrets[0][1..].to_vec();
        assert_eq!(story.replay_with(all, &mut |_, _| None), story.replay(0));
    }

    #[test]
    fn a_key_of_another_epoch_or_asset_reads_nothing_and_the_rest_still_verifies() {
        let mut story = Story::new(&[&[Fields::ALL], &[Fields::ALL]]);
        let issued = story.issue(&[(1, 9)]);
        story.transfer(issued, &[(2, 9)]);
        let other = Story::ordinary(Fields::ALL);
        let stranger = Asset::new("JP0000000002", &[&[Fields::ALL], &[Fields::ALL]], &mut rng(1));
        let none = story.replay_with(Vec::new(), &mut |_, _| None).unwrap();
        assert_eq!(none.scope.amounts, 0);
        let first = story.asset.key(0, 1).clone();
        for key in [first, other.asset.key(0, 0).clone(), stranger.key(1, 1).clone()] {
            // The same asset's first epoch has the same keys in both stories.
            assert_eq!(story.replay_with(vec![key], &mut |_, _| None).unwrap(), none);
        }
        assert!(
            story.replay_with(vec![story.asset.key(1, 1).clone()], &mut |_, _| None).unwrap().sums
        );
    }

    #[test]
    fn an_authority_that_joined_later_reads_from_then_on() {
        let mut story = Story::new(&[&[]]);
        let issued = story.issue(&[(1, 100)]);
        story.asset = story.asset.join(0, Fields::ALL, &mut story.rng);
        story.entries.push(Entry::Terms(story.asset.signed()));
        story.transfer(issued, &[(2, 60), (1, 40)]);
        let report = story.replay(1).unwrap();
        assert_eq!((report.scope.amounts, report.scope.spends, report.legs), (1, 2, 2));
        assert_eq!(report.terms.iter().map(|one| one.legs).collect::<Vec<_>>(), [1, 1]);
        assert_eq!((report.live, report.sums), (Some(2), false));
        assert!(report.to_string().contains("not in scope: amounts of 1 of 2 legs"));
        assert!(story.replay(0).unwrap().sums, "the registrar's key was in both versions");
    }

    #[test]
    fn a_log_of_terms_alone_has_no_supply() {
        let report = Story::new(&[&[Fields::ALL]]).replay(1).unwrap();
        assert_eq!((report.entries, report.legs, report.supply, report.live), (1, 0, 0, Some(0)));
        assert_eq!(report.holdings, Some(BTreeMap::new()));
    }

    #[test]
    fn more_legs_than_a_batch_holds_are_replayed() {
        let mut story = Story::new(&[&[Fields::ALL]]);
        let pays = [(1, 10); 16];
        for _ in 0..56 {
            story.issue(&pays);
        }
        let report = story.replay(1).unwrap();
        assert_eq!((report.legs, report.live, report.supply), (56, Some(896), 8960));
    }
}

mod stopped {
    use super::*;

    /// A story with everything that a replay keeps: two versions of the terms, spends, a lie that is spent again.
    fn story() -> Story {
        let mut story = Story::new(&[&[Fields::ALL]]);
        let notes = story.issue(&[(1, 100)]);
        let pays = story.pays(&[(2, 70), (1, 30)]);
        let plan = Plan::transfer(notes, pays);
        let content = encode(&(71_u64, Secret(Scalar::from(5_u64))));
        let lie = BTreeMap::from([(SectionKind::Opening(0), content)]);
        let mut draft = plan.draft_with(&story.asset, &lie, &mut story.rng);
        let notes = story.append_draft(&plan, &mut draft);
        story.asset = story.asset.join(0, Fields::ALL, &mut story.rng);
        story.entries.push(Entry::Terms(story.asset.signed()));
        let notes = story.transfer(notes[..1].to_vec(), &[(3, 60), (2, 10)]);
        story.redeem(10, notes[1..].to_vec(), &[]);
        story.issue(&[(4, 5)]);
        story
    }

    fn solve(point: &Encoded, bound: u64) -> Option<u64> {
        (0..=bound).find(|value| Encoded::of(&(B * Scalar::from(*value))) == *point)
    }

    fn begin(story: &Story, state: &Kept) -> Replay<ChaCha20Rng, Kept> {
        let keys = story.keys(1);
        let replay = Replay::new(asset_log(&story.asset), keys, rng(9)).on(2).at_once(1);
        replay.kept_in(state.clone()).unwrap()
    }

    #[test]
    fn a_replay_that_is_stopped_anywhere_goes_on_and_finds_the_same() {
        let story = story();
        let (bytes, checkpoint) = published(&story.asset, &story.entries);
        let all = begin_and_push(&story, &bytes);
        let whole = finish(all, &checkpoint, &mut solve).unwrap();
        assert_eq!((whole.supply, whole.holders, whole.false_memos.len()), (95, Some(3), 1));
        assert_eq!(whole, story.replay_with(story.keys(1), &mut solve).unwrap());
        for stop in 0..bytes.len() {
            for decided in [false, true] {
                let state = Kept::default();
                let mut replay = begin(&story, &state);
                for (index, bytes) in bytes.iter().enumerate().take(stop) {
                    replay.push(index as u64, bytes).unwrap();
                }
                if decided {
                    replay.pause().unwrap();
                    assert_eq!(replay.kept(), stop as u64);
                }
                let kept = replay.kept();
                drop(replay);
                let mut replay = begin(&story, &state);
                assert_eq!(replay.next(), kept, "it goes on where it was kept");
                for (index, bytes) in bytes.iter().enumerate().skip(kept as usize) {
                    replay.push(index as u64, bytes).unwrap();
                }
                assert_eq!(finish(replay, &checkpoint, &mut solve), Ok(whole.clone()), "{stop}");
            }
        }
    }

    fn begin_and_push(story: &Story, bytes: &[Vec<u8>]) -> Replay<ChaCha20Rng, Kept> {
        let mut replay = begin(story, &Kept::default());
        for (index, bytes) in bytes.iter().enumerate() {
            replay.push(index as u64, bytes).unwrap();
        }
        replay
    }

    #[test]
    fn it_goes_on_after_every_checkpoint_with_what_was_found_before() {
        let story = story();
        let state = Kept::default();
        let mut asked = 0;
        for size in 1..=story.entries.len() {
            let (bytes, checkpoint) = published(&story.asset, &story.entries[..size]);
            let mut replay = begin(&story, &state);
            replay.push(size as u64 - 1, &bytes[size - 1]).unwrap();
            let seen = finish(replay, &checkpoint, &mut |point, bound| {
                asked += 1;
                solve(point, bound)
            });
            let alone = replay_alone(&story, size);
            assert_eq!(seen, Ok(alone), "{size}");
        }
        assert_eq!(asked, 1, "an amount is searched once");
        // At the end, again and again.
        let (_, checkpoint) = published(&story.asset, &story.entries);
        assert!(finish(begin(&story, &state), &checkpoint, &mut |_, _| None).is_ok());
    }

    fn replay_alone(story: &Story, size: usize) -> Seen {
        let (bytes, checkpoint) = published(&story.asset, &story.entries[..size]);
        replay(&story.asset, &bytes, &checkpoint, story.keys(1), &mut solve).unwrap()
    }

    #[test]
    fn what_was_not_found_fails_every_time_until_it_is_given() {
        let story = story();
        let state = Kept::default();
        let (bytes, checkpoint) = published(&story.asset, &story.entries);
        let mut replay = begin(&story, &state);
        for (index, bytes) in bytes.iter().enumerate() {
            replay.push(index as u64, bytes).unwrap();
        }
        let error = AuditError::Unsolved { entry: 2, output: 0, bound: 100 };
        assert_eq!(replay.finish(&checkpoint, &mut |_, _| None), Err(error.clone()));
        let again = finish(begin(&story, &state), &checkpoint, &mut |_, _| None);
        assert_eq!(again, Err(error));
        assert!(finish(begin(&story, &state), &checkpoint, &mut solve).unwrap().sums);
    }

    #[test]
    fn a_culprit_is_found_again_wherever_the_replay_was_stopped() {
        let mut story = story();
        let Entry::Leg(leg) = &mut story.entries[4] else { panic!("a leg") };
        leg.receipt.index ^= 1;
        let (bytes, _) = published(&story.asset, &story.entries);
        let state = Kept::default();
        for _ in 0..3 {
            let mut replay = begin(&story, &state);
            let next = replay.next() as usize;
            let mut pushed =
                (next..bytes.len()).map(|index| replay.push(index as u64, &bytes[index]));
            let found = pushed.find_map(Result::err);
            let found = found.or_else(|| replay.pause().err());
            let error = AuditError::Entry { entry: 4, fault: Fault::Receipt };
            assert_eq!(found, Some(error));
            assert!(begin(&story, &state).next() <= 4, "nothing of a false entry is kept");
        }
    }

    #[test]
    fn another_log_scope_or_key_does_not_go_on_in_its_place() {
        let story = story();
        let (bytes, _) = published(&story.asset, &story.entries);
        let state = Kept::default();
        let mut first = begin(&story, &state);
        for (index, bytes) in bytes.iter().enumerate() {
            first.push(index as u64, bytes).unwrap();
        }
        first.pause().unwrap();
        let refused = |log, keys: Vec<DisclosureSecret>| {
            let error = Replay::new(log, keys, rng(1)).kept_in(state.copy()).err().unwrap();
            let text = error.to_string();
            assert!(text.contains("a folder of its own"), "{text}");
            error
        };
        let own = asset_log(&story.asset);
        let other = Asset::new("JP0000000002", &[&[]], &mut rng(1));
        assert_eq!(
            refused(asset_log(&other), story.keys(1)),
            AuditError::OtherReplay("of another log")
        );
        assert_eq!(refused(own, Vec::new()), AuditError::OtherReplay("with other keys"));
        assert_eq!(refused(own, story.keys(0)), AuditError::OtherReplay("with other keys"));
        assert!(Replay::new(own, story.keys(1), rng(1)).kept_in(state.copy()).is_ok());
    }
}

mod exceptions {
    use super::*;
    use sudare_ledger::audit::Exception;
    use sudare_ledger::leg::TradeInfo;

    /// An issue whose trade data are these.
    fn issue(story: &mut Story, trade: &TradeInfo) {
        let pays = story.pays(&[(1, 5)]);
        let plan = Plan::issue(pays);
        let content = BTreeMap::from([(SectionKind::Trade, encode(trade))]);
        let mut draft = plan.draft_with(&story.asset, &content, &mut story.rng);
        story.append_draft(&plan, &mut draft);
    }

    fn due(date: &str) -> TradeInfo {
        TradeInfo { trade_id: text("T"), delivery_date: text(date), ..TradeInfo::default() }
    }

    #[test]
    fn what_is_to_be_looked_at_is_listed_with_its_entry_and_nothing_else_is() {
        let mut story = Story::new(&[&[Fields::ALL], &[Fields::ALL]]);
        for date in ["2999-12-31", "", "yesterday", "0000/00/00"] {
            issue(&mut story, &due(date));
        }
        issue(&mut story, &due("2020-02-29"));
        let cancels = TradeInfo { cancels: Some(text("T-0")), ..due("") };
        issue(&mut story, &cancels);
        story.asset = story.asset.join(1, Fields::ALL, &mut story.rng);
        story.entries.push(Entry::Terms(story.asset.signed()));
        // Of the first epoch, with a window that ends in the second.
        let to = Holder::new(1).slot(&story.asset, 0, &mut story.rng);
        let draft = Plan::issue(vec![(to, 7)]).draft(&story.asset, &mut story.rng);
        let leg = draft.prove(&mut story.rng);
        let boundary = story.asset.epoch(1).opens_at;
        let late = Window { from: boundary - 20_000, until: boundary + 10_000 };
        story.append_leg(leg, &[], late);
        let report = story.replay(1).unwrap();
        let found: Vec<(u64, &'static str)> =
            report.exceptions.iter().map(|(entry, one)| (*entry, one.name())).collect();
        let expected = [
            (5, "late-settlement"),
            (6, "cancellation"),
            (7, "change-of-terms"),
            (8, "settled-in-grace"),
        ];
        assert_eq!(found, expected);
        let (_, change) = &report.exceptions[2];
        assert_eq!(*change, Exception::Terms { number: 1, epochs: 0, keys: 1 });
        assert!(
            report.exceptions[0].1.to_string().starts_with("due on 2020-02-29, notarised on 20")
        );
        assert!(report.to_string().contains("4 other exceptions"));
        // Without trade data nobody sees what was due, or cancelled.
        let blind = story.replay_with(Vec::new(), &mut |_, _| None).unwrap();
        assert_eq!(blind.exceptions.len(), 2);
    }
}

mod missing {
    use super::*;

    #[test]
    fn entries_left_out_repeated_or_out_of_order_are_found() {
        let mut story = Story::ordinary(Fields::ALL);
        story.issue(&[(3, 5)]);
        story.issue(&[(3, 6)]);
        let (bytes, checkpoint) = published(&story.asset, &story.entries);
        let replay = |bytes: &[Vec<u8>]| {
            replay(&story.asset, bytes, &checkpoint, story.keys(1), &mut |_, _| None)
        };
        assert!(replay(&bytes).is_ok());
        assert_eq!(replay(&bytes[..5]), Err(AuditError::Size { entries: 5, size: 6 }));
        assert_eq!(replay(&[]), Err(AuditError::Size { entries: 0, size: 6 }));
        // Two issues don't depend on each other: only the root knows their order.
        let mut swapped = bytes.clone();
        swapped.swap(4, 5);
        assert_eq!(replay(&swapped), Err(AuditError::Root { size: 6 }));
        let mut left_out = bytes.clone();
        left_out.remove(2);
        let unknown = replay(&left_out).unwrap_err();
        assert!(matches!(
            unknown,
            AuditError::Entry { entry: 2, fault: Fault::UnknownNote { input: 0, .. } }
        ));
        let mut repeated = bytes.clone();
        repeated.push(bytes[5].clone());
        let used = Fault::OwnerUsed { output: 0, before: 5 };
        assert_eq!(replay(&repeated), Err(AuditError::Entry { entry: 6, fault: used }));
        let mut repeated = bytes.clone();
        repeated.push(bytes[2].clone());
        let spent = Fault::TagSpent { input: 0, before: 2 };
        assert_eq!(replay(&repeated), Err(AuditError::Entry { entry: 6, fault: spent }));
    }

    #[test]
    fn an_index_that_is_not_the_next_is_refused_and_a_failed_replay_stays_failed() {
        let story = Story::ordinary(Fields::ALL);
        let (bytes, checkpoint) = published(&story.asset, &story.entries);
        let mut replay = Replay::new(asset_log(&story.asset), story.keys(1), rng(1));
        assert_eq!(replay.push(0, &bytes[0]), Ok(()));
        let error = AuditError::Order { given: 2, expected: 1 };
        assert_eq!(replay.push(2, &bytes[2]), Err(error.clone()));
        assert_eq!(replay.push(1, &bytes[1]), Err(error.clone()));
        assert_eq!(replay.finish(&checkpoint, &mut |_, _| None), Err(error));
    }

    #[test]
    fn a_checkpoint_of_another_log_signer_size_or_root_is_refused() {
        let story = Story::ordinary(Fields::ALL);
        let (bytes, good) = published(&story.asset, &story.entries);
        let root = good.unverified().root;
        let finish = |checkpoint: &SignedCheckpoint| {
            replay(&story.asset, &bytes, checkpoint, Vec::new(), &mut |_, _| None)
        };
        assert!(finish(&good).is_ok());
        assert_eq!(
            finish(&checkpoint(&story.asset, 5, root)),
            Err(AuditError::Size { entries: 4, size: 5 })
        );
        assert_eq!(
            finish(&checkpoint(&story.asset, 3, root)),
            Err(AuditError::Size { entries: 4, size: 3 })
        );
        let forked = checkpoint(&story.asset, 4, Hash([1; 32]));
        assert_eq!(finish(&forked), Err(AuditError::Root { size: 4 }));
        let stranger = Asset::new("JP0000000002", &[&[]], &mut rng(1));
        assert!(matches!(finish(&checkpoint(&stranger, 4, root)), Err(AuditError::Checkpoint(_))));
        let other = NodeKey::from_seed(&[9; 32]);
        let unsigned =
            good.unverified().clone().sign(&other.id(), |text| other.sign_raw(text)).unwrap();
        assert!(matches!(finish(&unsigned), Err(AuditError::Checkpoint(_))));
        let empty = checkpoint(&story.asset, 0, MemoryTree::default().root(0).unwrap());
        let nothing = replay(&story.asset, &[], &empty, Vec::new(), &mut |_, _| None);
        assert_eq!(nothing, Err(AuditError::Entry { entry: 0, fault: Fault::NotTerms }));
    }

    #[test]
    fn any_changed_byte_of_an_entry_is_found() {
        let story = Story::ordinary(Fields::ALL);
        let (bytes, checkpoint) = published(&story.asset, &story.entries);
        for entry in 0..bytes.len() {
            for at in (0..bytes[entry].len()).step_by(if entry == 0 { 17 } else { 101 }) {
                let mut bad = bytes.clone();
                bad[entry][at] ^= 1 << (at % 8);
                let found = replay(&story.asset, &bad, &checkpoint, Vec::new(), &mut |_, _| None);
                match found.unwrap_err() {
                    AuditError::Entry { entry: named, .. } => {
                        assert!(named >= entry as u64, "{entry} {at}")
                    }
                    // What no check covers, such as the salt of a root, the checkpoint does.
                    error => assert_eq!(error, AuditError::Root { size: 4 }, "{entry} {at}"),
                }
            }
        }
    }
}

mod terms {
    use super::*;

    fn refused(entries: Vec<Entry>, asset: &Asset, entry: u64, fault: Fault) {
        let (bytes, checkpoint) = published(asset, &entries);
        let found = replay(asset, &bytes, &checkpoint, Vec::new(), &mut |_, _| None);
        assert_eq!(found, Err(AuditError::Entry { entry, fault }));
    }

    #[test]
    fn a_log_begins_with_the_assets_own_valid_terms() {
        let story = Story::ordinary(Fields::ALL);
        let asset = &story.asset;
        refused(story.entries[1..].to_vec(), asset, 0, Fault::NotTerms);
        let other = Asset::new("JP0000000002", &[&[]], &mut rng(1));
        refused(vec![Entry::Terms(other.signed())], asset, 0, Fault::OtherAsset);
        let mut unsigned = asset.signed();
        unsigned.signature.0[0] ^= 1;
        let bad = Fault::Terms(TermsError::Signature(sudare_crypto::BadSignature));
        refused(vec![Entry::Terms(unsigned)], asset, 0, bad);
        let forger = asset.terms.clone().sign(&NodeKey::from_seed(&[9; 32]));
        refused(vec![Entry::Terms(forger)], asset, 0, bad);
        let mut second = asset.clone();
        second.terms.number = 1;
        refused(
            vec![Entry::Terms(second.signed())],
            asset,
            0,
            Fault::TermsNumber { found: 1, expected: 0 },
        );
    }

    #[test]
    fn a_disclosure_key_without_possession_is_refused() {
        let mut asset = Asset::with(&[Field::Amounts], &mut rng(1));
        let mut epochs = asset.terms.policy.epochs.to_vec();
        let mut keys = epochs[0].keys.to_vec();
        // (!) -B~ opens every amount.
        keys[1].point = Encoded::of(&-*B_BLINDING);
        epochs[0].keys = keys.try_into().unwrap();
        asset.terms.policy.epochs = epochs.try_into().unwrap();
        let name = sudare_crypto::proof::possession::NAME;
        let fault = Fault::Terms(TermsError::Possession(Rejected::False(name)));
        refused(vec![Entry::Terms(asset.signed())], &asset, 0, fault);
    }

    #[test]
    fn later_versions_come_in_order_and_keep_every_epoch_and_key() {
        let rng = &mut rng(2);
        let first = Asset::with(&[Field::Amounts], rng);
        let log = |next: &Asset| vec![Entry::Terms(first.signed()), Entry::Terms(next.signed())];
        let joined = first.join(0, Fields::ALL, rng);
        let (bytes, checkpoint) = published(&first, &log(&joined));
        let report = replay(&first, &bytes, &checkpoint, Vec::new(), &mut |_, _| None).unwrap();
        assert_eq!(report.terms.len(), 2);

        refused(log(&first), &first, 1, Fault::TermsNumber { found: 0, expected: 1 });
        let mut skipped = joined.clone();
        skipped.terms.number = 2;
        refused(log(&skipped), &first, 1, Fault::TermsNumber { found: 2, expected: 1 });
        let changed = |change: &dyn Fn(&mut sudare_disclosure::Epoch)| {
            let mut next = joined.clone();
            let mut epochs = next.terms.policy.epochs.to_vec();
            change(&mut epochs[0]);
            next.terms.policy.epochs = epochs.try_into().unwrap();
            refused(log(&next), &first, 1, Fault::TermsChanged { epoch: 0 });
        };
        changed(&|epoch| epoch.opens_at += 1);
        changed(&|epoch| epoch.keys = epoch.keys[..1].to_vec().try_into().unwrap());
        changed(&|epoch| {
            let keys = [epoch.keys[0].clone(), epoch.keys[2].clone(), epoch.keys[1].clone()];
            epoch.keys = keys.to_vec().try_into().unwrap();
        });
    }

    #[test]
    fn a_leg_under_terms_that_come_later_or_never_is_refused() {
        let mut story = Story::new(&[&[]]);
        story.issue(&[(1, 1)]);
        let first = story.asset.clone();
        story.asset = first.join(0, Fields::ALL, &mut story.rng);
        story.issue(&[(1, 1)]);
        refused(story.entries.clone(), &first, 2, Fault::UnknownTerms);
        story.entries.push(Entry::Terms(story.asset.signed()));
        refused(story.entries.clone(), &first, 2, Fault::UnknownTerms);
        story.entries.swap(2, 3);
        let (bytes, checkpoint) = published(&first, &story.entries);
        assert!(replay(&first, &bytes, &checkpoint, Vec::new(), &mut |_, _| None).is_ok());
    }

    #[test]
    fn terms_that_were_replaced_are_not_used_after_their_grace() {
        let mut story = Story::new(&[&[]]);
        let old = story.asset.clone();
        story.asset = old.join(0, Fields::ALL, &mut story.rng);
        story.entries.push(Entry::Terms(story.asset.signed()));
        story.issue(&[(1, 1)]);
        let under_old = |later: u64| {
            let mut story = story.clone();
            let to = Holder::new(1).slot(&old, 0, &mut story.rng);
            let leg = Plan::issue(vec![(to, 5)]).draft(&old, &mut story.rng).prove(&mut story.rng);
            let first = window(0);
            story.append_leg(
                leg,
                &[],
                Window { from: first.from + later, until: first.until + later },
            );
            story.replay(0)
        };
        // The first leg under the new terms was approved before its window's end.
        assert!(under_old(GRACE_MS).is_ok());
        let stale = AuditError::Entry { entry: 3, fault: Fault::StaleTerms { number: 0 } };
        assert_eq!(under_old(GRACE_MS + 1_000), Err(stale));
    }
}

mod faults {
    use super::*;

    #[test]
    fn a_leg_that_is_not_final_where_it_says() {
        let story = Story::ordinary(Fields::ALL);
        story.at_fault(2, Fault::Misplaced, |entry, _| entry.salt = LegSalt([0; 32]));
        story.at_fault(2, Fault::Misplaced, |entry, _| entry.index = 1);
        story.at_fault(2, Fault::Misplaced, |entry, _| entry.leg.header.nonce = [0; 32]);
        story.at_fault(2, Fault::Commit(CommitError::Approval(0)), |entry, _| {
            entry.commit.approvals = Vec::new().try_into().unwrap();
        });
        story.at_fault(2, Fault::Commit(CommitError::Malformed), |entry, _| {
            entry.commit.transaction.window.from += 1;
        });
        story.at_fault(2, Fault::Receipt, |entry, rng| {
            entry.commit = commit(&entry.commit.transaction, &[registrar()], rng);
        });
        story.at_fault(2, Fault::Receipt, |entry, _| {
            entry.receipt = receipt(&entry.commit, WINDOW.until);
        });
        story.at_fault(2, Fault::OtherNotary, |entry, _| {
            entry.commit.transaction.notary = registrar().id();
        });
        story.at_fault(2, Fault::OtherNotary, |entry, _| {
            entry.commit.transaction.network = Hash([1; 32]);
        });
    }

    #[test]
    fn a_leg_approved_by_somebody_elses_key_in_the_registrars_log() {
        // A transaction that names another registrar, who approves: final, but not this registrar's.
        let mut story = Story::ordinary(Fields::ALL);
        let other = NodeKey::from_seed(&[9; 32]);
        let spends = story.spends[&2].clone();
        let Entry::Leg(entry) = &mut story.entries[2] else { panic!("a leg") };
        let root = entry.commit.transaction.legs[0].root;
        let legs = vec![LegRef { registrar: other.id(), root }].try_into().unwrap();
        let transaction = Transaction { legs, ..entry.commit.transaction.clone() };
        entry.commit = commit(&transaction, &[other], &mut story.rng);
        entry.receipt = receipt(&entry.commit, NOW);
        sign(entry, &spends, &mut story.rng);
        let error = AuditError::Entry { entry: 2, fault: Fault::Misplaced };
        assert_eq!(story.replay(0), Err(error));
    }

    #[test]
    fn a_spend_that_its_tags_did_not_sign() {
        let story = Story::ordinary(Fields::ALL);
        story.at_fault(2, Fault::SpendCount, |entry, _| {
            entry.signatures = entry.signatures[..1].to_vec().try_into().unwrap();
        });
        story.at_fault(2, Fault::SpendCount, |entry, _| {
            entry.tag_salts = entry.tag_salts[..1].to_vec().try_into().unwrap();
        });
        story.at_fault(2, wrong(tag::NAME), |entry, _| {
            let signatures = vec![entry.signatures[1].clone(), entry.signatures[0].clone()];
            entry.signatures = signatures.try_into().unwrap();
        });
        // Signed for another commit of the same transaction.
        story.at_fault(2, wrong(tag::NAME), |entry, rng| {
            let signatures = entry.signatures.clone();
            recommit(entry, &[], rng);
            entry.signatures = signatures;
        });
    }

    #[test]
    fn a_tag_that_the_notary_did_not_record() {
        let story = Story::ordinary(Fields::ALL);
        story.at_fault(2, Fault::TagMissing { input: 1 }, |entry, _| {
            let salts = vec![entry.tag_salts[0], [0; 32]];
            entry.tag_salts = salts.try_into().unwrap();
        });
        story.at_fault_anew(2, Fault::TagMissing { input: 0 }, |entry, _| {
            entry.commit.transaction.tags = vec![Hash([5; 32])].try_into().unwrap();
        });
    }

    #[test]
    fn a_window_longer_than_the_terms_allow_or_outside_its_epoch() {
        let story = Story::ordinary(Fields::ALL);
        let until = |until| {
            move |entry: &mut FinalLeg, _: &mut ChaCha20Rng| {
                entry.commit.transaction.window.until = until
            }
        };
        let longest = NOW + WINDOW_MS + 3_000;
        story.at_fault_anew(1, Fault::Window, until(longest + 1_000));
        let mut fits = story.clone();
        let Entry::Leg(entry) = &mut fits.entries[1] else { panic!("a leg") };
        until(longest)(entry, &mut rng(0));
        recommit(entry, &[], &mut fits.rng);
        assert!(fits.replay(1).is_ok());

        let mut story = Story::new(&[&[], &[]]);
        let (first, second) = (Holder::new(1), Holder::new(2));
        let end = NOW + EPOCH_MS + GRACE_MS;
        let to = first.slot(&story.asset, 0, &mut story.rng);
        let early =
            Plan::issue(vec![(to, 5)]).draft(&story.asset, &mut story.rng).prove(&mut story.rng);
        let to = second.slot(&story.asset, 1, &mut story.rng);
        let late =
            Plan::issue(vec![(to, 5)]).draft(&story.asset, &mut story.rng).prove(&mut story.rng);
        let within = |leg: &Leg, window: Window| {
            let mut story = story.clone();
            story.append_leg(leg.clone(), &[], window);
            story.replay(0).map(drop)
        };
        let error = Err(AuditError::Entry { entry: 1, fault: Fault::Epoch });
        assert_eq!(within(&early, Window { from: end - 9_000, until: end }), Ok(()));
        assert_eq!(within(&early, Window { from: end - 8_000, until: end + 1_000 }), error);
        let opens = NOW + EPOCH_MS;
        assert_eq!(within(&late, Window { from: opens - 9_000, until: opens + 1_000 }), Ok(()));
        assert_eq!(within(&late, Window { from: opens - 9_000, until: opens }), error);
    }

    #[test]
    fn a_false_proof_at_any_place_of_a_batch_is_named() {
        let mut story = Story::new(&[&[Fields::ALL]]);
        let mut notes = story.issue(&[(1, 10)]);
        for _ in 0..5 {
            notes = story.transfer(notes, &[(2, 10)]);
        }
        for entry in 1..story.entries.len() {
            story.at_fault_anew(entry, wrong(wrap::NAME), |entry, _| {
                entry.leg.proofs.wrap = broken(&entry.leg.proofs.wrap);
                replace_root(entry);
            });
        }
    }

    #[test]
    fn the_earlier_of_two_culprits_is_named_even_if_the_later_shows_first() {
        // A forged leg spends the tag of an honest one that comes after it in the same batch.
        let mut story = Story::new(&[&[Fields::ALL]]);
        let notes = story.issue(&[(1, 10)]);
        let pays = story.pays(&[(9, 10)]);
        let plan = Plan::transfer(notes.clone(), pays);
        let mut draft = plan.draft(&story.asset, &mut story.rng);
        draft.excess += Scalar::ONE;
        story.append_draft(&plan, &mut draft);
        story.transfer(notes, &[(2, 10)]);
        let error = AuditError::Entry { entry: 2, fault: wrong(balance::NAME) };
        assert_eq!(story.replay(1), Err(error));
    }

    #[test]
    fn a_leg_that_breaks_a_rule_of_legs() {
        let mut story = Story::new(&[&[Fields::ALL]]);
        let pays = story.pays(&[(1, 10)]);
        let plan = Plan { burn: 1, ..Plan::issue(pays) };
        story.append(plan);
        let error = AuditError::Entry { entry: 1, fault: Fault::Leg(LegError::Purpose) };
        assert_eq!(story.replay(1), Err(error));
    }

    #[test]
    fn a_note_spent_twice_or_an_owner_used_twice() {
        let mut story = Story::new(&[&[Fields::ALL]]);
        let notes = story.issue(&[(1, 10)]);
        story.transfer(notes.clone(), &[(2, 10)]);
        let mut twice = story.clone();
        twice.transfer(notes, &[(3, 10)]);
        let fault = Fault::TagSpent { input: 0, before: 2 };
        assert_eq!(twice.replay(1), Err(AuditError::Entry { entry: 3, fault }));

        let pays = story.pays(&[(1, 5)]);
        story.append(Plan::issue(pays.clone()));
        story.append(Plan::issue(pays));
        let fault = Fault::OwnerUsed { output: 0, before: 3 };
        assert_eq!(story.replay(1), Err(AuditError::Entry { entry: 4, fault }));
    }

    #[test]
    fn more_burned_than_minted_is_found_without_any_key() {
        let mut story = Story::new(&[&[Fields::ALL]]);
        story.issue(&[(1, 10)]);
        let forged = Holder::new(1).note(&story.asset, 11, &mut story.rng);
        story.redeem(11, vec![forged], &[]);
        let error = Err(AuditError::Entry { entry: 2, fault: Fault::Supply });
        assert_eq!(story.replay_with(Vec::new(), &mut |_, _| None), error);
    }

    #[test]
    fn a_supply_above_64_bits_is_refused_but_not_a_turnover_above() {
        let mut story = Story::new(&[&[Fields::ALL]]);
        let notes = story.issue(&[(1, u64::MAX)]);
        let mut above = story.clone();
        above.issue(&[(1, 1)]);
        let error = AuditError::Entry { entry: 2, fault: Fault::Supply };
        assert_eq!(above.replay(1), Err(error));
        story.redeem(u64::MAX, notes, &[]);
        story.issue(&[(1, 1)]);
        let report = story.replay(1).unwrap();
        assert_eq!((report.minted, report.supply), (u128::from(u64::MAX) + 1, 1));
    }

    #[test]
    fn notes_from_nothing_are_found_with_links_and_said_to_be_open_without() {
        // Sender and registrar collude: every proof is true, but no leg made the note.
        let mut story = Story::new(&[&[Fields::ALL, fields(&[Field::Amounts, Field::Parties])]]);
        story.issue(&[(1, 10)]);
        let forged = Holder::new(1).note(&story.asset, 1_000, &mut story.rng);
        let note = forged.note.id();
        story.transfer(vec![forged], &[(1, 1_000)]);
        let fault = Fault::UnknownNote { input: 0, note };
        assert_eq!(story.replay(1), Err(AuditError::Entry { entry: 2, fault }));
        let without = story.replay(2).unwrap();
        assert_eq!((without.live, without.sums), (None, false));
        assert!(
            without
                .to_string()
                .contains("not in scope: links of 1 of 2 legs: that inputs are live notes")
        );
    }

    #[test]
    fn a_link_to_a_note_that_the_input_does_not_spend() {
        // Two notes of equal value: the leg spends one and names the other.
        let mut story = Story::new(&[&[Fields::ALL]]);
        let notes = story.issue(&[(1, 10), (1, 10)]);
        let named = |story: &Story, spent: &Held, notes: &[Note]| {
            let mut story = story.clone();
            let pays = story.pays(&[(2, 10)]);
            let plan = Plan::transfer(vec![spent.clone()], pays);
            // The draft's own links are sealed with its randomness: seal once more what names the other.
            let honest = plan.draft(&story.asset, &mut story.rng.clone());
            let links = honest.prove_links(notes, &mut rng(5));
            let lie = BTreeMap::from([(SectionKind::Links, encode(&links))]);
            let draft = plan.draft_with(&story.asset, &lie, &mut story.rng.clone());
            assert_eq!((&draft.inputs, &draft.outputs), (&honest.inputs, &honest.outputs));
            let leg = draft.prove(&mut story.rng);
            story.append_leg(leg, &plan.spends, window(0));
            story
        };
        assert!(named(&story, &notes[0], &[notes[0].note]).replay(1).is_ok());
        let lied = named(&story, &notes[0], &[notes[1].note]);
        assert_eq!(lied.replay(1), Err(AuditError::Entry { entry: 2, fault: wrong(links::NAME) }));
        // The honest spend of the note that was named comes after: the liar is named all the same.
        let mut lied = lied;
        lied.transfer(vec![notes[1].clone()], &[(2, 10)]);
        assert_eq!(lied.replay(1), Err(AuditError::Entry { entry: 2, fault: wrong(links::NAME) }));
        // Named again after it was spent.
        story.transfer(vec![notes[1].clone()], &[(2, 10)]);
        let lied = named(&story, &notes[0], &[notes[1].note]);
        let fault = Fault::NoteSpent { input: 0, before: 2 };
        assert_eq!(lied.replay(1), Err(AuditError::Entry { entry: 3, fault }));
        // Nobody without links sees it.
        assert!(lied.replay_with(Vec::new(), &mut |_, _| None).is_ok());
    }

    #[test]
    fn a_spend_booked_on_another_account_than_the_notes() {
        // A slot may decrypt to any point: here Alice's account with some B~, which the registrar let pass.
        let mut story = Story::new(&[&[Fields::ALL]]);
        let alice = Holder::new(1);
        let context = alice.context(&story.asset, 0, &mut story.rng);
        let honest = alice.slot_in(context, story.asset.epoch(0), &mut story.rng);
        let slot = shifted_slot(&story.asset, &honest, &alice, Scalar::from(3_u64), &mut story.rng);
        let to = Receiver { slot, secrets: honest.secrets };
        let notes = story.append(Plan::issue(vec![(to, 10)]));
        assert!(story.replay(1).is_ok());
        story.transfer(notes, &[(2, 10)]);
        let error = AuditError::Entry { entry: 2, fault: Fault::WrongOwner { input: 0 } };
        assert_eq!(story.replay(1), Err(error));
    }

    #[test]
    fn a_section_that_an_entitled_key_can_not_read() {
        for (kind, content) in [
            (SectionKind::Parties, vec![0xff; 9]),
            (SectionKind::Trade, vec![0xff; 9]),
            (SectionKind::Links, vec![0xff; 9]),
            (SectionKind::Links, Vec::new()),
        ] {
            let mut story = Story::new(&[&[Fields::ALL, fields(&[Field::Amounts])]]);
            let notes = story.issue(&[(1, 10)]);
            let pays = story.pays(&[(2, 10)]);
            let plan = Plan::transfer(notes, pays);
            let lie = BTreeMap::from([(kind, content)]);
            let mut draft = plan.draft_with(&story.asset, &lie, &mut story.rng);
            story.append_draft(&plan, &mut draft);
            let error = AuditError::Entry { entry: 2, fault: Fault::Unreadable(kind) };
            assert_eq!(story.replay(1), Err(error));
            assert!(story.replay(2).is_ok(), "not in its scope");
        }
    }

    #[test]
    fn nothing_is_read_of_a_leg_whose_proofs_do_not_hold() {
        // (!) Enforces [SEC-5]: what a key would read is rubbish too, but the proof is what is named.
        let mut story = Story::new(&[&[Fields::ALL]]);
        let notes = story.issue(&[(1, 10)]);
        let pays = story.pays(&[(2, 10)]);
        let plan = Plan::transfer(notes, pays);
        let lie = BTreeMap::from([
            (SectionKind::Trade, vec![0xff; 9]),
            (SectionKind::Links, vec![0xff; 9]),
            (SectionKind::Opening(0), vec![0xff; 9]),
        ]);
        let mut draft = plan.draft_with(&story.asset, &lie, &mut story.rng);
        draft.excess += Scalar::ONE;
        story.append_draft(&plan, &mut draft);
        let mut asked = 0;
        let found = story.replay_with(story.keys(1), &mut |_, _| {
            asked += 1;
            None
        });
        let error = AuditError::Entry { entry: 2, fault: wrong(balance::NAME) };
        assert_eq!((found, asked), (Err(error), 0));
    }

    #[test]
    fn more_bytes_than_an_entry_has_are_not_decoded() {
        let story = Story::new(&[&[]]);
        let mut replay = Replay::new(asset_log(&story.asset), Vec::new(), rng(1));
        let long = vec![0; sudare_ledger::log::ENTRY_BYTES_MAX + 1];
        let error = AuditError::Entry { entry: 0, fault: Fault::TooLong };
        assert_eq!(replay.push(0, &long), Err(error));
    }

    #[test]
    fn every_fault_says_its_entry_and_rule_and_what_to_do() {
        let faults =
            [Fault::Receipt, Fault::Supply, Fault::Leg(LegError::Repeated), Fault::NotTerms];
        for fault in faults {
            let text = AuditError::Entry { entry: 17, fault }.to_string();
            assert!(text.contains("entry 17") && text.contains(fault.rule()), "{text}");
            assert!(text.contains("evidence") && fault.rule().starts_with('['), "{text}");
        }
    }

    /// The proof with another last response.
    fn broken(proof: &LinearProof) -> LinearProof {
        let mut bytes = encode(proof);
        let last = bytes.len() - 32;
        bytes[last] ^= 1;
        sudare_crypto::encoding::decode(&bytes, "a proof").unwrap()
    }

    /// Names the changed leg in its transaction.
    fn replace_root(entry: &mut FinalLeg) {
        let root = entry.leg.root(0, &entry.salt);
        let legs = vec![LegRef { registrar: registrar().id(), root }];
        entry.commit.transaction.legs = legs.try_into().unwrap();
    }

    /// A slot with a true proof whose ciphertexts hold `A + by*B~`.
    fn shifted_slot(
        asset: &Asset,
        honest: &Receiver,
        holder: &Holder,
        by: Scalar,
        rng: &mut ChaCha20Rng,
    ) -> SignedSlot {
        let slot = &honest.slot.slot;
        let shift = *B_BLINDING * by;
        let identities: Vec<Encoded> =
            slot.identities.iter().map(|one| Encoded::of(&(point(one) + shift))).collect();
        let statement = owner::Statement {
            owner: slot.owner,
            ephemeral: slot.ephemeral,
            identities: identities.clone(),
            keys: asset.epoch(0).keys_with(Field::Parties),
        };
        let secrets = &honest.secrets;
        let witness = owner::Witness {
            tag: secrets.tag.0,
            blinding: secrets.blinding.0 - by,
            ephemeral: secrets.ephemeral.0,
        };
        let context = encode(&(&slot.context, &slot.memo_key));
        let mut transcript = LedgerTranscript::new(b"sudare/slot/v1", &context);
        let proof = owner::prove(&statement, &witness, &mut transcript, rng).unwrap();
        let slot = Slot { identities: identities.try_into().unwrap(), proof, ..slot.clone() };
        slot.sign(&holder.node)
    }
}

mod hidden {
    use super::*;

    /// A transfer of 70 and 30 whose memo says 71, which the registrar let pass.
    fn story() -> Story {
        story_of(71)
    }

    /// A transfer of 70 and 30 whose memo says this value with a wrong blinding.
    fn story_of(value: u64) -> Story {
        let mut story = Story::new(&[&[Fields::ALL]]);
        let notes = story.issue(&[(1, 100)]);
        let pays = story.pays(&[(2, 70), (1, 30)]);
        let plan = Plan::transfer(notes, pays);
        let content = encode(&(value, Secret(Scalar::from(5_u64))));
        let lie = BTreeMap::from([(SectionKind::Opening(0), content)]);
        let mut draft = plan.draft_with(&story.asset, &lie, &mut story.rng);
        story.append_draft(&plan, &mut draft);
        story
    }

    #[test]
    fn an_amount_that_sender_and_registrar_lied_about_is_found_by_search() {
        let story = story();
        let mut bounds = Vec::new();
        let mut solve = |point: &Encoded, bound: u64| {
            bounds.push(bound);
            let target = point.decompress().unwrap().compress();
            let mut search = Search::new(&target, bound, [7; 32]).unwrap();
            loop {
                match search.step(1 << 20) {
                    Outcome::Open => {}
                    Outcome::Found(value) => break Some(value),
                    Outcome::Absent | Outcome::Exhausted => break None,
                }
            }
        };
        let report = story.replay_with(story.keys(1), &mut solve).unwrap();
        assert_eq!(bounds, [100], "no amount exceeds the supply");
        assert_eq!(report.false_memos, [(2, 0)]);
        assert_eq!(report.read[1].amounts, Some(vec![70, 30]));
        let bob = Holder::new(2).account(&story.asset);
        assert_eq!(report.holdings.as_ref().unwrap()[&bob], 70);
        assert!(report.to_string().contains("finding: entry 2 output 0: false memo"));
    }

    #[test]
    fn a_right_amount_with_a_wrong_blinding_is_a_finding_and_needs_no_search() {
        let story = story_of(70);
        let report = story.replay_with(story.keys(1), &mut |_, _| panic!("a search")).unwrap();
        assert_eq!(report.false_memos, [(2, 0)]);
        assert_eq!(report.read[1].amounts, Some(vec![70, 30]));
        assert_eq!(report.read[1].sender, Some(text("sender")));
        assert!(report.to_string().contains("finding: entry 2 output 0: false memo"));
    }

    #[test]
    fn an_amount_not_found_or_found_wrong_fails_loudly() {
        let story = story();
        let error = Err(AuditError::Unsolved { entry: 2, output: 0, bound: 100 });
        assert_eq!(story.replay_with(story.keys(1), &mut |_, _| None), error);
        assert_eq!(story.replay_with(story.keys(1), &mut |_, _| Some(71)), error);
        // Who does not read amounts does not need it.
        assert!(story.replay_with(Vec::new(), &mut |_, _| None).is_ok());
    }

    #[test]
    fn the_point_that_is_searched_is_of_the_amount_and_nothing_else() {
        let story = story();
        let mut seen = Vec::new();
        let _ = story.replay_with(story.keys(1), &mut |point, _| {
            seen.push(*point);
            None
        });
        assert_eq!(seen, [Encoded::of(&(B * Scalar::from(70_u64)))]);
    }
}
