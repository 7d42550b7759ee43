"""Merkle trees of RFC 6962 over leaf hashes."""

import base64
import hashlib

from symmetric import sha256


def leaf_hash(data):
    return sha256(b"\0", data)


def root(leaves):
    if not leaves:
        return hashlib.sha256().digest()
    if len(leaves) == 1:
        return leaves[0]
    k = _split(len(leaves))
    return _node(root(leaves[:k]), root(leaves[k:]))


def inclusion(index, leaves):
    """PATH(m, D[n]) of RFC 6962, 2.1.1."""
    if len(leaves) == 1:
        return []
    k = _split(len(leaves))
    if index < k:
        return inclusion(index, leaves[:k]) + [root(leaves[k:])]
    return inclusion(index - k, leaves[k:]) + [root(leaves[:k])]


def consistency(old, leaves):
    """PROOF(m, D[n]) of RFC 6962, 2.1.2, for 0 < old <= n."""
    return _subproof(old, leaves, whole=True)


def _subproof(old, leaves, whole):
    if old == len(leaves):
        return [] if whole else [root(leaves)]
    k = _split(len(leaves))
    if old <= k:
        return _subproof(old, leaves[:k], whole) + [root(leaves[k:])]
    return _subproof(old - k, leaves[k:], whole=False) + [root(leaves[:k])]


def _split(count):
    """The largest power of two below `count`."""
    return 1 << ((count - 1).bit_length() - 1)


def _node(left, right):
    return sha256(b"\1", left, right)


# --- checkpoints (specs/logs.md) --------------------------------------------------------------------------------


def checkpoint(network, kind, identity, size, log_root, signers):
    """The signed text. `signers` are (name, public key, sign) with sign(text) -> signature."""
    body = f"sudare/{network.hex()}/{kind}/{identity.hex()}\n{size}\n{_base64(log_root)}\n"
    return signed_text(body.encode(), signers)


def signed_text(body, signers):
    lines = (f"— {name} {_base64(key_id(name, public) + sign(body))}\n" for name, public, sign in signers)
    return body + b"\n" + "".join(lines).encode()


def key_id(name, public):
    return sha256(name.encode(), b"\n\1", public)[:4]


def _base64(data):
    return base64.b64encode(data).decode()
