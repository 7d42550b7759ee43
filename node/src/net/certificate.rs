//! Certificates of the network root and of nodes, and the files that hold them and their keys (all DER).
//!
//! A node's certificate binds its node key to the name `NAME.sudare`. It says nothing about role or address: those are in the
//! membership list.

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyUsagePurpose, PublicKeyData, SerialNumber, SigningKey,
};
use rustls::pki_types::CertificateDer;
use sudare_crypto::{Hash, NodeId, NodeKey};
use x509_parser::extensions::GeneralName;
use x509_parser::parse_x509_certificate;
use zeroize::Zeroizing;

use crate::membership::MemberName;

/// The DNS suffix of all node names.
pub const SUFFIX: &str = ".sudare";

const FILE_BYTES_MAX: u64 = 16 * 1024;
// 9999-12-31T23:59:59Z, the last time that a certificate can name.
const LAST_MS: u64 = 253_402_300_799_000;
// The fixed DER in front of an Ed25519 public key and in front of a PKCS#8 seed (RFC 8410).
const SPKI_PREFIX: [u8; 12] = *b"\x30\x2a\x30\x05\x06\x03\x2b\x65\x70\x03\x21\x00";
const PKCS8_V1_PREFIX: [u8; 16] =
    *b"\x30\x2e\x02\x01\x00\x30\x05\x06\x03\x2b\x65\x70\x04\x22\x04\x20";

/// When a certificate is valid, in milliseconds since the Unix epoch, both ends included.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Validity {
    /// From.
    pub from: u64,
    /// Until.
    pub until: u64,
}

/// Makes the network root's certificate: `key` signs node certificates and membership lists of `network`.
///
/// # Errors
///
/// [`CertificateError::Validity`] or [`CertificateError::Making`].
pub fn create_root(
    key: &NodeKey,
    network: &Hash,
    validity: Validity,
) -> Result<CertificateDer<'static>, CertificateError> {
    let mut params = root_params(network);
    set_validity(&mut params, validity)?;
    Ok(params.self_signed(&Rooted::new(key))?.der().clone())
}

/// Issues the certificate of the node `name` with the node key `id`, signed by the root's `key` of `network`.
///
/// # Errors
///
/// [`CertificateError::Validity`] or [`CertificateError::Making`].
pub fn issue(
    root: &NodeKey,
    network: &Hash,
    name: &MemberName,
    id: &NodeId,
    validity: Validity,
) -> Result<CertificateDer<'static>, CertificateError> {
    let mut params = CertificateParams::new(vec![dns_name(name)])?;
    params.distinguished_name = common_name(name.as_str().to_owned());
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages =
        vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
    params.use_authority_key_identifier_extension = true;
    let (from, until) = (validity.from.to_le_bytes(), validity.until.to_le_bytes());
    let serial = Hash::of(b"sudare/serial/v1", &[name.as_str().as_bytes(), &id.0, &from, &until]);
    params.serial_number =
        serial.as_bytes().first_chunk::<16>().map(|s| SerialNumber::from_slice(s));
    set_validity(&mut params, validity)?;
    let issuer = Issuer::new(root_params(network), Rooted::new(root));
    Ok(params.signed_by(&Public(*id), &issuer)?.der().clone())
}

/// The server name of the node `name`.
#[must_use]
pub fn dns_name(name: &MemberName) -> String {
    format!("{name}{SUFFIX}")
}

/// The name and node key that a node's certificate binds. Does not check who signed it.
///
/// # Errors
///
/// [`CertificateError::NotANode`] unless it has an Ed25519 key and exactly one alternative name, `NAME.sudare`.
pub fn subject(certificate: &[u8]) -> Result<(MemberName, NodeId), CertificateError> {
    let bad = CertificateError::NotANode;
    let (_, parsed) = parse_x509_certificate(certificate).map_err(|_| bad("not X.509"))?;
    let names = parsed.subject_alternative_name().ok().flatten().ok_or(bad("no name"))?;
    let [GeneralName::DNSName(dns)] = names.value.general_names.as_slice() else {
        return Err(bad("not exactly one DNS name"));
    };
    let name = dns.strip_suffix(SUFFIX).and_then(|label| MemberName::new(label).ok());
    Ok((name.ok_or(bad("its name is not NAME.sudare"))?, public_key(certificate)?))
}

/// The Ed25519 key of a certificate; of the root's certificate it is the key that signs the membership list.
///
/// # Errors
///
/// [`CertificateError::NotANode`] if there is none.
pub fn public_key(certificate: &[u8]) -> Result<NodeId, CertificateError> {
    let bad = CertificateError::NotANode;
    let (rest, parsed) = parse_x509_certificate(certificate).map_err(|_| bad("not X.509"))?;
    let key = parsed.tbs_certificate.subject_pki.raw.strip_prefix(&SPKI_PREFIX);
    let key = key.and_then(|key| <[u8; 32]>::try_from(key).ok());
    if rest.is_empty() {
        key.map(NodeId).ok_or(bad("its key is not Ed25519"))
    } else {
        Err(bad("not X.509"))
    }
}

/// The X.509 form of a node key.
pub(super) fn subject_public_key_info(id: &NodeId) -> Vec<u8> {
    [SPKI_PREFIX.as_slice(), &id.0].concat()
}

/// Writes `key` to a new file that only its owner can read (PKCS#8 DER, mode 0600).
///
/// # Errors
///
/// [`CertificateError::File`], also if the file exists.
pub fn write_key(path: &Path, key: &NodeKey) -> Result<(), CertificateError> {
    write_new(path, 0o600, &plain_form(key))
}

/// Reads a key file; refuses one that others than its owner may read.
///
/// # Errors
///
/// [`CertificateError::File`], [`CertificateError::Exposed`], [`CertificateError::NotAKey`].
pub fn read_key(path: &Path) -> Result<NodeKey, CertificateError> {
    let failed = |source| CertificateError::File { path: path.to_owned(), source };
    let file = File::open(path).map_err(failed)?;
    let mode = file.metadata().map_err(failed)?.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(CertificateError::Exposed { path: path.to_owned(), mode });
    }
    // Room for any key file, so that no copy of the key is left behind by growing.
    let mut der = Zeroizing::new(Vec::with_capacity(256));
    file.take(256).read_to_end(&mut der).map_err(failed)?;
    let seed = der.get(PKCS8_V1_PREFIX.len()..).and_then(|rest| rest.first_chunk::<32>());
    let key = NodeKey::from_seed(seed.ok_or_else(|| CertificateError::NotAKey(path.to_owned()))?);
    if *der == *plain_form(&key) || *der == *key.pkcs8_der() {
        return Ok(key);
    }
    Err(CertificateError::NotAKey(path.to_owned()))
}

/// Writes a certificate to a new file.
///
/// # Errors
///
/// [`CertificateError::File`], also if the file exists.
pub fn write_certificate(
    path: &Path,
    certificate: &CertificateDer<'_>,
) -> Result<(), CertificateError> {
    write_new(path, 0o644, certificate)
}

/// Reads a certificate file.
///
/// # Errors
///
/// [`CertificateError::File`], or [`CertificateError::NotANode`] if it is no certificate with an Ed25519 key.
pub fn read_certificate(path: &Path) -> Result<CertificateDer<'static>, CertificateError> {
    let failed = |source| CertificateError::File { path: path.to_owned(), source };
    let mut der = Vec::new();
    let file = File::open(path).map_err(failed)?;
    file.take(FILE_BYTES_MAX).read_to_end(&mut der).map_err(failed)?;
    public_key(&der)?;
    Ok(der.into())
}

/// PKCS#8 version 1, the form that every tool reads: without the public key, which some refuse.
fn plain_form(key: &NodeKey) -> Zeroizing<Vec<u8>> {
    let der = key.pkcs8_der();
    // Both versions have the seed at the same place.
    let seed = der.iter().skip(PKCS8_V1_PREFIX.len()).take(32);
    Zeroizing::new(PKCS8_V1_PREFIX.iter().chain(seed).copied().collect())
}

fn write_new(path: &Path, mode: u32, bytes: &[u8]) -> Result<(), CertificateError> {
    let write = || {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(path)?;
        file.write_all(bytes)?;
        file.sync_all()
    };
    write().map_err(|source| CertificateError::File { path: path.to_owned(), source })
}

/// The root's parameters follow from the network, so that a certificate can be issued from its key alone.
fn root_params(network: &Hash) -> CertificateParams {
    let mut params = CertificateParams::default();
    let short: String = network.to_string().chars().take(16).collect();
    params.distinguished_name = common_name(format!("sudare network {short}"));
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    params
}

fn common_name(name: String) -> DistinguishedName {
    let mut distinguished = DistinguishedName::new();
    distinguished.push(DnType::CommonName, name);
    distinguished
}

fn set_validity(params: &mut CertificateParams, at: Validity) -> Result<(), CertificateError> {
    if at.from > at.until || at.until > LAST_MS {
        return Err(CertificateError::Validity(at));
    }
    let epoch = rcgen::date_time_ymd(1970, 1, 1);
    params.not_before = epoch + Duration::from_millis(at.from);
    params.not_after = epoch + Duration::from_millis(at.until);
    Ok(())
}

/// A public key as rcgen wants it.
struct Public(NodeId);

impl PublicKeyData for Public {
    fn der_bytes(&self) -> &[u8] {
        &self.0.0
    }

    fn algorithm(&self) -> &'static rcgen::SignatureAlgorithm {
        &rcgen::PKCS_ED25519
    }
}

/// The root's key as rcgen wants it.
struct Rooted<'a> {
    key: &'a NodeKey,
    public: Public,
}

impl<'a> Rooted<'a> {
    fn new(key: &'a NodeKey) -> Self {
        Self { key, public: Public(key.id()) }
    }
}

impl PublicKeyData for Rooted<'_> {
    fn der_bytes(&self) -> &[u8] {
        self.public.der_bytes()
    }

    fn algorithm(&self) -> &'static rcgen::SignatureAlgorithm {
        self.public.algorithm()
    }
}

impl SigningKey for Rooted<'_> {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, rcgen::Error> {
        Ok(self.key.sign_raw(message).0.to_vec())
    }
}

/// A certificate or key can't be made, read or written.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    /// The operating system refused.
    #[error("{}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Others than its owner can read a key file.
    #[error("{} can be read by others (mode {mode:o}): run chmod 600 {0}; if others may have read it, make a new key", path.display())]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// Not a key file.
    #[error("{} is not an Ed25519 key in PKCS#8 DER", .0.display())]
    NotAKey(PathBuf),
    /// Not a certificate of this network's form.
    #[error("not a node's certificate: {0}")]
    NotANode(&'static str),
    /// The certificate is of another key.
    #[error(
        "the certificate of {name} is for the node key {certificate}, but the key file holds {key}"
    )]
    OtherKey {
        /// The name in the certificate.
        name: MemberName,
        /// The key in the certificate.
        certificate: NodeId,
        /// The key in the key file.
        key: NodeId,
    },
    /// Ends before it begins, or lies beyond the year 9999.
    #[error("no certificate can be valid from {} ms until {} ms", .0.from, .0.until)]
    Validity(Validity),
    /// The certificate could not be encoded.
    #[error("the certificate could not be made: {0}")]
    Making(#[from] rcgen::Error),
}

#[cfg(test)]
mod tests {
    use super::*;

    const NETWORK: Hash = Hash([9; 32]);
    const ALWAYS: Validity = Validity { from: 0, until: LAST_MS };

    #[test]
    fn a_certificate_binds_name_and_key() {
        let (root, node) = (NodeKey::from_seed(&[1; 32]), NodeKey::from_seed(&[2; 32]));
        let name = MemberName::new("bank-a").unwrap();
        let certificate = issue(&root, &NETWORK, &name, &node.id(), ALWAYS).unwrap();
        assert_eq!(subject(&certificate).unwrap(), (name, node.id()));
        let root_certificate = create_root(&root, &NETWORK, ALWAYS).unwrap();
        assert_eq!(public_key(&root_certificate).unwrap(), root.id());
        assert!(matches!(subject(&root_certificate), Err(CertificateError::NotANode(_))));
    }

    #[test]
    fn a_validity_that_is_empty_or_unwritable_is_refused() {
        let root = NodeKey::from_seed(&[1; 32]);
        for validity in [Validity { from: 2, until: 1 }, Validity { from: 0, until: LAST_MS + 1 }] {
            let made = create_root(&root, &NETWORK, validity);
            assert!(matches!(made, Err(CertificateError::Validity(_))));
        }
    }

    #[test]
    fn files_round_trip_and_are_never_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let (key_file, file) = (folder.path().join("node.key"), folder.path().join("node.crt"));
        let key = NodeKey::from_seed(&[2; 32]);
        write_key(&key_file, &key).unwrap();
        assert_eq!(read_key(&key_file).unwrap().id(), key.id());
        let plain = [PKCS8_V1_PREFIX.as_slice(), &[2; 32]].concat();
        assert_eq!(std::fs::read(&key_file).unwrap(), plain);
        assert_eq!(std::fs::metadata(&key_file).unwrap().permissions().mode() & 0o777, 0o600);
        let again = write_key(&key_file, &key);
        assert!(matches!(again, Err(CertificateError::File { .. })));
        let certificate = create_root(&key, &NETWORK, ALWAYS).unwrap();
        write_certificate(&file, &certificate).unwrap();
        assert_eq!(read_certificate(&file).unwrap(), certificate);
    }

    #[test]
    fn a_key_file_that_others_can_read_is_refused_with_the_remedy() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("node.key");
        write_key(&file, &NodeKey::from_seed(&[2; 32])).unwrap();
        for mode in [0o640, 0o604, 0o660, 0o610] {
            std::fs::set_permissions(&file, PermissionsExt::from_mode(mode)).unwrap();
            let error = read_key(&file).unwrap_err();
            assert!(error.to_string().contains("chmod 600"), "{error}");
        }
    }

    #[test]
    fn a_key_file_of_another_form_is_refused_and_the_plain_pkcs8_form_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let key = NodeKey::from_seed(&[2; 32]);
        let good = key.pkcs8_der().to_vec();
        let mut other_public = good.clone();
        *other_public.last_mut().unwrap() ^= 1;
        let plain = [PKCS8_V1_PREFIX.as_slice(), &[2; 32]].concat();
        let cases = [
            (plain.clone(), true),
            (good.clone(), true),
            (Vec::new(), false),
            (good[..good.len() - 1].to_vec(), false),
            ([plain.as_slice(), &[0]].concat(), false),
            (other_public, good.len() == 48),
        ];
        for (i, (bytes, accepted)) in cases.into_iter().enumerate() {
            let file = folder.path().join(i.to_string());
            write_new(&file, 0o600, &bytes).unwrap();
            assert_eq!(read_key(&file).is_ok(), accepted, "case {i}");
        }
    }
}
