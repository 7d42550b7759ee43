//! Signed texts: lines of text and, under them, signature lines, each by a named Ed25519 key.
//!
//! ```text
//! text, any lines, the last one ended by a newline
//!
//! — key-name base64(4-byte key id | signature)
//! ```
//!
//! This is C2SP signed-note v1.0.0 (a note is something else here), narrowed: names are ASCII, and a key signs a text once.
//! Signatures of other keys and kinds are kept as they are.

use base64ct::{Base64, Encoding};
use sha2::{Digest, Sha256};
use sudare_crypto::{BadSignature, NodeId, NodeSignature};

/// The most bytes of a checkpoint with its signatures: room for the most signatures even of post-quantum keys.
pub const CHECKPOINT_BYTES_MAX: usize = 60_000;

/// The most signatures on a checkpoint.
pub const CHECKPOINT_SIGNATURES_MAX: usize = 16;

const NAME_BYTES_MAX: usize = 255;
const NETWORK_BYTES_MAX: usize = 64;
const KEY_ID_BYTES: usize = 4;
/// The signature type of plain Ed25519 over the text.
const ED25519: u8 = 1;

/// A signed text isn't one, or doesn't carry the signature asked for.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum SignedTextError {
    /// More than [`CHECKPOINT_BYTES_MAX`] bytes.
    #[error("a signed text has at most {CHECKPOINT_BYTES_MAX} bytes, this has {bytes}: refuse it")]
    TooLong {
        /// Bytes of it.
        bytes: usize,
    },
    /// Not UTF-8, or no text, blank line and well-formed signature lines.
    #[error("not a signed text: {0}")]
    Malformed(&'static str),
    /// Not a name of a log or key: 1 to 255 printable ASCII characters without space and plus.
    #[error(
        "not a name of a log or key: 1 to 255 printable ASCII characters without space and plus"
    )]
    Name,
    /// More than [`CHECKPOINT_SIGNATURES_MAX`] signatures.
    #[error("a signed text has at most {CHECKPOINT_SIGNATURES_MAX} signatures")]
    TooManySignatures,
    /// Two signatures with the same key name and key id.
    #[error("{name} has signed this text already")]
    SignedTwice {
        /// Name of the key.
        name: SignerName,
    },
    /// No signature by this key under this name.
    #[error(
        "the text is not signed by {name} with the expected key: ask its owner for one that is"
    )]
    NotSigned {
        /// Name of the key.
        name: SignerName,
    },
    /// A signature by nobody that its name tells the key of.
    #[error(
        "{name} signed the text, whose key nobody here knows: take that line out of the file, or refuse it"
    )]
    Stranger {
        /// Name of the key.
        name: SignerName,
    },
    /// The signature by this key doesn't verify.
    #[error("the signature by {name} does not verify: refuse the text")]
    BadSignature {
        /// Name of the key.
        name: SignerName,
    },
}

/// What a log records; part of its name, so that a checkpoint of one log is never one of another.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum LogKind {
    /// A registrar's log of the final legs of one asset.
    Asset,
    /// A notary's log of receipts.
    Notary,
    /// A node's log of who read what.
    Access,
}

/// The name of a log (its checkpoints' origin line) or of a key that signs checkpoints.
#[derive(Clone, Debug, Eq, PartialEq, Ord, PartialOrd)]
pub struct SignerName(String);

impl SignerName {
    /// A name of 1 to 255 printable ASCII characters without space and plus.
    ///
    /// # Errors
    ///
    /// [`SignedTextError::Name`] if it isn't.
    pub fn new(name: impl Into<String>) -> Result<Self, SignedTextError> {
        let name = name.into();
        let fits = (1..=NAME_BYTES_MAX).contains(&name.len());
        if fits && name.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'+') {
            Ok(Self(name))
        } else {
            Err(SignedTextError::Name)
        }
    }

    /// The name of a ledger log, `sudare/<network>/<kind>/<id in hexadecimal>`. The id is the asset's for an asset log, the
    /// node's for others.
    ///
    /// # Errors
    ///
    /// [`SignedTextError::Name`] unless the network is 1 to 64 lower-case letters, digits, dots and hyphens.
    pub fn of_log(network: &str, kind: LogKind, id: &[u8; 32]) -> Result<Self, SignedTextError> {
        let kind = match kind {
            LogKind::Asset => "asset",
            LogKind::Notary => "notary",
            LogKind::Access => "access",
        };
        Self::in_network(network, kind, id)
    }

    /// The name under which a node co-signs checkpoints, `sudare/<network>/node/<id in hexadecimal>`.
    ///
    /// # Errors
    ///
    /// [`SignedTextError::Name`] unless the network is 1 to 64 lower-case letters, digits, dots and hyphens.
    pub fn of_node(network: &str, node: &NodeId) -> Result<Self, SignedTextError> {
        Self::in_network(network, "node", &node.0)
    }

    /// The node of which this is the name in the network of a log with the name `log`; none if it is something else's.
    fn node(&self, log: &Self) -> Option<NodeId> {
        let (network, (_, id)) = (log.0.strip_prefix("sudare/")?, self.0.rsplit_once('/')?);
        let (network, _) = network.split_once('/')?;
        let node = NodeId(sudare_crypto::Hash::from_hex(id)?.0);
        (Self::of_node(network, &node).as_ref() == Ok(self)).then_some(node)
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn in_network(network: &str, kind: &str, id: &[u8; 32]) -> Result<Self, SignedTextError> {
        let plain = |byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'-');
        if !(1..=NETWORK_BYTES_MAX).contains(&network.len()) || !network.bytes().all(plain) {
            return Err(SignedTextError::Name);
        }
        Self::new(format!("sudare/{network}/{kind}/{}", sudare_crypto::Hash(*id)))
    }
}

impl std::fmt::Display for SignerName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// A text with at least one signature line; the text and the signatures are as yet nobody's.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct SignedText {
    text: String,
    signatures: Vec<SignatureLine>,
}

#[derive(Clone, Debug, Eq, PartialEq)]
struct SignatureLine {
    name: SignerName,
    key_id: [u8; KEY_ID_BYTES],
    signature: Vec<u8>,
}

impl SignedText {
    /// A text, to be signed. It must end with a newline and have no control characters but newlines.
    pub(super) const fn unsigned(text: String) -> Self {
        Self { text, signatures: Vec::new() }
    }

    /// Parses a text with 1 to 16 signatures; rendering it gives the same bytes.
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, SignedTextError> {
        if bytes.len() > CHECKPOINT_BYTES_MAX {
            return Err(SignedTextError::TooLong { bytes: bytes.len() });
        }
        let whole =
            str::from_utf8(bytes).map_err(|_| SignedTextError::Malformed("it isn't UTF-8"))?;
        if whole.chars().any(|c| c.is_control() && c != '\n') {
            return Err(SignedTextError::Malformed("it has a control character"));
        }
        let (text, lines) = whole
            .rsplit_once("\n\n")
            .ok_or(SignedTextError::Malformed("no blank line sets signatures apart"))?;
        let lines = lines
            .strip_suffix('\n')
            .ok_or(SignedTextError::Malformed("no signature line ends with a newline"))?;
        let mut parsed = Self::unsigned(format!("{text}\n"));
        for line in lines.split('\n') {
            parsed.add(parse_line(line)?)?;
        }
        Ok(parsed)
    }

    /// The text with its signatures.
    pub(super) fn render(&self) -> String {
        let lines = self.signatures.iter().map(render_line);
        [self.text.as_str(), "\n"].into_iter().map(str::to_owned).chain(lines).collect()
    }

    /// The text that is signed.
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// Adds a signature by `key`, called `name`, if it verifies.
    pub(super) fn attach(
        &mut self,
        name: SignerName,
        key: &NodeId,
        signature: &NodeSignature,
    ) -> Result<(), SignedTextError> {
        if key.verify_raw(self.text.as_bytes(), signature).is_err() {
            return Err(SignedTextError::BadSignature { name });
        }
        let key_id = key_id(&name, key);
        self.add(SignatureLine { name, key_id, signature: signature.0.to_vec() })?;
        let bytes = self.render().len();
        if bytes > CHECKPOINT_BYTES_MAX {
            self.signatures.pop();
            return Err(SignedTextError::TooLong { bytes });
        }
        Ok(())
    }

    /// Checks that `key`, called `name`, signed the text.
    pub(super) fn verify(&self, name: &SignerName, key: &NodeId) -> Result<(), SignedTextError> {
        let key_id = key_id(name, key);
        let line = self.signatures.iter().find(|line| line.name == *name && line.key_id == key_id);
        let line = line.ok_or_else(|| SignedTextError::NotSigned { name: name.clone() })?;
        let signature = line.signature.as_slice().try_into().map_err(|_| BadSignature);
        signature
            .and_then(|bytes| key.verify_raw(self.text.as_bytes(), &NodeSignature(bytes)))
            .map_err(|BadSignature| SignedTextError::BadSignature { name: name.clone() })
    }

    /// The nodes that signed beside the log with the name `log`, whose own signature is not looked at; all of these verify.
    pub(super) fn nodes(&self, log: &SignerName) -> Result<Vec<NodeId>, SignedTextError> {
        let (mut nodes, mut own) = (Vec::new(), false);
        for line in &self.signatures {
            let stranger = || SignedTextError::Stranger { name: line.name.clone() };
            // The log has one key.
            if line.name == *log && !own {
                own = true;
                continue;
            }
            let node = line.name.node(log).ok_or_else(stranger)?;
            self.verify(&line.name, &node)?;
            nodes.push(node);
        }
        Ok(nodes)
    }

    fn add(&mut self, new: SignatureLine) -> Result<(), SignedTextError> {
        if self.signatures.len() >= CHECKPOINT_SIGNATURES_MAX {
            return Err(SignedTextError::TooManySignatures);
        }
        if self.signatures.iter().any(|old| old.name == new.name && old.key_id == new.key_id) {
            return Err(SignedTextError::SignedTwice { name: new.name });
        }
        self.signatures.push(new);
        Ok(())
    }
}

/// `SHA-256(name | newline | type | key)`, its first 4 bytes.
fn key_id(name: &SignerName, key: &NodeId) -> [u8; KEY_ID_BYTES] {
    let state = Sha256::new().chain_update(name.as_str()).chain_update([b'\n', ED25519]);
    let [a, b, c, d, ..] = <[u8; 32]>::from(state.chain_update(key.0).finalize());
    [a, b, c, d]
}

fn parse_line(line: &str) -> Result<SignatureLine, SignedTextError> {
    let (name, encoded) = line
        .strip_prefix("— ")
        .and_then(|rest| rest.split_once(' '))
        .ok_or(SignedTextError::Malformed("a signature line is not dash, name and signature"))?;
    // The decoder refuses other alphabets, missing padding and stray bits, so every signature has one spelling.
    let bytes = Base64::decode_vec(encoded)
        .map_err(|_| SignedTextError::Malformed("a signature is not canonical base64"))?;
    let (key_id, signature) = bytes
        .split_first_chunk()
        .filter(|(_, signature)| !signature.is_empty())
        .ok_or(SignedTextError::Malformed("a signature has no bytes after its key id"))?;
    Ok(SignatureLine {
        name: SignerName::new(name)?,
        key_id: *key_id,
        signature: signature.to_vec(),
    })
}

fn render_line(line: &SignatureLine) -> String {
    let bytes = [line.key_id.as_slice(), &line.signature].concat();
    format!("— {} {}\n", line.name, Base64::encode_string(&bytes))
}

#[cfg(test)]
mod tests {
    use sudare_crypto::NodeKey;

    use super::*;

    /// The example of the Go implementation that the standard describes.
    const GO_TEXT: &str = "If you think cryptography is the answer to your problem,\n\
        then you don't know what your problem is.\n\
        \n\
        — PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";
    const GO_KEY: &str = "ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";

    #[test]
    fn a_signed_text_of_the_reference_implementation_verifies() {
        let key = Base64::decode_vec(GO_KEY).unwrap();
        let key = NodeId(key[1..].try_into().unwrap());
        let name = SignerName::new("PeterNeumann").unwrap();
        assert_eq!(key_id(&name, &key), [0xc7, 0x4f, 0x20, 0xa3]);
        let signed = SignedText::parse(GO_TEXT.as_bytes()).unwrap();
        assert_eq!(signed.verify(&name, &key), Ok(()));
        assert_eq!(signed.render(), GO_TEXT);
        let forged = GO_TEXT.replace("answer", "reason");
        let forged = SignedText::parse(forged.as_bytes()).unwrap();
        assert_eq!(forged.verify(&name, &key), Err(SignedTextError::BadSignature { name }));
    }

    #[test]
    fn a_known_key_with_a_broken_signature_refuses_the_text() {
        let name = SignerName::new("k").unwrap();
        let key = NodeKey::from_seed(&[1; 32]);
        let mut signed = SignedText::unsigned("text\n".to_owned());
        let bad = key.sign_raw(b"other text\n");
        let refused = Err(SignedTextError::BadSignature { name: name.clone() });
        assert_eq!(signed.attach(name.clone(), &key.id(), &bad), refused);
        for signature in [bad.0.to_vec(), vec![7]] {
            let key_id = key_id(&name, &key.id());
            let line = SignatureLine { name: name.clone(), key_id, signature };
            let signed = SignedText { text: "text\n".to_owned(), signatures: vec![line] };
            assert_eq!(signed.verify(&name, &key.id()), refused);
        }
    }

    #[test]
    fn the_last_blank_line_sets_the_signatures_apart() {
        let signed = SignedText::parse("a\n\nb\n\n— k AAAAAAA=\n".as_bytes()).unwrap();
        assert_eq!(signed.text(), "a\n\nb\n");
    }

    #[test]
    fn what_is_no_signed_text_is_refused() {
        for (bytes, why) in [
            ("", "nothing"),
            ("text\n", "no signatures"),
            ("text\n\n", "an empty list of signatures"),
            ("text\n\n\n", "an empty line for a signature"),
            ("text\n— k AAAAAAA=\n", "no blank line"),
            ("text\n\n— k AAAAAAA=", "no newline at the end"),
            ("text\n\n— k AAAAAAA=\n\n", "a newline too many"),
            ("text\n\n— k AAAAAAA=\n— k\n", "no signature"),
            ("text\n\n- k AAAAAAA=\n", "another dash"),
            ("text\n\n—  AAAAAAA=\n", "no name"),
            ("text\n\n— k  AAAAAAA=\n", "two spaces"),
            ("text\n\n— k AAAAAAA= \n", "a space at the end"),
            ("text\n\n— k+k AAAAAAA=\n", "a plus in a name"),
            ("text\n\n— k\u{a0}k AAAAAAA=\n", "a strange space in a name"),
            ("text\n\n— k AAAA\n", "three bytes"),
            ("text\n\n— k AAAAAA==\n", "a key id alone"),
            ("text\n\n— k AAAAAAA\n", "no padding"),
            ("text\n\n— k AAAAAAA==\n", "too much padding"),
            ("text\n\n— k AAAAAAB=\n", "stray bits"),
            ("text\n\n— k AAAAAA_=\n", "another alphabet"),
            ("te\rxt\n\n— k AAAAAAA=\n", "a carriage return"),
            ("te\u{7f}xt\n\n— k AAAAAAA=\n", "a control character"),
            ("text\n\n— k AAAAAAA=\n— k AAAAAAE=\n", "a key that signs twice"),
        ] {
            assert!(SignedText::parse(bytes.as_bytes()).is_err(), "{why}");
        }
        assert!(SignedText::parse(b"te\xffxt\n\n\xe2\x80\x94 k AAAAAAA=\n").is_err());
    }

    #[test]
    fn sixteen_signatures_are_kept_and_seventeen_refused() {
        let line = |i| format!("— witness-{i} AAAAAAA=\n");
        let sixteen = format!("text\n\n{}", (0..16).map(line).collect::<String>());
        assert_eq!(SignedText::parse(sixteen.as_bytes()).unwrap().render(), sixteen);
        let seventeen = sixteen.clone() + &line(16);
        let refused = Err(SignedTextError::TooManySignatures);
        assert_eq!(SignedText::parse(seventeen.as_bytes()), refused);
        let mut signed = SignedText::parse(sixteen.as_bytes()).unwrap();
        let key = NodeKey::from_seed(&[1; 32]);
        let signature = key.sign_raw(b"text\n");
        let name = SignerName::new("k").unwrap();
        assert_eq!(signed.attach(name, &key.id(), &signature).map(drop), refused.map(drop));
        assert_eq!(signed.render(), sixteen);
    }

    #[test]
    fn a_signed_text_stays_within_its_limit() {
        let long = format!("text\n\n— k {}\n", "AAAA".repeat(CHECKPOINT_BYTES_MAX / 4));
        assert!(matches!(SignedText::parse(long.as_bytes()), Err(SignedTextError::TooLong { .. })));
        let text = format!("{}\n", "x".repeat(CHECKPOINT_BYTES_MAX - 50));
        let key = NodeKey::from_seed(&[1; 32]);
        let signature = key.sign_raw(text.as_bytes());
        let mut signed = SignedText::unsigned(text);
        let refused = signed.attach(SignerName::new("k").unwrap(), &key.id(), &signature);
        assert!(matches!(refused, Err(SignedTextError::TooLong { .. })));
        assert!(signed.signatures.is_empty());
    }

    #[test]
    fn names_keep_logs_and_networks_apart() {
        let id = [0x5d; 32];
        let asset = SignerName::of_log("main.net-1", LogKind::Asset, &id).unwrap();
        assert_eq!(asset.as_str(), format!("sudare/main.net-1/asset/{}", "5d".repeat(32)));
        let others = [
            SignerName::of_log("main.net-1", LogKind::Notary, &id),
            SignerName::of_log("main.net-1", LogKind::Access, &id),
            SignerName::of_log("main.net-2", LogKind::Asset, &id),
            SignerName::of_log("main.net-1", LogKind::Asset, &[0x5e; 32]),
            SignerName::of_node("main.net-1", &NodeId(id)),
        ];
        assert!(others.iter().all(|other| *other.as_ref().unwrap() != asset));
        for network in ["", "a/b", "A", "a b", "a\n", "ä", &"a".repeat(65)] {
            assert_eq!(
                SignerName::of_log(network, LogKind::Asset, &id),
                Err(SignedTextError::Name)
            );
        }
        for name in ["", "a b", "a+b", "a\nb", "ä", &"a".repeat(256)] {
            assert_eq!(SignerName::new(name), Err(SignedTextError::Name));
        }
    }
}
