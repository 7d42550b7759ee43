"""Transactions, commits and what is signed about them (specs/transaction.md, specs/logs.md)."""

from dataclasses import dataclass

import codec
import relations
import symmetric
import tree
from codec import bounded, u8, u32, u64

VERSION = u8(1)


def tag_hash(salt, tag):
    return symmetric.sha256(b"\0", salt, tag)


@dataclass
class Transaction:
    """`legs` are (registrar, root) in order, `tags` the tag hashes."""

    network: bytes
    notary: bytes
    start: int
    end: int
    salt: bytes
    legs: list
    tags: list

    def encode(self):
        head = VERSION + self.network + self.notary + self.window() + self.salt
        return head + self.encoded_legs() + bounded(self.tags, 256)

    def window(self):
        return u64(self.start) + u64(self.end)

    def encoded_legs(self):
        return bounded([registrar + root for registrar, root in self.legs], 4)

    def tags_root(self):
        if self.tags != sorted(set(self.tags)) or not self.tags:
            raise ValueError("tag hashes are sorted, each once, at least one")
        return codec.digest("sudare/tags/v1", u64(len(self.tags)), tree.root(self.tags))

    def legs_root(self):
        return codec.digest("sudare/legs/v1", self.salt, self.encoded_legs())

    def id(self):
        parts = (self.legs_root(), self.tags_root(), self.network, self.notary, self.window())
        return codec.digest("sudare/tx/v1", *parts)

    def approval_message(self, index):
        return self.network + self.id() + u8(index) + self.legs[index][1]


@dataclass
class Commit:
    transaction: Transaction
    salt: bytes
    approvals: list

    def encode(self):
        return self.transaction.encode() + self.salt + bounded(self.approvals, 4)

    def approvals_root(self):
        return codec.digest("sudare/approvals/v1", self.salt, bounded(self.approvals, 4))

    def m(self):
        return codec.digest("sudare/commit/v1", self.transaction.id(), self.approvals_root())


def approve(seed, transaction, index):
    return codec.sign(seed, "sudare/approval/v1", transaction.approval_message(index))


def sign_tag(tag, commit, a, t, entropy):
    """The spend signature under `tag`, which is encoded, on the 32-byte commit m."""
    on = relations.transcript("sudare/spend/v1", relations.NO_CONTEXT)
    return relations.tag_signature(tag, commit).prove(on, [a, t], entropy)


def notary_entry(commit, tags_root, time):
    return VERSION + commit + tags_root + u64(time)


def receipt(seed, network, tx, entry, index):
    """encode(Receipt)."""
    body = tx + entry + u64(index)
    return body + codec.sign(seed, "sudare/receipt/v1", network + body)


def absence(seed, network, tx, size, time):
    """encode(Absence)."""
    body = tx + u64(size) + u64(time)
    return body + codec.sign(seed, "sudare/absence/v1", network + body)


def entry_body(entry):
    """The hash of an encoded Entry."""
    return codec.digest("sudare/entry/v1", entry)


def terms_leaf(number, entry):
    """encode(EntryLeaf) of terms."""
    return u8(0) + u32(number) + entry_body(entry)


def leg_leaf(tx, index, root, entry):
    """encode(EntryLeaf) of a final leg."""
    return u8(1) + tx + u8(index) + root + entry_body(entry)


def final_leg(leg, salt, index, commit, encoded_receipt, tag_salts, signatures):
    """encode(FinalLeg)."""
    tail = encoded_receipt + bounded(tag_salts, 32) + bounded(signatures, 32)
    return leg.encode() + salt + u8(index) + commit.encode() + tail
