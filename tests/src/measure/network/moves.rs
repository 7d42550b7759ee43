//! Which transfers are made, and the accounts and notes that they need.

use sudare::cli::Failure;
use sudare::demo::setup::{Opening, text};
use sudare_crypto::Text;

use super::{ASSET, CUSTODIANS};

/// Accounts a custodian that receive.
const RECEIVERS: u64 = 16;
/// Every sender has two notes of this value...
const POSITION: u64 = 1_000_000;
/// ...and pays this: both notes go in, payment and change come out, as in the leg that the limit is computed from.
const QUANTITY: u64 = 1_500_000;
/// Pairs of accounts that pay each other in turn, for as long as it goes on.
const PAIRS: u64 = 96;

/// One transfer.
#[derive(Clone, Debug)]
pub(super) struct Move {
    pub(super) id: String,
    pub(super) from: String,
    pub(super) to: String,
    pub(super) sender: String,
    pub(super) receiver: String,
    pub(super) quantity: u64,
}

impl Move {
    /// The transfer with this number from a sender that makes no other.
    pub(super) fn once(number: u64) -> Self {
        let next = number.saturating_add(1);
        Self {
            id: format!("T-{number:06}"),
            from: custodian(number),
            to: custodian(next),
            sender: format!("sender-{number:05}"),
            receiver: format!("receiver-{:02}", next % (CUSTODIANS * RECEIVERS)),
            quantity: QUANTITY,
        }
    }

    /// The transfer with this number between two accounts that pay each other in turn. Each spends as many notes as it makes,
    /// in the long run, so inputs and outputs are two on average.
    pub(super) fn in_turn(number: u64) -> Self {
        let (pair, round) = (number % PAIRS, number / PAIRS);
        let sides = [0, 1].map(|side| (custodian(pair + side), format!("pair-{pair:03}-{side}")));
        let [(from, sender), (to, receiver)] = sides;
        // Never the value of a note that is there, so that there is always change.
        let quantity = 600_000 + number % 99_991;
        let id = format!("P-{number:07}");
        if round % 2 == 0 {
            Self { id, from, to, sender, receiver, quantity }
        } else {
            Self { id, from: to, to: from, sender: receiver, receiver: sender, quantity }
        }
    }

    /// Its trade id.
    pub(super) fn trade_id(&self) -> Result<Text<35>, Failure> {
        text(&self.id)
    }
}

/// Accounts as (custodian, asset, investor).
pub(super) type Accounts = Vec<(String, String, String)>;

/// The accounts of so many single transfers, and of the pairs if they are wanted, with what they begin with.
pub(super) fn holders(transfers: u64, pairs: bool) -> (Accounts, Vec<Opening>) {
    let account = |home: String, investor: String| (home, ASSET.to_owned(), investor);
    let mut accounts: Accounts = (0..CUSTODIANS * RECEIVERS)
        .map(|number| account(custodian(number), format!("receiver-{number:02}")))
        .collect();
    let mut holders: Vec<_> =
        (0..transfers).map(Move::once).map(|one| account(one.from, one.sender)).collect();
    if pairs {
        let both = |one: Move| [account(one.from, one.sender), account(one.to, one.receiver)];
        holders.extend((0..PAIRS).map(Move::in_turn).flat_map(both));
    }
    let mut openings = Vec::with_capacity(holders.len() * 2);
    for (custodian, _, investor) in &holders {
        let (custodian, investor) = (custodian.clone(), investor.clone());
        let opening = Opening { asset: ASSET.into(), investor, custodian, quantity: POSITION };
        openings.extend([opening.clone(), opening]);
    }
    accounts.extend(holders);
    (accounts, openings)
}

/// The name of the custodian with this number.
pub(super) fn custodian(number: u64) -> String {
    format!("custodian-{}", number % CUSTODIANS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_transfer_has_a_sender_with_two_notes_and_a_receiver_at_another_custodian() {
        let (accounts, openings) = holders(100, true);
        let has = |home: &str, name: &str| {
            accounts.contains(&(home.to_owned(), ASSET.to_owned(), name.to_owned()))
        };
        for one in (0..100).map(Move::once).chain((0..3 * PAIRS).map(Move::in_turn)) {
            assert!(has(&one.from, &one.sender) && has(&one.to, &one.receiver));
            assert_ne!(one.from, one.to);
            let notes = openings.iter().filter(|note| note.investor == one.sender);
            let values: Vec<u64> = notes.map(|note| note.quantity).collect();
            assert_eq!(values.len(), 2);
            assert!(one.quantity < values.iter().sum());
        }
        assert!((0..100).map(Move::once).all(|one| one.quantity > POSITION));
    }

    #[test]
    fn accounts_that_pay_in_turn_give_back_what_they_get() {
        let (there, back) = (Move::in_turn(5), Move::in_turn(5 + PAIRS));
        assert_eq!((&there.from, &there.sender), (&back.to, &back.receiver));
        assert_eq!((&there.to, &there.receiver), (&back.from, &back.sender));
    }
}
