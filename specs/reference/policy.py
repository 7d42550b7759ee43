"""Asset terms, disclosure keys and epochs (specs/policy.md)."""

from dataclasses import dataclass

import codec
import relations
import ristretto as group
from codec import bounded, text, u8, u32, u64

AMOUNTS, PARTIES, TRADE, LINKS = 1, 2, 4, 8
ALL = AMOUNTS | PARTIES | TRADE | LINKS
VERSION = u8(1)


# What the label of a retired key begins with.
ENDED, COMPROMISED = "-", "!"


@dataclass
class Core:
    network: bytes
    code: str
    name: str
    unit: str
    decimals: int
    registrar: bytes
    notary: bytes
    window_max_ms: int
    nonce: bytes

    def encode(self):
        return b"".join((
            VERSION, self.network, text(self.code, 12), text(self.name, 64), text(self.unit, 16), u8(self.decimals),
            self.registrar, self.notary, u64(self.window_max_ms), self.nonce,
        ))  # fmt: skip

    def asset(self):
        return codec.digest("sudare/asset/v1", self.encode())


@dataclass
class Key:
    """A disclosure key with its secret."""

    label: str
    fields: int
    secret: int
    purpose: bytes
    possession: bytes
    trace: dict

    @property
    def point(self):
        return group.encode(group.mul(self.secret, group.BASE))

    def encode(self):
        return text(self.label, 32) + u8(self.fields) + self.point + self.possession


def derive_key(seed, core, epoch, fields, label, entropy):
    """The key that its holder derives from a 32-byte master seed."""
    purpose = key_purpose(core, epoch, fields, label)
    secret = codec.scalar(seed, "disclosure key", purpose)
    point = group.encode(group.mul(secret, group.BASE))
    on = relations.transcript("sudare/possession/v1", relations.NO_CONTEXT)
    proof, trace = relations.possession(point, purpose).prove(on, [secret], entropy)
    return Key(label, fields, secret, purpose, proof, trace)


def key_purpose(core, epoch, fields, label):
    return core.network + core.asset() + u32(epoch) + u8(fields) + text(label, 32)


def retire(key, core, epoch, mark, entropy):
    """The key as its holder retires it: possessed under its label with a mark before it."""
    label = mark + key.label
    purpose = key_purpose(core, epoch, key.fields, label)
    on = relations.transcript("sudare/possession/v1", relations.NO_CONTEXT)
    proof, trace = relations.possession(key.point, purpose).prove(on, [key.secret], entropy)
    return Key(label, key.fields, key.secret, purpose, proof, trace)


@dataclass
class Epoch:
    number: int
    opens_at: int
    keys: list

    def encode(self):
        return u32(self.number) + u64(self.opens_at) + bounded([key.encode() for key in self.keys], 8)

    def with_field(self, field):
        """The keys that have `field` and are not retired, in order."""
        return [key for key in self.keys if key.fields & field and not key.label.startswith((ENDED, COMPROMISED))]


@dataclass
class Terms:
    core: Core
    number: int
    grace_ms: int
    epochs: list

    def encode(self):
        epochs = bounded([epoch.encode() for epoch in self.epochs], 64)
        return self.core.encode() + u32(self.number) + u64(self.grace_ms) + epochs

    def hash(self):
        return codec.digest("sudare/terms-hash/v1", self.encode())

    def signed(self, seed):
        """encode(SignedTerms), signed with the registrar's node key seed."""
        return self.encode() + codec.sign(seed, "sudare/terms/v1", self.encode())
