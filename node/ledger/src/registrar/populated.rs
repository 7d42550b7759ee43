//! A register of many accounts, written behind the machine's back: for measurements that no issue would bring so far.

use sudare_crypto::point::{commit, times_b};
use sudare_crypto::{Encoded, NodeId, Scalar, Secret, Text};
use sudare_disclosure::AssetId;

use super::Registrar;
use super::past::count_totals;
use super::snapshot::{CHAINS, EVENTS};
use super::state::{ACCOUNTS, ASSETS, Account, Asset, CUSTODIANS, LIVE, NOTES, NoteRow};
use crate::kv::{Be, StorageError, Tx};
use crate::note::Note;
use crate::snapshot::{AccountEvent, Chain};

impl Registrar {
    /// Gives an asset without accounts so many, each of this custodian and with one note, as if issued with the first entry. The n-th
    /// investor is called `INV-n` and holds n units.
    ///
    /// # Errors
    ///
    /// [`StorageError`] if the store fails, or has no such asset.
    pub fn populate(
        tx: &Tx<'_>,
        id: AssetId,
        custodian: NodeId,
        count: u32,
    ) -> Result<(), StorageError> {
        let asset = ASSETS.get(tx, &id)?.ok_or(StorageError::Damaged("asset"))?;
        let mut minted = 0u128;
        for number in 1..=count {
            let (quantity, blinding) = (u64::from(number), Scalar::from(u64::from(number)));
            let account = Encoded::of(&times_b(&(blinding + Scalar::from(1u64 << 40))));
            let commitment = Encoded::of(&commit(quantity, &blinding));
            let note = Note { asset: id, owner: account, commitment };
            let event = AccountEvent::Received { entry: 0, output: 0, note: note.id() };
            let investor = Text::new(format!("INV-{number}"));
            let investor = investor.map_err(|_| StorageError::Damaged("account"))?;
            ACCOUNTS.put(tx, &(id, account), &Account { investor, custodian, since: 0 });
            EVENTS.put(tx, &(id, account, Be(0)), &event);
            CHAINS.put(tx, &(id, account), &Chain::default().after(&event));
            LIVE.put(tx, &(id, account, note.id()), &quantity);
            let row = NoteRow { note, account, quantity, blinding: Secret(blinding), entry: 0 };
            NOTES.put(tx, &(id, row.note.id()), &row);
            minted = minted.saturating_add(quantity.into());
        }
        CUSTODIANS.put(tx, &(id, custodian), &());
        count_totals(tx, id, 0, (minted, 0))?;
        let (notes, accounts) = (u64::from(count), u64::from(count));
        ASSETS.put(tx, &id, &Asset { minted, live: minted, notes, accounts, ..asset });
        Ok(())
    }
}
