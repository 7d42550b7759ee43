"""Sealed memo sections (specs/sections.md)."""

import codec
import ristretto as group
import symmetric
from codec import bounded, u8

PARTIES, TRADE, LINKS = u8(1), u8(2), u8(3)
NONCE = bytes(12)


def opening(index):
    """The kind of the section that opens output `index`."""
    return u8(0) + u8(index)


class Section:
    """A section's parts. `wraps` are encoded points in the order of the readers."""

    def __init__(self, kind, ephemeral, wraps, key_hash, body):
        self.kind, self.ephemeral, self.wraps, self.key_hash, self.body = kind, ephemeral, wraps, key_hash, body

    def encode(self):
        parts = [self.kind, self.ephemeral, bounded(self.wraps, 72), self.key_hash, bounded(self.body, 4096)]
        return b"".join(parts)


def seal(kind, context, content, readers, m, w):
    """The section for `readers` (encoded public keys), with M = m*B and W = w*B."""
    content_point = group.mul(m, group.BASE)
    ephemeral = group.encode(group.mul(w, group.BASE))
    wraps = [group.encode(group.add(content_point, group.mul(w, group.decode(key)))) for key in readers]
    key = content_key(kind, context, group.encode(content_point))
    body = symmetric.seal(key, NONCE, content, kind + ephemeral + context)
    return Section(kind, ephemeral, wraps, key_hash(key), body)


def unseal(section, context, place, secret):
    """The content for the reader in `place` with `secret`; symmetric.Refused if the section is unreadable."""
    if place >= len(section.wraps):
        raise symmetric.Refused("no wrap in this place")
    wrap, ephemeral = group.decode(section.wraps[place]), group.decode(section.ephemeral)
    content_point = group.sub(wrap, group.mul(secret, ephemeral))
    key = content_key(section.kind, context, group.encode(content_point))
    if key_hash(key) != section.key_hash:
        raise symmetric.Refused("the key is another one")
    return symmetric.open_sealed(key, NONCE, section.body, section.kind + section.ephemeral + context)


def content_key(kind, context, content_point):
    return codec.child(content_point, "section key", kind + context)


def key_hash(key):
    return codec.digest("sudare/section-key/v1", key)
