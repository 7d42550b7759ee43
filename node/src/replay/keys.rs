//! The node's disclosure keys.

use sudare_crypto::derive::Seed;
use sudare_crypto::{Hash, Text};
use sudare_disclosure::{AssetTerms, DisclosureSecret, KeyPurpose, SignedTerms};
use sudare_ledger::audit::Keyring;

use crate::cli::connect::Connection;

/// The keys that follow from the node's seeds.
pub(super) struct NodeKeys {
    network: Hash,
    seeds: Vec<Seed>,
}

impl NodeKeys {
    pub(super) fn of(connection: &Connection) -> Self {
        let seeds = connection.node.seeds().cloned().collect();
        Self { network: connection.node.network, seeds }
    }
}

impl Keyring for NodeKeys {
    fn keys(&self, terms: &AssetTerms) -> Vec<DisclosureSecret> {
        let (network, asset) = (self.network, terms.asset());
        let mut secrets = Vec::new();
        for epoch in &terms.policy.epochs {
            for key in &epoch.keys {
                // A key that was retired since was made with its label of then.
                let Ok(label) = Text::new(key.made_for()) else { continue };
                let (number, fields) = (epoch.number, key.fields);
                let purpose = KeyPurpose { network, asset, epoch: number, fields, label };
                let own = self.seeds.iter().map(|seed| DisclosureSecret::derive(seed, &purpose));
                secrets.extend(own.filter(|secret| secret.point() == key.point));
            }
        }
        secrets
    }
}

/// The secrets of the node's seeds whose public keys stand in the policy.
pub(crate) fn keys(connection: &Connection, terms: &SignedTerms) -> Vec<DisclosureSecret> {
    NodeKeys::of(connection).keys(&terms.terms)
}
