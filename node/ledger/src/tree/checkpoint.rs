//! Checkpoints (C2SP tlog-checkpoint v1.0.0): what size and root a log has, as a signed text.
//!
//! ```text
//! sudare/mainnet/asset/5d1f..      origin, the log's name
//! 20852163                         number of leaves
//! CsUYapGGPo4dkMgIAUqom/Xa..       root in base64
//!
//! — sudare/mainnet/asset/5d1f.. Az3grlgt..
//! ```
//!
//! The log's own key is named like the log; witnesses add their lines. There are no extension lines. Signatures are plain
//! Ed25519 over the text, which starts with a printable character; what [`NodeKey::sign`](sudare_crypto::NodeKey::sign)
//! signs starts with the length of its domain, and no domain has 33 bytes or more.

use std::io::{self, Read, Write};

use base64ct::{Base64, Encoding};
use borsh::{BorshDeserialize, BorshSerialize};
use sudare_crypto::{Bounded, Hash, NodeId, NodeSignature};

use super::signed_text::SignedText;
use super::{CHECKPOINT_BYTES_MAX, LEAVES_MAX, SignedTextError, SignerName};

/// A checkpoint isn't one, is of another log, or isn't signed as expected.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum CheckpointError {
    /// The signed text around it, or a signature.
    #[error(transparent)]
    SignedText(#[from] SignedTextError),
    /// Not exactly an origin, a size up to [`LEAVES_MAX`] and a root, each in its only spelling.
    #[error("not a checkpoint: origin, size and root in canonical form, one a line and no more")]
    Malformed,
    /// A checkpoint of another log.
    #[error("a checkpoint of {found}, not of {expected}: refuse it")]
    OtherLog {
        /// The log asked about.
        expected: SignerName,
        /// The log it is of.
        found: SignerName,
    },
}

/// A log's size and root.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Checkpoint {
    /// The log.
    pub origin: SignerName,
    /// Its number of leaves, up to [`LEAVES_MAX`].
    pub size: u64,
    /// Its root at that size.
    pub root: Hash,
}

impl Checkpoint {
    /// The text that is signed.
    #[must_use]
    pub fn text(&self) -> String {
        let root = Base64::encode_string(self.root.as_bytes());
        format!("{}\n{}\n{root}\n", self.origin, self.size)
    }

    /// Signs the text with the log's key, named like the log. `sign` gets the bytes to sign as they are
    /// ([`NodeKey::sign_raw`](sudare_crypto::NodeKey::sign_raw)); what it returns is verified.
    ///
    /// # Errors
    ///
    /// [`CheckpointError::Malformed`] if the size is above [`LEAVES_MAX`]; [`SignedTextError::BadSignature`] if the
    /// signature isn't by `key`.
    pub fn sign(
        self,
        key: &NodeId,
        sign: impl FnOnce(&[u8]) -> NodeSignature,
    ) -> Result<SignedCheckpoint, CheckpointError> {
        let signed = SignedText::unsigned(self.text());
        let mut signed = SignedCheckpoint { checkpoint: Self::parse(signed.text())?, signed };
        signed.cosign(self.origin, key, sign)?;
        Ok(signed)
    }

    fn parse(text: &str) -> Result<Self, CheckpointError> {
        let mut lines = text.split('\n');
        let mut line = || lines.next().ok_or(CheckpointError::Malformed);
        let (origin, size, root) = (SignerName::new(line()?)?, line()?, line()?);
        let size = size.parse().map_err(|_| CheckpointError::Malformed)?;
        let mut bytes = [0; 32];
        let length = Base64::decode(root, &mut bytes).map(<[u8]>::len);
        let checkpoint = Self { origin, size, root: Hash(bytes) };
        // Whatever was read too generously (a plus sign, zeros, more lines) shows here.
        if length == Ok(32) && size <= LEAVES_MAX && checkpoint.text() == text {
            Ok(checkpoint)
        } else {
            Err(CheckpointError::Malformed)
        }
    }
}

/// A checkpoint with 1 to 16 signatures, of which some may be by unknown keys; they are kept.
///
/// Its encoding is its text, with its length as u16 before it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct SignedCheckpoint {
    checkpoint: Checkpoint,
    signed: SignedText,
}

impl SignedCheckpoint {
    /// Parses a checkpoint's text with its signatures, but checks none; [`SignedCheckpoint::to_text`] gives the same bytes.
    ///
    /// # Errors
    ///
    /// [`CheckpointError::SignedText`] or [`CheckpointError::Malformed`] for anything but the one spelling of a checkpoint.
    pub fn parse(bytes: &[u8]) -> Result<Self, CheckpointError> {
        let signed = SignedText::parse(bytes)?;
        Ok(Self { checkpoint: Checkpoint::parse(signed.text())?, signed })
    }

    /// The text with its signatures.
    #[must_use]
    pub fn to_text(&self) -> String {
        self.signed.render()
    }

    /// The checkpoint, if it is of this log and signed by the log's key.
    ///
    /// # Errors
    ///
    /// [`CheckpointError::OtherLog`], [`SignedTextError::NotSigned`] or [`SignedTextError::BadSignature`].
    pub fn open(&self, origin: &SignerName, key: &NodeId) -> Result<&Checkpoint, CheckpointError> {
        if self.checkpoint.origin != *origin {
            let found = self.checkpoint.origin.clone();
            return Err(CheckpointError::OtherLog { expected: origin.clone(), found });
        }
        self.signed.verify(origin, key)?;
        Ok(&self.checkpoint)
    }

    /// Checks a witness's signature: that `key`, called `name`, signed.
    ///
    /// # Errors
    ///
    /// [`SignedTextError::NotSigned`] or [`SignedTextError::BadSignature`].
    pub fn verify(&self, name: &SignerName, key: &NodeId) -> Result<(), CheckpointError> {
        Ok(self.signed.verify(name, key)?)
    }

    /// The nodes that co-signed, once every signature line is verified: the log's own apart, each by the node that its name says.
    /// For files that are judged whole, so that no byte of them goes unread; who watches a log ignores what it doesn't know.
    ///
    /// # Errors
    ///
    /// [`SignedTextError::Stranger`] for a name that is no node's of this network, [`SignedTextError::NotSigned`] or
    /// [`SignedTextError::BadSignature`].
    pub fn witnesses(&self) -> Result<Vec<NodeId>, CheckpointError> {
        Ok(self.signed.nodes(&self.checkpoint.origin)?)
    }

    /// Adds a witness's signature. `sign` gets the bytes to sign as they are; what it returns is verified.
    ///
    /// # Errors
    ///
    /// [`SignedTextError::BadSignature`] if the signature isn't by `key`, [`SignedTextError::SignedTwice`],
    /// [`SignedTextError::TooManySignatures`] or [`SignedTextError::TooLong`]; the checkpoint is then as it was.
    pub fn cosign(
        &mut self,
        name: SignerName,
        key: &NodeId,
        sign: impl FnOnce(&[u8]) -> NodeSignature,
    ) -> Result<(), CheckpointError> {
        let signature = sign(self.signed.text().as_bytes());
        Ok(self.signed.attach(name, key, &signature)?)
    }

    /// The checkpoint by nobody's word, to find out which log and size it claims to be of.
    #[must_use]
    pub const fn unverified(&self) -> &Checkpoint {
        &self.checkpoint
    }
}

impl BorshSerialize for SignedCheckpoint {
    fn serialize<W: Write>(&self, writer: &mut W) -> io::Result<()> {
        let text = Bounded::<u8, CHECKPOINT_BYTES_MAX>::new(self.to_text().into_bytes());
        text.map_err(io::Error::other)?.serialize(writer)
    }
}

impl BorshDeserialize for SignedCheckpoint {
    fn deserialize_reader<R: Read>(reader: &mut R) -> io::Result<Self> {
        let text = Bounded::<u8, CHECKPOINT_BYTES_MAX>::deserialize_reader(reader)?;
        Self::parse(&text).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
    }
}

#[cfg(test)]
mod tests {
    use sudare_crypto::{NodeKey, encoding};

    use super::*;
    use crate::tree::LogKind;

    /// Made by an independent implementation of the format and Ed25519.
    const GOLDEN: &str = concat!(
        "sudare/testnet/asset/0707070707070707070707070707070707070707070707070707070707070707\n",
        "20852163\n",
        "CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n",
        "\n",
        "— sudare/testnet/asset/0707070707070707070707070707070707070707070707070707070707070707 ",
        "z6kAI4G4J6cm5Up3xonxTgwTHsorUgxL6NYOi4GEwC8hqQXX1HgJ+2SkcM+4z8PB3t1Lxuo2xbsf/FDrp5ehESX81Qs=\n",
    );

    #[test]
    fn a_signed_checkpoint_has_this_text() {
        assert_eq!(signed().to_text(), GOLDEN);
        let parsed = SignedCheckpoint::parse(GOLDEN.as_bytes()).unwrap();
        assert_eq!(parsed, signed());
        assert_eq!(parsed.open(&origin(), &key().id()), Ok(&checkpoint()));
    }

    #[test]
    fn the_example_of_the_standard_is_a_checkpoint() {
        let example = "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n\n\
            — example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=\n";
        let parsed = SignedCheckpoint::parse(example.as_bytes()).unwrap();
        assert_eq!(parsed.unverified().origin.as_str(), "example.com/behind-the-sofa");
        assert_eq!(parsed.unverified().size, 20_852_163);
        assert_eq!(parsed.to_text(), example);
    }

    #[test]
    fn a_checkpoint_of_another_log_or_by_another_key_is_refused() {
        let other = SignerName::of_log("testnet", LogKind::Notary, &[7; 32]).unwrap();
        let mistaken = CheckpointError::OtherLog { expected: other.clone(), found: origin() };
        assert_eq!(signed().open(&other, &key().id()), Err(mistaken));
        let stranger = NodeKey::from_seed(&[9; 32]);
        let unsigned = Err(SignedTextError::NotSigned { name: origin() }.into());
        assert_eq!(signed().open(&origin(), &stranger.id()), unsigned);
        let refused = checkpoint().sign(&stranger.id(), |text| key().sign_raw(text));
        assert_eq!(refused, Err(SignedTextError::BadSignature { name: origin() }.into()));
    }

    #[test]
    fn a_checkpoint_altered_in_any_bit_never_opens() {
        let text = signed().to_text().into_bytes();
        for bit in 0..text.len() * 8 {
            let mut altered = text.clone();
            altered[bit / 8] ^= 1 << (bit % 8);
            if let Ok(parsed) = SignedCheckpoint::parse(&altered) {
                assert_eq!(parsed.to_text().into_bytes(), altered, "bit {bit}");
                assert!(parsed.open(&origin(), &key().id()).is_err(), "bit {bit}");
            }
        }
    }

    #[test]
    fn every_other_spelling_is_refused() {
        let text = checkpoint().text();
        let root = text.lines().nth(2).unwrap();
        let refused = |text: String, why: &str| {
            assert_eq!(Checkpoint::parse(&text), Err(CheckpointError::Malformed), "{why}");
            // Properly signed: the spelling alone is at fault.
            let mut forged = SignedText::unsigned(text);
            let signature = key().sign_raw(forged.text().as_bytes());
            forged.attach(origin(), &key().id(), &signature).unwrap();
            assert!(SignedCheckpoint::parse(forged.render().as_bytes()).is_err(), "{why}");
        };
        refused(text.replace("\n20852163\n", "\n020852163\n"), "a leading zero");
        refused(text.replace("\n20852163\n", "\n+20852163\n"), "a plus sign");
        refused(text.replace("\n20852163\n", "\n-0\n"), "a minus sign");
        refused(text.replace("\n20852163\n", "\n 20852163\n"), "a space");
        refused(text.replace("\n20852163\n", "\n\n20852163\n"), "an empty line");
        refused(text.replace("\n20852163\n", "\n\n"), "no size");
        refused(text.replace("20852163", "9223372036854775809"), "a size above the limit");
        refused(text.replace("20852163", "18446744073709551616"), "a size above 64 bits");
        refused(text.replace('=', ""), "no padding");
        refused(text.replace('=', "=="), "too much padding");
        refused(text.replace(root, &root.replace("I=", "J=")), "stray bits");
        refused(text.replace(root, &Base64::encode_string(&[1; 31])), "a short root");
        refused(text.replace(root, &Base64::encode_string(&[1; 33])), "a long root");
        refused(format!("{text}\n"), "a newline too many");
        refused(format!("{text}extension\n"), "an extension line");
        refused(text.replace(&format!("{root}\n"), ""), "no root");
        let unnamed = text.replace(origin().as_str(), "a log");
        assert_eq!(Checkpoint::parse(&unnamed), Err(SignedTextError::Name.into()));
    }

    #[test]
    fn witnesses_add_their_signatures_once_and_unknown_ones_are_kept() {
        let mut signed = signed();
        let witness = NodeKey::from_seed(&[2; 32]);
        let name = SignerName::of_node("testnet", &witness.id()).unwrap();
        let missing = Err(SignedTextError::NotSigned { name: name.clone() }.into());
        assert_eq!(signed.verify(&name, &witness.id()), missing);
        signed.cosign(name.clone(), &witness.id(), |text| witness.sign_raw(text)).unwrap();
        let unknown = format!("{}— a-witness-of-another-kind BAAAAAECAw==\n", signed.to_text());
        let parsed = SignedCheckpoint::parse(unknown.as_bytes()).unwrap();
        assert_eq!(parsed.verify(&name, &witness.id()), Ok(()));
        assert!(parsed.open(&origin(), &key().id()).is_ok());
        assert_eq!(parsed.to_text(), unknown);
        let again = signed.cosign(name.clone(), &witness.id(), |text| witness.sign_raw(text));
        assert_eq!(again, Err(SignedTextError::SignedTwice { name }.into()));
    }

    #[test]
    fn a_checkpoint_judged_whole_has_no_line_that_nobody_answers_for() {
        let mut signed = signed();
        assert_eq!(signed.witnesses(), Ok(vec![]));
        let witness = NodeKey::from_seed(&[2; 32]);
        let name = SignerName::of_node("testnet", &witness.id()).unwrap();
        signed.cosign(name, &witness.id(), |text| witness.sign_raw(text)).unwrap();
        assert_eq!(signed.witnesses(), Ok(vec![witness.id()]));
        let text = signed.to_text().into_bytes();
        for bit in 0..text.len() * 8 {
            let mut altered = text.clone();
            altered[bit / 8] ^= 1 << (bit % 8);
            let Ok(parsed) = SignedCheckpoint::parse(&altered) else { continue };
            let opened = parsed.open(&origin(), &key().id());
            assert!(opened.is_err() || parsed.witnesses().is_err(), "bit {bit}");
        }
        for stranger in ["a-witness-of-another-kind", "sudare/mainnet/node/00"] {
            let text = format!("{}— {stranger} BAAAAAECAw==\n", signed.to_text());
            let parsed = SignedCheckpoint::parse(text.as_bytes()).unwrap();
            let name = SignerName::new(stranger).unwrap();
            assert_eq!(parsed.witnesses(), Err(SignedTextError::Stranger { name }.into()));
        }
    }

    #[test]
    fn the_encoding_is_the_text() {
        let bytes = encoding::encode(&signed());
        assert_eq!(bytes[2..], *signed().to_text().as_bytes());
        assert_eq!(encoding::decode(&bytes, "checkpoint"), Ok(signed()));
        let mut altered = bytes;
        *altered.last_mut().unwrap() = b' ';
        assert!(encoding::decode::<SignedCheckpoint>(&altered, "checkpoint").is_err());
    }

    #[test]
    fn a_size_that_no_log_has_is_not_signed() {
        let beyond = Checkpoint { size: LEAVES_MAX + 1, ..checkpoint() };
        let refused = beyond.sign(&key().id(), |text| key().sign_raw(text));
        assert_eq!(refused, Err(CheckpointError::Malformed));
        let empty = Checkpoint { size: 0, root: crate::tree::empty_root(), ..checkpoint() };
        assert!(empty.sign(&key().id(), |text| key().sign_raw(text)).is_ok());
    }

    fn checkpoint() -> Checkpoint {
        let root = "0ac5186a91863e8e1d90c808014aa89bf5da8e3ee1d9f07630f0378f68f1ab62";
        Checkpoint { origin: origin(), size: 20_852_163, root: Hash::from_hex(root).unwrap() }
    }

    fn signed() -> SignedCheckpoint {
        checkpoint().sign(&key().id(), |text| key().sign_raw(text)).unwrap()
    }

    fn origin() -> SignerName {
        SignerName::of_log("testnet", LogKind::Asset, &[7; 32]).unwrap()
    }

    fn key() -> NodeKey {
        NodeKey::from_seed(&[1; 32])
    }
}
