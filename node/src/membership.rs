//! The membership list: who takes part in the network, in which role, under which node key and at which address.
//!
//! The network root signs each list; a node replaces the list in force only by one with a higher number.

use std::net::SocketAddr;
use std::sync::Arc;

use borsh::{BorshDeserialize, BorshSerialize};
use sudare_crypto::encoding::{self, Bounded, Text, Version};
use sudare_crypto::{Hash, NodeId, NodeKey, NodeSignature};
use sudare_ledger::role::Role;
use tokio::sync::watch;

/// The most members a network can have.
pub const MEMBERS_MAX: usize = 256;
/// The longest name, in bytes.
pub const NAME_BYTES_MAX: usize = 32;
/// The longest file of a signed list, in bytes.
pub const MEMBERSHIP_BYTES_MAX: usize = 32 * 1024;

const DOMAIN: &[u8] = b"sudare/membership/v1";

/// A member's name: 1 to 32 of `a-z`, `0-9` and `-`, neither first nor last a `-`, so that it is a DNS label.
#[derive(Clone, Eq, PartialEq, PartialOrd, Ord, BorshSerialize)]
pub struct MemberName(Text<NAME_BYTES_MAX>);

impl MemberName {
    /// The name, if it has the form.
    ///
    /// # Errors
    ///
    /// [`Invalid::Name`] otherwise.
    pub fn new(name: &str) -> Result<Self, Invalid> {
        let bad = || Invalid::Name(name.chars().take(2 * NAME_BYTES_MAX).collect());
        let inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        let edge = |byte: Option<u8>| byte.is_some_and(inner);
        let well_formed = name.bytes().all(|byte| inner(byte) || byte == b'-')
            && edge(name.bytes().next())
            && edge(name.bytes().last());
        if well_formed { Text::new(name).map(Self).map_err(|_| bad()) } else { Err(bad()) }
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }
}

impl BorshDeserialize for MemberName {
    fn deserialize_reader<R: std::io::Read>(reader: &mut R) -> std::io::Result<Self> {
        let text = Text::<NAME_BYTES_MAX>::deserialize_reader(reader)?;
        Self::new(text.as_str())
            .map_err(|error| std::io::Error::new(std::io::ErrorKind::InvalidData, error))
    }
}

impl std::fmt::Display for MemberName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

impl std::fmt::Debug for MemberName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One member of the network.
#[derive(Clone, Debug, Eq, PartialEq, BorshSerialize, BorshDeserialize)]
pub struct Member {
    /// Its name, unique in the list.
    pub name: MemberName,
    /// Its role.
    pub role: Role,
    /// Its node key, unique in the list.
    pub id: NodeId,
    /// Where its node listens (UDP).
    pub address: SocketAddr,
}

/// The members of one network; the higher number is the later list.
#[derive(Clone, Debug, Eq, PartialEq, BorshSerialize, BorshDeserialize)]
pub struct MembershipList {
    version: Version<1>,
    network: Hash,
    number: u64,
    members: Bounded<Member, MEMBERS_MAX>,
}

impl MembershipList {
    /// A list of `members`, which it puts in order of name.
    ///
    /// # Errors
    ///
    /// [`Invalid`] if there are too many, two share a name or an id, or an address cannot be dialled.
    pub fn new(network: Hash, number: u64, mut members: Vec<Member>) -> Result<Self, Invalid> {
        members.sort_by(|a, b| a.name.cmp(&b.name));
        let members = Bounded::new(members).map_err(|_| Invalid::TooMany)?;
        let list = Self { version: Version, network, number, members };
        list.check()?;
        Ok(list)
    }

    /// The network it is of.
    #[must_use]
    pub const fn network(&self) -> &Hash {
        &self.network
    }

    /// Its number.
    #[must_use]
    pub const fn number(&self) -> u64 {
        self.number
    }

    /// The members, in order of name.
    #[must_use]
    pub fn members(&self) -> &[Member] {
        &self.members
    }

    /// The member with this node key.
    #[must_use]
    pub fn find(&self, id: &NodeId) -> Option<&Member> {
        self.members.iter().find(|member| member.id == *id)
    }

    /// The member with this name.
    #[must_use]
    pub fn named(&self, name: &str) -> Option<&Member> {
        self.members.iter().find(|member| member.name.as_str() == name)
    }

    fn check(&self) -> Result<(), Invalid> {
        for pair in self.members.windows(2) {
            if let [first, second] = pair
                && first.name >= second.name
            {
                return Err(Invalid::NameTwiceOrUnordered(second.name.clone()));
            }
        }
        let mut ids = std::collections::BTreeSet::new();
        for member in self.members.iter() {
            if !ids.insert(member.id) {
                return Err(Invalid::IdTwice(member.id));
            }
            let ip = member.address.ip();
            if member.address.port() == 0 || ip.is_unspecified() || ip != ip.to_canonical() {
                return Err(Invalid::Address(member.name.clone(), member.address));
            }
        }
        Ok(())
    }
}

/// What is wrong with the contents of a list.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Invalid {
    /// Not a name.
    #[error("'{0}' is no member name: use 1 to 32 of a-z, 0-9 and -, not - first or last")]
    Name(String),
    /// More than [`MEMBERS_MAX`].
    #[error("more than {MEMBERS_MAX} members")]
    TooMany,
    /// Two members of one name, or members out of order.
    #[error("the name {0} is there twice, or the list is not in order of name")]
    NameTwiceOrUnordered(MemberName),
    /// Two members of one id.
    #[error("the node key {0} is there twice: each member needs its own")]
    IdTwice(NodeId),
    /// An address that nobody can dial, or one with a second spelling.
    #[error("{0} has the address {1}: give a definite IP address and a port")]
    Address(MemberName, SocketAddr),
}

/// A list with the network root's signature; its bytes are the membership file.
#[derive(Clone, Debug, Eq, PartialEq, BorshSerialize, BorshDeserialize)]
pub struct SignedMembership {
    list: MembershipList,
    signature: NodeSignature,
}

impl SignedMembership {
    /// Signs `list` with the network root's key.
    #[must_use]
    pub fn sign(list: MembershipList, root: &NodeKey) -> Self {
        let signature = root.sign(DOMAIN, &encoding::encode(&list));
        Self { list, signature }
    }

    /// Reads a membership file and checks all of it.
    ///
    /// # Errors
    ///
    /// [`MembershipError`] if it is malformed, not signed by `root`, of another network, or [`Invalid`].
    pub fn parse(bytes: &[u8], root: &NodeId, network: &Hash) -> Result<Self, MembershipError> {
        if bytes.len() > MEMBERSHIP_BYTES_MAX {
            return Err(MembershipError::Malformed);
        }
        let signed: Self =
            encoding::decode(bytes, "membership list").map_err(|_| MembershipError::Malformed)?;
        root.verify(DOMAIN, &encoding::encode(&signed.list), &signed.signature)
            .map_err(|_| MembershipError::Signature)?;
        if signed.list.network != *network {
            return Err(MembershipError::Network { file: signed.list.network, node: *network });
        }
        signed.list.check()?;
        Ok(signed)
    }

    /// The bytes of the membership file.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        encoding::encode(self)
    }
}

impl std::ops::Deref for SignedMembership {
    type Target = MembershipList;

    fn deref(&self) -> &MembershipList {
        &self.list
    }
}

/// Why a membership file is not taken.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum MembershipError {
    /// Not the canonical bytes of a signed list, or longer than [`MEMBERSHIP_BYTES_MAX`].
    #[error("the membership file is damaged or of another version: fetch it again")]
    Malformed,
    /// Not signed by the network root.
    #[error("the membership list is not signed by this network's root: do not use it")]
    Signature,
    /// Signed by the root, but of another network.
    #[error("the membership list is of network {file}, this node is of {node}")]
    Network {
        /// The network the list names.
        file: Hash,
        /// The network the node is of.
        node: Hash,
    },
    /// Signed, but its contents break a rule.
    #[error("the signed membership list is invalid: {0}")]
    Invalid(#[from] Invalid),
    /// Its number is lower than the one in force.
    #[error("membership list {got} is older than {have}, which is in force")]
    Stale {
        /// The number in force.
        have: u64,
        /// The number offered.
        got: u64,
    },
    /// The root has signed two lists with one number.
    #[error(
        "two different membership lists have number {0}: ask the network root to issue a new one"
    )]
    Conflict(u64),
}

/// The list in force, shared by all parts of a node and replaceable while it runs.
#[derive(Clone, Debug)]
pub struct Membership {
    root: NodeId,
    network: Hash,
    current: Arc<watch::Sender<Arc<SignedMembership>>>,
}

impl Membership {
    /// Takes the membership file `bytes` of `network`, whose root is `root`, into force.
    ///
    /// # Errors
    ///
    /// Those of [`SignedMembership::parse`].
    pub fn open(bytes: &[u8], root: NodeId, network: Hash) -> Result<Self, MembershipError> {
        let signed = SignedMembership::parse(bytes, &root, &network)?;
        Ok(Self { root, network, current: Arc::new(watch::Sender::new(Arc::new(signed))) })
    }

    /// The list in force.
    #[must_use]
    pub fn current(&self) -> Arc<SignedMembership> {
        self.current.borrow().clone()
    }

    /// The member with this node key, by the list in force.
    #[must_use]
    pub fn find(&self, id: &NodeId) -> Option<Member> {
        self.current.borrow().find(id).cloned()
    }

    /// The member with this name, by the list in force.
    #[must_use]
    pub fn named(&self, name: &str) -> Option<Member> {
        self.current.borrow().named(name).cloned()
    }

    /// Replaces the list in force by a later one. True if it did, false if the very same list is in force already.
    ///
    /// # Errors
    ///
    /// Those of [`SignedMembership::parse`], [`MembershipError::Stale`] and [`MembershipError::Conflict`]; then the list in
    /// force stays.
    pub fn replace(&self, bytes: &[u8]) -> Result<bool, MembershipError> {
        let new = SignedMembership::parse(bytes, &self.root, &self.network)?;
        let mut refusal = None;
        let replaced = self.current.send_if_modified(|current| {
            if new.number > current.number {
                *current = Arc::new(new.clone());
                return true;
            }
            if new.number < current.number {
                refusal = Some(MembershipError::Stale { have: current.number, got: new.number });
            } else if new.list != current.list {
                refusal = Some(MembershipError::Conflict(new.number));
            }
            false
        });
        refusal.map_or(Ok(replaced), Err)
    }

    /// Waits until `holds` is true of the list in force.
    pub async fn until(&self, holds: impl Fn(&MembershipList) -> bool) {
        let mut changes = self.current.subscribe();
        // An error would mean that the sender is gone, but `self` holds it.
        let _ = changes.wait_for(|signed| holds(&signed.list)).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NETWORK: Hash = Hash([9; 32]);

    fn root() -> NodeKey {
        NodeKey::from_seed(&[1; 32])
    }

    fn member(name: &str, seed: u8) -> Member {
        Member {
            name: MemberName::new(name).unwrap(),
            role: Role::Custodian,
            id: NodeKey::from_seed(&[seed; 32]).id(),
            address: SocketAddr::from(([127, 0, 0, 1], 4000)),
        }
    }

    fn file(number: u64, members: Vec<Member>) -> Vec<u8> {
        let list = MembershipList::new(NETWORK, number, members).unwrap();
        SignedMembership::sign(list, &root()).to_bytes()
    }

    #[test]
    fn a_signed_list_round_trips_and_finds_its_members() {
        let bytes = file(3, vec![member("zeta", 3), member("alpha", 2)]);
        let signed = SignedMembership::parse(&bytes, &root().id(), &NETWORK).unwrap();
        assert_eq!(signed.to_bytes(), bytes);
        assert_eq!(signed.number(), 3);
        assert_eq!(signed.members()[0].name.as_str(), "alpha");
        assert_eq!(signed.find(&member("zeta", 3).id), Some(&member("zeta", 3)));
        assert_eq!(signed.named("alpha"), Some(&member("alpha", 2)));
        assert_eq!(signed.named("beta"), None);
    }

    #[test]
    fn every_flipped_bit_and_every_other_length_of_the_file_is_refused() {
        let bytes = file(1, vec![member("a", 2), member("b", 3)]);
        for bit in 0..8 * bytes.len() {
            let mut bad = bytes.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            assert!(SignedMembership::parse(&bad, &root().id(), &NETWORK).is_err(), "bit {bit}");
        }
        for length in 0..bytes.len() {
            let cut = SignedMembership::parse(&bytes[..length], &root().id(), &NETWORK);
            assert_eq!(cut, Err(MembershipError::Malformed), "length {length}");
        }
        let longer = [bytes.as_slice(), &[0]].concat();
        let longer = SignedMembership::parse(&longer, &root().id(), &NETWORK);
        assert_eq!(longer, Err(MembershipError::Malformed));
    }

    #[test]
    fn a_list_by_another_root_or_of_another_network_is_refused() {
        let bytes = file(1, vec![member("a", 2)]);
        let other = NodeKey::from_seed(&[7; 32]).id();
        let by_other = SignedMembership::parse(&bytes, &other, &NETWORK);
        assert_eq!(by_other, Err(MembershipError::Signature));
        let elsewhere = SignedMembership::parse(&bytes, &root().id(), &Hash([8; 32]));
        assert!(matches!(elsewhere, Err(MembershipError::Network { .. })));
    }

    #[test]
    fn names_and_ids_are_unique_and_addresses_definite_even_in_a_signed_list() {
        let signed = |members: Vec<Member>| {
            let members = Bounded::new(members).unwrap();
            let list = MembershipList { version: Version, network: NETWORK, number: 1, members };
            let bytes = SignedMembership::sign(list, &root()).to_bytes();
            SignedMembership::parse(&bytes, &root().id(), &NETWORK).unwrap_err()
        };
        let invalid = MembershipError::Invalid;
        let name_b = MemberName::new("b").unwrap();
        let twice = signed(vec![member("b", 2), member("b", 3)]);
        assert_eq!(twice, invalid(Invalid::NameTwiceOrUnordered(name_b)));
        let unordered = signed(vec![member("c", 2), member("b", 3)]);
        assert!(matches!(unordered, MembershipError::Invalid(Invalid::NameTwiceOrUnordered(_))));
        let same_id = signed(vec![member("a", 2), member("b", 2)]);
        assert_eq!(same_id, invalid(Invalid::IdTwice(member("a", 2).id)));
        for address in ["127.0.0.1:0", "0.0.0.0:1", "[::]:1", "[::ffff:127.0.0.1]:1"] {
            let bad = Member { address: address.parse().unwrap(), ..member("a", 2) };
            assert!(
                matches!(signed(vec![bad]), MembershipError::Invalid(Invalid::Address(..))),
                "{address}"
            );
        }
    }

    #[test]
    fn at_most_256_members_fit_and_they_fit_the_file() {
        let many = |count: u16| {
            let one = |i: u16| {
                let mut seed = [0; 32];
                seed[..2].copy_from_slice(&i.to_le_bytes());
                let name = format!("{i:032}");
                Member { id: NodeKey::from_seed(&seed).id(), ..member(&name, 0) }
            };
            MembershipList::new(NETWORK, 1, (0..count).map(one).collect())
        };
        assert_eq!(many(257), Err(Invalid::TooMany));
        let bytes = SignedMembership::sign(many(256).unwrap(), &root()).to_bytes();
        assert!(SignedMembership::parse(&bytes, &root().id(), &NETWORK).is_ok());
    }

    #[test]
    fn names_are_dns_labels() {
        for good in ["a", "trust-bank-1", "0", &"x".repeat(32)] {
            assert!(MemberName::new(good).is_ok(), "{good}");
        }
        for bad in ["", "-a", "a-", "A", "a.b", "a_b", "é", "a b", &"x".repeat(33)] {
            assert!(MemberName::new(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn only_a_higher_number_replaces_the_list_in_force() {
        let second = file(2, vec![member("a", 2)]);
        let membership = Membership::open(&second, root().id(), NETWORK).unwrap();
        assert_eq!(membership.replace(&second), Ok(false));
        let conflict = file(2, vec![member("a", 3)]);
        assert_eq!(membership.replace(&conflict), Err(MembershipError::Conflict(2)));
        let first = file(1, vec![member("b", 3)]);
        assert_eq!(membership.replace(&first), Err(MembershipError::Stale { have: 2, got: 1 }));
        assert_eq!(membership.current().to_bytes(), second);
        assert_eq!(membership.replace(&file(5, vec![member("b", 3)])), Ok(true));
        assert_eq!(membership.current().number(), 5);
        assert!(membership.find(&member("a", 2).id).is_none());
        assert!(membership.named("b").is_some());
    }
}
