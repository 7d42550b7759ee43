"""Certificates of erasures, signed by an institution's node (specs/erasure.md): encodings, and a verifier."""

import codec
import ed25519
from codec import text, u8, u32, u64

VERSION = u8(1)
PREFIX = b"sudare bundle 1\n\7"
DOMAIN = "sudare/erasure/v1"


class Refused(ValueError):
    """The certificate is not what it says."""


def erasure(network, house, row, institution, reason, approval, approved_at, destroyed_at, key, root, items, accounts):
    """encode(Erasure)"""
    head = VERSION + network + house + text(row, 32) + text(institution, 64) + text(reason, 200)
    return head + text(approval, 32) + u64(approved_at) + u64(destroyed_at) + key + u64(root) + u32(items) + u32(accounts)


def signed(body, node):
    """The file: a bundle of kind 7."""
    return PREFIX + body + codec.sign(node.seed, DOMAIN, body)


def verify(data, house_id):
    """Row and key of a certificate by this node."""
    if data[: len(PREFIX)] != PREFIX:
        raise Refused("not a bundle with a certificate")
    body, signature = data[len(PREFIX) : -64], data[-64:]
    reader = codec.Reader(body)
    reader.version(1)
    reader.take(32)
    house = reader.take(32)
    row = reader.text(32)
    reader.text(64)
    reader.text(200)
    approval = reader.text(32)
    approved_at, destroyed_at = reader.number(8), reader.number(8)
    key = reader.take(32)
    reader.take(8 + 4 + 4)
    reader.end()
    if house != house_id:
        raise Refused("by another node")
    try:
        codec.verify(house, DOMAIN, body, signature)
    except ed25519.Refused as error:
        raise Refused("the node did not sign it") from error
    if destroyed_at < approved_at:
        raise Refused("destroyed before that was approved")
    digits = set("0123456789abcdef")
    if any(len(one) != 32 or set(one) - digits for one in (row, approval)):
        raise Refused("no row, or no approval")
    return row, key
