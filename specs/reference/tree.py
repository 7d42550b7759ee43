"""Merkle trees of RFC 6962 over leaf hashes."""

import base64
import hashlib

import ed25519
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


class Unsigned(ValueError):
    """Not a checkpoint as it should be signed."""


def judged_whole(text, name, key):
    """(size, root) of a checkpoint that `key` signed under `name`, with no line but nodes' of the same network; else Unsigned."""
    try:
        body, _, lines = text.decode().rpartition("\n\n")
        origin, size, log_root = body.split("\n")
        size, log_root = int(size), base64.b64decode(log_root, validate=True)
        body = body.encode() + b"\n"
        if origin != name or body != f"{name}\n{size}\n{_base64(log_root)}\n".encode() or len(log_root) != 32:
            raise Unsigned("another log, or another spelling")
        if not lines.endswith("\n"):
            raise Unsigned("cut short")
        signers = []
        for line in lines[:-1].split("\n"):
            dash, signer, encoded = line.split(" ")
            data = base64.b64decode(encoded, validate=True)
            if dash != "—" or _base64(data) != encoded or signer in signers:
                raise Unsigned("another spelling, or signed twice")
            signers.append(signer)
            public = key if signer == name else _node_of(signer, name)
            if data[:4] != key_id(signer, public):
                raise Unsigned("another key")
            ed25519.verify(public, body, data[4:])
    except (ValueError, ed25519.Refused) as error:
        raise Unsigned(str(error)) from error
    if name not in signers:
        raise Unsigned("not signed by the log's key")
    return size, log_root


def _node_of(signer, name):
    prefix = f"sudare/{name.split('/')[1]}/node/"
    if not signer.startswith(prefix):
        raise Unsigned("signed by nobody that its name tells the key of")
    public = bytes.fromhex(signer[len(prefix) :])
    if prefix + public.hex() != signer or len(public) != 32:
        raise Unsigned("not a node's name")
    return public


# --- checking (RFC 9162, 2.1.3.2 and 2.1.4.2) --------------------------------------------------------------------


def inclusion_root(leaf, index, size, path):
    """The root that the path leads to; None if it has not the right length for leaf `index` of `size`."""
    if index >= size:
        return None
    node, last, value = index, size - 1, leaf
    for sibling in path:
        if last == 0:
            return None
        if node & 1 or node == last:
            value = _node(sibling, value)
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        else:
            value = _node(value, sibling)
        node, last = node >> 1, last >> 1
    return value if last == 0 else None


def is_consistent(old, old_root, new, new_root, path):
    """Whether the path shows that the log of `new` leaves begins with the one of `old`, for 0 < old < new."""
    if not 0 < old < new:
        return False
    path = [old_root, *path] if old & (old - 1) == 0 else list(path)
    if not path:
        return False
    node, last = old - 1, new - 1
    while node & 1:
        node, last = node >> 1, last >> 1
    first = second = path[0]
    for sibling in path[1:]:
        if last == 0:
            return False
        if node & 1 or node == last:
            first, second = _node(sibling, first), _node(sibling, second)
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        else:
            second = _node(second, sibling)
        node, last = node >> 1, last >> 1
    return last == 0 and first == old_root and second == new_root
