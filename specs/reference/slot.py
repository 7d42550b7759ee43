"""Notes, accounts and receive slots (specs/note.md, specs/slot.md)."""

from dataclasses import dataclass

import codec
import policy
import relations
import ristretto as group
from codec import bounded, u8, u32, u64
from ristretto import BASE, BLINDING_BASE

VERSION = u8(1)


def note_id(asset, owner, commitment):
    return codec.digest("sudare/note/v1", asset + owner + commitment)


def investor_seed(master, pseudonym):
    return codec.child(master, "investor", pseudonym.encode())


def account_secret(seed, asset):
    return codec.scalar(seed, "account key", asset)


@dataclass
class Secrets:
    """What stands behind one slot."""

    a: int
    t: int
    s: int
    u: int
    memo: int

    @classmethod
    def derive(cls, seed, asset, nonce):
        of = lambda purpose: codec.scalar(seed, purpose, asset + nonce)
        purposes = ("slot tag", "slot owner blinding", "slot ephemeral", "slot memo key")
        return cls(account_secret(seed, asset), *map(of, purposes))

    def account(self):
        return group.mul(self.a, BASE)

    def tag(self):
        return group.add(self.account(), group.mul(self.t, relations.TAG_BASE))

    def owner(self):
        return group.add(self.tag(), group.mul(self.s, BLINDING_BASE))


@dataclass
class Context:
    network: bytes
    asset: bytes
    terms: bytes
    epoch: int
    receiver: bytes
    nonce: bytes
    expires_at: int
    proposal: bytes

    def encode(self):
        return b"".join((
            VERSION, self.network, self.asset, self.terms, u32(self.epoch), self.receiver, self.nonce,
            u64(self.expires_at), self.proposal,
        ))  # fmt: skip


@dataclass
class SignedSlot:
    context: Context
    secrets: Secrets
    owner: bytes
    ephemeral: bytes
    identities: list
    memo_key: bytes
    proof: bytes
    trace: dict
    statement: bytes
    signature: bytes = b""

    def slot_bytes(self):
        parts = (self.owner, self.ephemeral, bounded(self.identities, 8), self.memo_key, self.proof)
        return self.context.encode() + b"".join(parts)

    def encode(self):
        return self.slot_bytes() + self.signature

    def hash(self):
        return codec.digest("sudare/slot/v1", self.encode())


def make(context, secrets, epoch, node_seed, entropy):
    """A slot of the custodian whose node key comes from `node_seed`, encrypted to the keys of a policy.Epoch."""
    keys = [key.point for key in epoch.with_field(policy.PARTIES)]
    owner = group.encode(secrets.owner())
    ephemeral = group.encode(group.mul(secrets.u, BASE))
    identities = [group.encode(_encrypt(secrets.account(), secrets.u, key)) for key in keys]
    memo_key = group.encode(group.mul(secrets.memo, BASE))
    relation = relations.owner(owner, ephemeral, identities, keys)
    on = relations.transcript("sudare/slot/v1", context.encode() + memo_key)
    proof, trace = relation.prove(on, [secrets.t, secrets.s, secrets.u], entropy)
    slot = SignedSlot(context, secrets, owner, ephemeral, identities, memo_key, proof, trace, relation.statement)
    slot.signature = codec.sign(node_seed, "sudare/slot-signature/v1", slot.slot_bytes())
    return slot


def account_purpose(network, asset, custodian, investor):
    return u32(17) + b"sudare/account/v1" + network + asset + custodian + codec.text(investor, 35)


def _encrypt(point, randomness, key):
    return group.add(point, group.mul(randomness, group.decode(key)))
