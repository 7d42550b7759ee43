//! The leg of an issue: built, approved like any other, and sent to the notary under a one-time tag.

use borsh::{BorshDeserialize, BorshSerialize};
use rand_core::{CryptoRngCore, RngCore};
use sudare_crypto::encoding::Version;
use sudare_crypto::proof::tag::{self, SpendKey};
use sudare_crypto::{Bounded, Hash, Text, pairs};

use super::assets::version;
use super::issue::bounded;
use super::state::{
    ASSETS, ISSUE_OF, ISSUES, IssueState, LegState, REQUESTS, Reading, RequestKey, STATES, Standing,
};
use super::{Registrar, Stop, ordinary};
use crate::kv::{Kv, StorageError, Tx};
use crate::leg::{BuiltLeg, Leg, LegRequest, LegSalt, Purpose};
use crate::messages::{ApprovalRequest, Message, NotaryPart, Reason, TagOpening};
use crate::role::{Moment, send, wake};
use crate::transaction::{Commit, LegRef, Transaction, Window, tag_hash};

/// An issue's leg in its transaction, as a job made it.
#[derive(Clone, Debug, Eq, PartialEq, BorshSerialize, BorshDeserialize)]
pub struct IssueDraft {
    /// The transaction.
    pub transaction: Transaction,
    /// Its one leg.
    pub leg: Leg,
    /// From which the salts of its components are derived.
    pub salt: LegSalt,
    /// The salt of the one-time tag's hash.
    pub tag_salt: [u8; 32],
    /// The leg, read back.
    pub reading: Reading,
}

impl Registrar {
    /// Builds and proves the leg of an issue, and its transaction.
    pub(super) fn build_issue(
        &self,
        kv: &dyn Kv,
        id: Hash,
        rng: &mut impl CryptoRngCore,
    ) -> Result<IssueDraft, Stop> {
        let issue = ISSUES.get(kv, &id)?.ok_or(Reason::Lapsed)?;
        let IssueState::Building(slots) = &issue.state else { return Err(Reason::Lapsed.into()) };
        let asset = ASSETS.get(kv, &issue.order.asset)?.ok_or(Reason::UnknownAsset)?;
        let terms = version(kv, issue.order.asset, asset.number)?.signed.terms;
        let epoch = terms.policy.epoch_at(issue.since).ok_or(Reason::StaleTerms)?;
        let outputs = pairs(slots, &issue.order.allotments).ok_or(Reason::Malformed)?;
        let outputs: Vec<_> = outputs.map(|(slot, one)| (slot.clone(), one.quantity)).collect();
        let request = LegRequest {
            terms: &terms,
            epoch,
            purpose: Purpose::Issue,
            mint: outputs.iter().fold(0, |sum, (_, quantity)| sum.saturating_add(*quantity)),
            burn: 0,
            inputs: Vec::new(),
            outputs,
            trade: issue.order.trade.clone(),
            sender: Text::new(self.id().to_string()).map_err(|_| Reason::Internal)?,
        };
        let built = BuiltLeg::build(&request, rng).map_err(Reason::from)?;
        let BuiltLeg { leg, salt } = built;
        let (mut tag_salt, mut tx_salt) = ([0; 32], [0; 32]);
        rng.fill_bytes(&mut tag_salt);
        rng.fill_bytes(&mut tx_salt);
        let tag = self.issue_key(&leg.header.nonce).tag();
        let transaction = Transaction {
            version: Version,
            network: self.network,
            notary: terms.core.notary,
            window: Window::around(issue.since, terms.core.window_max_ms),
            salt: tx_salt,
            legs: bounded(vec![LegRef { registrar: self.id(), root: leg.root(0, &salt) }])?,
            tags: bounded(vec![tag_hash(&tag_salt, &tag)])?,
        };
        let (reading, _) = self.open(&terms, &leg)?;
        Ok(IssueDraft { transaction, leg, salt, tag_salt, reading })
    }

    /// The key of the fresh one-time tag under which the issue with this leg nonce is notarised.
    ///
    /// Enforces [REG-5]: an issue, which spends nothing, has a receipt all the same.
    fn issue_key(&self, nonce: &[u8; 32]) -> SpendKey {
        let seed = self.master.child(b"issue tag", nonce);
        SpendKey { account: seed.scalar(b"account", b"").0, tag: seed.scalar(b"tag", b"").0 }
    }

    /// The leg of an issue is built: it is approved like any other, and goes to the notary.
    pub(super) fn built(
        &self,
        tx: &Tx<'_>,
        moment: &Moment,
        id: Hash,
        result: Result<Box<IssueDraft>, Reason>,
    ) -> Result<(), StorageError> {
        let Some(mut issue) = ISSUES.get(tx, &id)? else { return Ok(()) };
        if !matches!(issue.state, IssueState::Building(_)) {
            return Ok(());
        }
        let committed = match result {
            Ok(draft) => ordinary(self.commit_issue(tx, moment, id, *draft))?,
            Err(reason) => Err(reason),
        };
        match committed {
            Ok(commit) => {
                wake(tx, commit.transaction.window.until, id)?;
                let state = IssueState::Notarising { commit: Box::new(commit), reason: None };
                (issue.state, issue.since) = (state, moment.now);
                ISSUES.put(tx, &id, &issue);
                Ok(())
            }
            Err(reason) => self.fail_issue(tx, moment.now, id, issue, reason),
        }
    }

    fn commit_issue(
        &self,
        tx: &Tx<'_>,
        moment: &Moment,
        id: Hash,
        draft: IssueDraft,
    ) -> Result<Commit, Stop> {
        let (now, rng) = (moment.now, &mut moment.rng());
        let IssueDraft { transaction, leg, salt, tag_salt, reading } = draft;
        let (asset, nonce) = (leg.header.asset, leg.header.nonce);
        let tag_salts = Bounded::default();
        let request =
            ApprovalRequest { transaction: transaction.clone(), index: 0, leg, salt, tag_salts };
        let key = RequestKey { leg: self.bind(&request)?, from: self.id() };
        let signature = self.grant(tx, now, &key, &request, &reading)?;
        let state = LegState::Approved { signature, checking: None };
        let until = transaction.window.until;
        STATES.put(tx, &key, &Standing { state, asset, since: now, until });
        REQUESTS.put(tx, &key, &request);
        ISSUE_OF.put(tx, &key.leg.tx, &id);
        let mut commit =
            Commit { transaction, salt: [0; 32], approvals: bounded(vec![signature])? };
        rng.fill_bytes(&mut commit.salt);
        let spend = self.issue_key(&nonce);
        let m = commit.id().ok_or(Reason::Malformed)?;
        let signature = tag::sign(&spend, m.0, rng).map_err(|_| Reason::Internal)?;
        let part = NotaryPart {
            window: commit.transaction.window,
            legs_root: commit.transaction.legs_root(),
            approvals_root: commit.approvals_root(),
            tags: commit.transaction.tags.clone(),
            openings: bounded(vec![TagOpening { salt: tag_salt, tag: spend.tag(), signature }])?,
        };
        send(tx, now, commit.transaction.notary, Some(until), Message::Notarise(part))?;
        Ok(commit)
    }
}
