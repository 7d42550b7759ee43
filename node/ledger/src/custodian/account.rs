//! Assets and accounts.

use borsh::{BorshDeserialize, BorshSerialize};
use sudare_crypto::encoding::encode;
use sudare_crypto::proof::possession;
use sudare_crypto::{Encoded, NodeId};
use sudare_disclosure::{AssetId, AssetTerms, SignedTerms};

use super::{ACCOUNT_KEYS, ACCOUNTS, ASSETS, Custodian, Investor, Step, done, text};
use crate::kv::{Kv, StorageError, Table};
use crate::messages::{Message, Reason, RegisterAccount, account_purpose};
use crate::role::{Answer, send};

/// Accounts asked for before their asset's terms have come.
const WAITING: Table<(AssetId, Investor), ()> = Table::new(b'p', "waiting account");

/// An investor's account for one asset.
#[derive(Clone, Debug, Eq, PartialEq, BorshSerialize, BorshDeserialize)]
pub struct Account {
    /// `A`.
    pub key: Encoded,
    /// Where it stands.
    pub state: AccountState,
    /// Since when, ms.
    pub since: u64,
}

/// Where an account stands.
#[derive(Clone, Copy, Debug, Eq, PartialEq, BorshSerialize, BorshDeserialize)]
pub enum AccountState {
    /// The registrar has not answered yet.
    Pending,
    /// Registered.
    Registered,
    /// The registrar refused it.
    Refused(Reason),
}

impl Custodian {
    pub(super) fn add_asset(
        &self,
        step: &mut Step<'_, '_>,
        asset: AssetId,
        registrar: NodeId,
    ) -> Result<Answer, StorageError> {
        send(step.tx, step.now, registrar, None, Message::AskTerms(asset))?;
        Ok(text(&asset.to_string()))
    }

    /// Takes terms that are signed by the registrar they name and are no older than those held.
    pub(super) fn terms(
        &self,
        step: &mut Step<'_, '_>,
        from: NodeId,
        terms: SignedTerms,
    ) -> Result<Answer, StorageError> {
        if terms.terms.core.registrar != from || terms.check(self.network, &mut step.rng).is_err() {
            return Ok(Err(Reason::Malformed));
        }
        let asset = terms.terms.asset();
        // A later version may add epochs and keys, never change those there are.
        let extends = |held: &SignedTerms| {
            held.terms.number < terms.terms.number && terms.terms.policy.extends(&held.terms.policy)
        };
        let held = ASSETS.get(step.tx, &asset)?;
        if held.as_ref().is_none_or(extends) {
            ASSETS.put(step.tx, &asset, &terms);
        } else if held.as_ref().is_none_or(|held| *held != terms) {
            return Ok(Err(Reason::StaleTerms));
        }
        loop {
            let waiting = WAITING.rows_under(step.tx, &encode(&asset), None, 64)?;
            if waiting.is_empty() {
                return done();
            }
            for ((asset, investor), ()) in waiting {
                WAITING.delete(step.tx, &(asset, investor.clone()));
                self.register(step, &terms.terms, &investor)?;
            }
        }
    }

    pub(super) fn add_account(
        &self,
        step: &mut Step<'_, '_>,
        asset: AssetId,
        investor: Investor,
    ) -> Result<Answer, StorageError> {
        let key = self.investor_seed(&investor).account(asset).public();
        if let Some(account) = ACCOUNTS.get(step.tx, &(asset, investor.clone()))?
            && account.state == AccountState::Registered
        {
            return Ok(text(&format!("{key:?}")));
        }
        ACCOUNTS.put(
            step.tx,
            &(asset, investor.clone()),
            &Account { key, state: AccountState::Pending, since: step.now },
        );
        ACCOUNT_KEYS.put(step.tx, &(asset, key), &investor);
        match ASSETS.get(step.tx, &asset)? {
            Some(terms) => self.register(step, &terms.terms, &investor)?,
            None => WAITING.put(step.tx, &(asset, investor), &()),
        }
        Ok(text(&format!("{key:?}")))
    }

    pub(super) fn account_registered(
        &self,
        step: &mut Step<'_, '_>,
        from: NodeId,
        asset: AssetId,
        key: Encoded,
        refused: Option<Reason>,
    ) -> Result<(), StorageError> {
        let Some(terms) = self.terms_of(step.tx, asset)? else { return Ok(()) };
        let Some(investor) = ACCOUNT_KEYS.get(step.tx, &(asset, key))? else { return Ok(()) };
        if terms.core.registrar != from {
            return Ok(());
        }
        let state = refused.map_or(AccountState::Registered, AccountState::Refused);
        ACCOUNTS.put(step.tx, &(asset, investor), &Account { key, state, since: step.now });
        Ok(())
    }

    /// The terms in force of an asset, if they have come.
    pub(super) fn terms_of(
        &self,
        kv: &(impl Kv + ?Sized),
        asset: AssetId,
    ) -> Result<Option<AssetTerms>, StorageError> {
        Ok(ASSETS.get(kv, &asset)?.map(|signed| signed.terms))
    }

    /// Whether the investor has a registered account for the asset.
    pub(super) fn is_registered(
        &self,
        kv: &(impl Kv + ?Sized),
        asset: AssetId,
        investor: &Investor,
    ) -> Result<bool, StorageError> {
        let account = ACCOUNTS.get(kv, &(asset, investor.clone()))?;
        Ok(account.is_some_and(|account| account.state == AccountState::Registered))
    }

    fn register(
        &self,
        step: &mut Step<'_, '_>,
        terms: &AssetTerms,
        investor: &Investor,
    ) -> Result<(), StorageError> {
        let asset = terms.asset();
        let secret = self.investor_seed(investor).account(asset);
        let purpose = account_purpose(self.network, asset, self.key.id(), investor);
        let statement = possession::Statement { key: secret.public(), purpose };
        let Ok(possession) = possession::prove(&statement, &secret, &mut step.rng) else {
            return Ok(());
        };
        let request = RegisterAccount {
            asset,
            account: statement.key,
            investor: investor.clone(),
            possession,
        };
        send(step.tx, step.now, terms.core.registrar, None, Message::RegisterAccount(request))
    }
}
