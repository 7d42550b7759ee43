"""Values determined by a label, and changes to bytes."""

import hashlib

import ed25519
import ristretto as group


class Draw:
    """The n-th value is SHA-512(label || n as u64 little endian): 64 bytes, or what they are cut or reduced to."""

    def __init__(self, label):
        self._label = label.encode()
        self._count = 0

    def wide(self):
        self._count += 1
        return hashlib.sha512(self._label + self._count.to_bytes(8, "little")).digest()

    def scalar(self):
        return group.scalar_wide(self.wide())

    def bytes32(self):
        return self.wide()[:32]

    def point(self):
        return group.from_uniform_bytes(self.wide())


class Node:
    """A node with the key of a seed."""

    def __init__(self, name):
        self.seed = Draw(f"node {name}").bytes32()
        self.id = ed25519.public_key(self.seed)


def flip(data, position):
    """`data` with the lowest bit of one byte flipped."""
    changed = bytearray(data)
    changed[position] ^= 1
    return bytes(changed)


def negative(encoding):
    """The other square root: a field element that stands for the same point and is not canonical."""
    return (group.P - int.from_bytes(encoding, "little")).to_bytes(32, "little")


def scalar_hex(value):
    return group.scalar_encode(value).hex()


def point(scalar, base=group.BASE):
    """The encoding of scalar * base."""
    return group.encode(group.mul(scalar, base))


def hexed(value):
    """The value with every byte string in it as hex digits."""
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, dict):
        return {key: hexed(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [hexed(item) for item in value]
    return value
