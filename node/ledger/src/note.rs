//! Notes: the outputs that a register consists of, and what their owner's custodian knows of them (specs/note.md).

use borsh::{BorshDeserialize, BorshSerialize};
use sudare_crypto::derive::Seed;
use sudare_crypto::encoding::encode;
use sudare_crypto::point::{times_b, times_b_blinding, times_g};
use sudare_crypto::proof::tag::SpendKey;
use sudare_crypto::{Encoded, Hash, Secret, Text};
use sudare_disclosure::AssetId;

/// An output as it stands in a register.
#[derive(Clone, Copy, Debug, Eq, PartialEq, PartialOrd, Ord, BorshSerialize, BorshDeserialize)]
pub struct Note {
    /// The asset.
    pub asset: AssetId,
    /// `O`.
    pub owner: Encoded,
    /// `C`.
    pub commitment: Encoded,
}

/// A note's identity.
#[derive(Clone, Copy, Debug, Eq, PartialEq, PartialOrd, Ord, BorshSerialize, BorshDeserialize)]
pub struct NoteId(pub Hash);

impl Note {
    /// `H(asset_id, O, C)`.
    #[must_use]
    pub fn id(&self) -> NoteId {
        NoteId(Hash::of(b"sudare/note/v1", &[&encode(self)]))
    }
}

/// The seed of one investor, from which its account keys and slot secrets are derived.
#[derive(Clone, Debug, BorshSerialize, BorshDeserialize)]
pub struct InvestorSeed(pub Seed);

impl InvestorSeed {
    /// The seed of the investor with this pseudonym, from its custodian's master seed.
    #[must_use]
    pub fn of(master: &Seed, investor: &Text<35>) -> Self {
        Self(master.child(b"investor", investor.as_str().as_bytes()))
    }

    /// `a`, the account key for an asset: one an asset, so that two registrars can't link an investor.
    #[must_use]
    pub fn account(&self, asset: AssetId) -> Secret {
        self.0.scalar(b"account key", &encode(&asset))
    }

    /// The secrets of the slot with this nonce. A nonce is used once.
    #[must_use]
    pub fn slot(&self, asset: AssetId, nonce: &[u8; 32]) -> SlotSecrets {
        let context = encode(&(asset, nonce));
        SlotSecrets {
            account: self.account(asset),
            tag: self.0.scalar(b"slot tag", &context),
            blinding: self.0.scalar(b"slot owner blinding", &context),
            ephemeral: self.0.scalar(b"slot ephemeral", &context),
            memo: self.0.scalar(b"slot memo key", &context),
        }
    }
}

/// What stands behind a slot: `a`, `t`, `s`, `u` and the memo key's secret. Wiped on drop, never printed.
#[derive(Clone, Debug)]
pub struct SlotSecrets {
    /// `a`.
    pub account: Secret,
    /// `t`.
    pub tag: Secret,
    /// `s`.
    pub blinding: Secret,
    /// `u`.
    pub ephemeral: Secret,
    /// The one-time memo key's secret.
    pub memo: Secret,
}

impl SlotSecrets {
    /// The key that spends the note.
    #[must_use]
    pub fn spend_key(&self) -> SpendKey {
        SpendKey { account: self.account.0, tag: self.tag.0 }
    }

    /// `O = T + s*B~` with `T = a*B + t*G`.
    #[must_use]
    pub fn owner(&self) -> Encoded {
        Encoded::of(
            &(times_b(&self.account.0) + times_g(&self.tag.0) + times_b_blinding(&self.blinding.0)),
        )
    }
}
