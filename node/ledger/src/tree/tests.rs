//! The trees against the known answers of Certificate Transparency and against RFC 6962's definitions, word for word.

use proptest::prelude::*;
use sudare_crypto::{Hash, encoding};

use super::*;
use crate::kv::{Kv, MemoryKv, Pair, StorageError, Tx};

/// The eight leaves of the Certificate Transparency test vectors.
const LEAVES: [&str; 8] = [
    "",
    "00",
    "10",
    "2021",
    "3031",
    "40414243",
    "5051525354555657",
    "606162636465666768696a6b6c6d6e6f",
];

const ROOTS: [&str; 8] = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
];

/// Index, size and path.
const INCLUSIONS: [(u64, u64, &[&str]); 4] = [
    (
        0,
        8,
        &[
            "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
            "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
            "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
        ],
    ),
    (
        5,
        8,
        &[
            "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
            "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
            "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        ],
    ),
    (2, 3, &["fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"]),
    (
        1,
        5,
        &[
            "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
            "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
            "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        ],
    ),
];

/// Old size, new size and path.
const CONSISTENCIES: [(u64, u64, &[&str]); 4] = [
    (1, 1, &[]),
    (
        1,
        8,
        &[
            "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
            "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
            "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
        ],
    ),
    (
        6,
        8,
        &[
            "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
            "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
            "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        ],
    ),
    (
        2,
        5,
        &[
            "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
            "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        ],
    ),
];

const SIZE_MAX: u64 = 70;

#[test]
fn roots_and_proofs_are_those_of_certificate_transparency() {
    let tree = MemoryTree::from_leaves(&known_leaves()).unwrap();
    assert_eq!(
        tree.root(0).unwrap().to_string(),
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    );
    for size in 1..=8 {
        assert_eq!(tree.root(size).unwrap().to_string(), ROOTS[at(size) - 1], "{size} leaves");
    }
    for (index, size, path) in INCLUSIONS {
        let found = tree.inclusion(index, size).unwrap();
        assert_eq!(texts(found.path()), path, "leaf {index} of {size}");
    }
    for (old, new, path) in CONSISTENCIES {
        let found = tree.consistency(old, new).unwrap();
        assert_eq!(texts(found.path()), path, "{old} to {new}");
    }
}

#[test]
fn every_size_agrees_with_the_definition() {
    let leaves = leaves(SIZE_MAX);
    let tree = MemoryTree::from_leaves(&leaves).unwrap();
    for size in 0..=SIZE_MAX {
        let listed = &leaves[..at(size)];
        assert_eq!(tree.root(size).unwrap(), defined::root(listed), "{size} leaves");
        assert_eq!(list_root(listed), defined::root(listed), "{size} leaves");
    }
}

#[test]
fn every_inclusion_proof_agrees_with_the_definition_and_verifies() {
    let leaves = leaves(SIZE_MAX);
    let tree = MemoryTree::from_leaves(&leaves).unwrap();
    for size in 1..=SIZE_MAX {
        let root = tree.root(size).unwrap();
        for index in 0..size {
            let proof = tree.inclusion(index, size).unwrap();
            let listed = &leaves[..at(size)];
            assert_eq!(proof.path(), defined::path(at(index), listed), "{index} of {size}");
            assert_eq!(proof.verify(&leaves[at(index)], index, size, &root), Ok(()));
        }
    }
}

#[test]
fn every_consistency_proof_agrees_with_the_definition_and_verifies() {
    let leaves = leaves(SIZE_MAX);
    let tree = MemoryTree::from_leaves(&leaves).unwrap();
    for new in 0..=SIZE_MAX {
        let new_root = tree.root(new).unwrap();
        for old in 0..=new {
            let proof = tree.consistency(old, new).unwrap();
            let listed = &leaves[..at(new)];
            assert_eq!(proof.path(), defined::proof(at(old), listed), "{old} to {new}");
            let old_root = tree.root(old).unwrap();
            assert_eq!(proof.verify(old, &old_root, new, &new_root), Ok(()), "{old} to {new}");
        }
    }
}

#[test]
fn an_inclusion_proof_holds_for_no_other_leaf_index_or_root() {
    let leaves = leaves(20);
    let tree = MemoryTree::from_leaves(&leaves).unwrap();
    for size in 1..=20 {
        let root = tree.root(size).unwrap();
        for index in 0..size {
            let leaf = &leaves[at(index)];
            let proof = tree.inclusion(index, size).unwrap();
            let other_leaf = leaves[(at(index) + 1) % 20];
            assert_eq!(
                proof.verify(&other_leaf, index, size, &root),
                Err(TreeError::OtherRoot { size })
            );
            for other in (0..=size).filter(|other| *other != index) {
                assert!(proof.verify(leaf, other, size, &root).is_err(), "{index} as {other}");
            }
            let other_root = tree.root(size - 1).unwrap();
            assert_eq!(
                proof.verify(leaf, index, size, &other_root),
                Err(TreeError::OtherRoot { size })
            );
        }
    }
}

#[test]
fn a_consistency_proof_holds_for_no_other_roots() {
    let tree = MemoryTree::from_leaves(&leaves(20)).unwrap();
    for new in 1..=20 {
        for old in 0..=new {
            let proof = tree.consistency(old, new).unwrap();
            let (old_root, new_root) = (tree.root(old).unwrap(), tree.root(new).unwrap());
            let other = leaf_hash(b"no such root");
            let refused = proof.verify(old, &other, new, &new_root);
            assert!(matches!(refused, Err(TreeError::OtherRoot { .. })), "{old} to {new}");
            // Whatever root, it begins with the empty log.
            let expected = if old == 0 { Ok(()) } else { Err(TreeError::OtherRoot { size: new }) };
            assert_eq!(proof.verify(old, &old_root, new, &other), expected, "{old} to {new}");
        }
    }
}

#[test]
fn a_proof_does_not_pass_for_one_of_a_much_larger_tree() {
    let leaves = leaves(20);
    let tree = MemoryTree::from_leaves(&leaves).unwrap();
    for size in 2..=20 {
        let root = tree.root(size).unwrap();
        for old in 1..size {
            let proof = tree.consistency(old, size).unwrap();
            let hashes = proof.path().len();
            let refused = proof.verify(old, &tree.root(old).unwrap(), size << 6, &root);
            assert_eq!(refused, Err(TreeError::ProofLength { hashes }), "{old} to {size}");
            let proof = tree.inclusion(old, size).unwrap();
            let hashes = proof.path().len();
            let refused = proof.verify(&leaves[at(old)], old, size << 6, &root);
            assert_eq!(refused, Err(TreeError::ProofLength { hashes }), "{old} of {size}");
        }
    }
}

#[test]
fn every_changed_missing_or_added_hash_is_refused() {
    let leaves = leaves(20);
    let tree = MemoryTree::from_leaves(&leaves).unwrap();
    for size in 1..=20 {
        let root = tree.root(size).unwrap();
        for index in 0..size {
            for path in damaged(tree.inclusion(index, size).unwrap().path()) {
                let proof = InclusionProof::new(path).unwrap();
                let leaf = &leaves[at(index)];
                assert!(proof.verify(leaf, index, size, &root).is_err(), "{index} of {size}");
            }
        }
        for old in 0..=size {
            let old_root = tree.root(old).unwrap();
            for path in damaged(tree.consistency(old, size).unwrap().path()) {
                let proof = ConsistencyProof::new(path).unwrap();
                assert!(proof.verify(old, &old_root, size, &root).is_err(), "{old} to {size}");
            }
        }
    }
}

#[test]
fn a_log_that_was_rewritten_has_no_consistency_proof() {
    let honest = MemoryTree::from_leaves(&leaves(12)).unwrap();
    let mut forged = leaves(20);
    forged[5] = leaf_hash(b"another leg");
    let forged = MemoryTree::from_leaves(&forged).unwrap();
    let proof = forged.consistency(12, 20).unwrap();
    let (old, new) = (honest.root(12).unwrap(), forged.root(20).unwrap());
    assert_eq!(proof.verify(12, &old, 20, &new), Err(TreeError::OtherRoot { size: 12 }));
}

#[test]
fn an_inner_node_is_no_leaf() {
    let leaves = leaves(4);
    let tree = MemoryTree::from_leaves(&leaves).unwrap();
    let node = node_hash(&leaves[0], &leaves[1]);
    let entry = [leaves[0].0, leaves[1].0].concat();
    assert_ne!(leaf_hash(&entry), node);
    // With the inner node for a leaf the path is a hash too short for the real size.
    let path = tree.inclusion(0, 4).unwrap().path()[1..].to_vec();
    let proof = InclusionProof::new(path).unwrap();
    let root = tree.root(4).unwrap();
    assert_eq!(proof.verify(&node, 0, 4, &root), Err(TreeError::ProofLength { hashes: 1 }));
}

#[test]
fn what_a_tree_does_not_have_is_refused() {
    let tree = MemoryTree::from_leaves(&leaves(5)).unwrap();
    let too_large = TreeError::NoSuchSize { size: 6, largest: 5 };
    assert_eq!(tree.root(6), Err(too_large));
    assert_eq!(tree.inclusion(0, 6), Err(too_large));
    assert_eq!(tree.inclusion(5, 5), Err(TreeError::NoSuchLeaf { index: 5, size: 5 }));
    assert_eq!(tree.inclusion(0, 0), Err(TreeError::NoSuchLeaf { index: 0, size: 0 }));
    assert_eq!(tree.consistency(0, 6), Err(too_large));
    assert_eq!(tree.consistency(4, 3), Err(TreeError::NoSuchSize { size: 4, largest: 3 }));
}

#[test]
fn sizes_and_lengths_beyond_the_limits_are_refused() {
    let leaf = leaf_hash(b"leaf");
    let most = InclusionProof::new(vec![leaf; PROOF_HASHES_MAX]).unwrap();
    let length = TreeError::ProofLength { hashes: 64 };
    assert_eq!(most.root(&leaf, 0, LEAVES_MAX), Err(length));
    let fits = InclusionProof::new(vec![leaf; 63]).unwrap();
    assert!(fits.root(&leaf, LEAVES_MAX - 1, LEAVES_MAX).is_ok());
    let beyond = TreeError::NoSuchSize { size: u64::MAX, largest: LEAVES_MAX };
    assert_eq!(most.root(&leaf, 0, u64::MAX), Err(beyond));
    let consistency = ConsistencyProof::new(vec![leaf; 64]).unwrap();
    assert_eq!(consistency.verify(1, &leaf, u64::MAX, &leaf), Err(beyond));
    assert!(consistency.verify(LEAVES_MAX - 1, &leaf, LEAVES_MAX, &leaf).is_err());
    assert!(InclusionProof::new(vec![leaf; 65]).is_err());
    let too_long = [&[65, 0], [0; 65 * 32].as_slice()].concat();
    assert!(encoding::decode::<InclusionProof>(&too_long, "proof").is_err());
}

#[test]
fn a_stored_log_answers_like_one_in_memory_at_every_size() {
    let (leaves, log) = (leaves(40), LogTree::new(*b"L"));
    let memory = MemoryTree::from_leaves(&leaves).unwrap();
    let mut kv = MemoryKv::default();
    for index in 0..40 {
        let tx = Tx::new(&kv);
        assert_eq!(log.append(&tx, leaves[at(index)]), Ok(index));
        assert_eq!(log.size(&tx), Ok(index + 1));
        let writes = tx.into_writes();
        kv.apply(writes);
    }
    for size in 0..=40 {
        assert_eq!(log.root(&kv, size).unwrap(), memory.root(size).unwrap());
        for index in 0..size {
            let proof = log.inclusion(&kv, index, size).unwrap();
            assert_eq!(proof, memory.inclusion(index, size).unwrap());
        }
        for old in 0..=size {
            let proof = log.consistency(&kv, old, size).unwrap();
            assert_eq!(proof, memory.consistency(old, size).unwrap());
        }
    }
    assert_eq!(log.root(&kv, 41), Err(TreeError::NoSuchSize { size: 41, largest: 40 }.into()));
}

#[test]
fn logs_under_different_prefixes_do_not_touch() {
    let kv = MemoryKv::default();
    let tx = Tx::new(&kv);
    let (one, two) = (LogTree::new(*b"L1"), LogTree::new(*b"L2"));
    for leaf in leaves(9) {
        one.append(&tx, leaf).unwrap();
    }
    assert_eq!(two.append(&tx, leaf_hash(b"only")), Ok(0));
    assert_eq!(two.root(&tx, 1).unwrap(), leaf_hash(b"only"));
    assert_eq!(one.root(&tx, 9).unwrap(), list_root(&leaves(9)));
}

#[test]
fn a_damaged_store_is_reported_as_such() {
    let mut kv = MemoryKv::default();
    let log = LogTree::new(*b"L");
    let tx = Tx::new(&kv);
    for leaf in leaves(3) {
        log.append(&tx, leaf).unwrap();
    }
    let writes = tx.into_writes();
    kv.apply(writes);
    for damage in [None, Some(vec![0; 31])] {
        let mut kv = kv.clone();
        let third_leaf = [b"L\0".as_slice(), &2_u64.to_be_bytes()].concat();
        kv.apply([(third_leaf, damage)].into());
        let damaged = StorageError::Damaged("hash of a log's tree");
        assert_eq!(log.root(&kv, 3), Err(damaged.clone().into()));
        assert_eq!(log.append(&Tx::new(&kv), leaf_hash(b"4")), Err(damaged));
    }
    kv.apply([(b"L\xff".to_vec(), Some(vec![0xff; 8]))].into());
    assert_eq!(log.size(&kv), Err(StorageError::Damaged("size of a log")));
}

#[test]
fn a_log_of_many_leaves_is_read_and_written_a_few_hashes_at_a_time() {
    let log = LogTree::new(*b"L");
    let mut counting = Counting::default();
    for i in 0..5000_u64 {
        let tx = Tx::new(&counting);
        log.append(&tx, leaf_hash(&i.to_le_bytes())).unwrap();
        let writes = tx.into_writes();
        assert!(writes.len() <= 14, "{} writes for leaf {i}", writes.len());
        counting.kv.apply(writes);
    }
    // At most 13 levels, and the row of complete subtrees at the right edge.
    for ask in [0, 1, 2500, 4095, 4096, 4999] {
        counting.reads.set(0);
        log.inclusion(&counting, ask, 5000).unwrap();
        assert!(counting.reads.get() <= 27, "{} reads for leaf {ask}", counting.reads.get());
        counting.reads.set(0);
        log.consistency(&counting, ask, 5000).unwrap();
        assert!(counting.reads.get() <= 27, "{} reads from {ask}", counting.reads.get());
    }
}

proptest! {
    #[test]
    fn proofs_between_any_sizes_verify(sizes in proptest::array::uniform2(0_u64..3000)) {
        let [old, new] = { let mut sizes = sizes; sizes.sort_unstable(); sizes };
        let leaves = leaves(new);
        let tree = MemoryTree::from_leaves(&leaves).unwrap();
        let (old_root, new_root) = (tree.root(old).unwrap(), tree.root(new).unwrap());
        let proof = tree.consistency(old, new).unwrap();
        prop_assert_eq!(proof.verify(old, &old_root, new, &new_root), Ok(()));
        prop_assert_eq!(old_root, list_root(&leaves[..at(old)]));
        prop_assert_eq!(new_root, list_root(&leaves));
        if old < new {
            let proof = tree.inclusion(old, new).unwrap();
            prop_assert_eq!(proof.verify(&leaves[at(old)], old, new, &new_root), Ok(()));
        }
    }
}

/// RFC 6962 sections 2.1, 2.1.1 and 2.1.2 as they are written, slow.
mod defined {
    use super::*;

    pub(super) fn root(leaves: &[Hash]) -> Hash {
        match leaves {
            [] => empty_root(),
            [leaf] => *leaf,
            _ => {
                let (left, right) = leaves.split_at(below(leaves.len()));
                node_hash(&root(left), &root(right))
            }
        }
    }

    pub(super) fn path(index: usize, leaves: &[Hash]) -> Vec<Hash> {
        if leaves.len() < 2 {
            return vec![];
        }
        let k = below(leaves.len());
        let (left, right) = leaves.split_at(k);
        let (mut path, sibling) =
            if index < k { (path(index, left), right) } else { (path(index - k, right), left) };
        path.push(root(sibling));
        path
    }

    pub(super) fn proof(old: usize, leaves: &[Hash]) -> Vec<Hash> {
        if old == 0 { vec![] } else { subproof(old, leaves, true) }
    }

    fn subproof(old: usize, leaves: &[Hash], whole: bool) -> Vec<Hash> {
        if old == leaves.len() {
            return if whole { vec![] } else { vec![root(leaves)] };
        }
        let k = below(leaves.len());
        let (left, right) = leaves.split_at(k);
        let (mut proof, sibling) = if old <= k {
            (subproof(old, left, whole), right)
        } else {
            (subproof(old - k, right, false), left)
        };
        proof.push(root(sibling));
        proof
    }

    /// The largest power of two below `n`.
    fn below(n: usize) -> usize {
        (0..).map(|bit| 1 << bit).take_while(|power| *power < n).last().unwrap()
    }
}

/// A store that counts how often it is read.
#[derive(Default)]
struct Counting {
    kv: MemoryKv,
    reads: std::cell::Cell<usize>,
}

impl Kv for Counting {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StorageError> {
        self.reads.set(self.reads.get() + 1);
        self.kv.get(key)
    }

    fn scan(
        &self,
        prefix: &[u8],
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Vec<Pair>, StorageError> {
        self.kv.scan(prefix, after, limit)
    }
}

fn known_leaves() -> Vec<Hash> {
    let byte = |pair: &[u8]| u8::from_str_radix(str::from_utf8(pair).unwrap(), 16).unwrap();
    let leaf = |hex: &&str| leaf_hash(&hex.as_bytes().chunks(2).map(byte).collect::<Vec<_>>());
    LEAVES.iter().map(leaf).collect()
}

fn leaves(count: u64) -> Vec<Hash> {
    (0..count).map(|i| leaf_hash(&i.to_le_bytes())).collect()
}

fn texts(hashes: &[Hash]) -> Vec<String> {
    hashes.iter().map(Hash::to_string).collect()
}

fn at(number: u64) -> usize {
    usize::try_from(number).unwrap()
}

/// Every path with one bit flipped, one hash taken out or doubled, two neighbours swapped, or a hash added at either end.
fn damaged(path: &[Hash]) -> Vec<Vec<Hash>> {
    let mut all = Vec::new();
    let mut change = |edit: &dyn Fn(&mut Vec<Hash>)| {
        let mut changed = path.to_vec();
        edit(&mut changed);
        if changed != path {
            all.push(changed);
        }
    };
    let count = path.len();
    for at in 0..count {
        (0..256).for_each(|bit| change(&|path| path[at].0[bit / 8] ^= 1 << (bit % 8)));
        change(&|path| _ = path.remove(at));
        change(&|path| path.insert(at, path[at]));
        change(&|path| path.swap(at, (at + 1) % count));
    }
    change(&|path| path.push(leaf_hash(b"one more")));
    change(&|path| path.insert(0, leaf_hash(b"one more")));
    all
}
