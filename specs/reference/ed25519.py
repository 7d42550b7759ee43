"""Ed25519 signatures (RFC 8032) on the curve arithmetic of `ristretto`."""

import hashlib

import ristretto as group
from ristretto import D, L, P

_Y = 4 * pow(5, -1, P) % P


class Refused(ValueError):
    """The signature or the key is malformed or does not fit the message."""


def public_key(seed):
    scalar, _ = _expand(seed)
    return encode_point(multiply(scalar, BASE_POINT))


def sign(seed, message):
    scalar, prefix = _expand(seed)
    key = encode_point(multiply(scalar, BASE_POINT))
    nonce = _hash(prefix, message) % L
    commitment = encode_point(multiply(nonce, BASE_POINT))
    response = (nonce + _hash(commitment, key, message) * scalar) % L
    return commitment + response.to_bytes(32, "little")


def verify(key, message, signature):
    """Raises Refused unless s*B = R + h*A without the cofactor, with canonical R, A and s, neither of small order."""
    if len(signature) != 64:
        raise Refused("a signature takes 64 bytes")
    response = int.from_bytes(signature[32:], "little")
    if response >= L:
        raise Refused("the response is not canonical")
    a = decode_point(key)
    if any(has_small_order(point) for point in (a, decode_point(signature[:32]))):
        raise Refused("the key or the commitment is of small order")
    h = _hash(signature[:32], key, message) % L
    found = group.add(multiply(response, BASE_POINT), group.neg(multiply(h, a)))
    if encode_point(found) != signature[:32]:
        raise Refused("the signature does not fit")


def secret_scalar(seed):
    return _expand(seed)[0]


def torsion_generator():
    """A point of order 8."""
    for y in range(2, 100):
        try:
            point = multiply(L, decode_point(y.to_bytes(32, "little")))
        except Refused:
            continue
        if encode_point(multiply(4, point)) != encode_point(group.IDENTITY):
            return point
    raise AssertionError("no point found")


def has_small_order(point):
    return encode_point(multiply(8, point)) == encode_point(group.IDENTITY)


def _expand(seed):
    digest = hashlib.sha512(seed).digest()
    scalar = int.from_bytes(digest[:32], "little") & (2**254 - 8) | 2**254
    return scalar, digest[32:]


def _hash(*parts):
    return int.from_bytes(hashlib.sha512(b"".join(parts)).digest(), "little")


def multiply(scalar, point):
    """Unlike `ristretto.mul` this reduces nothing, because a point here may have a cofactor part."""
    result = group.IDENTITY
    for bit in bin(scalar)[2:]:
        result = group.double(result)
        if bit == "1":
            result = group.add(result, point)
    return result


def encode_point(point):
    x, y, z, _ = point
    inverse = pow(z, -1, P)
    return (y * inverse % P | (x * inverse % P & 1) << 255).to_bytes(32, "little")


def decode_point(data):
    number = int.from_bytes(data, "little")
    sign_bit, y = number >> 255, number & (2**255 - 1)
    if len(data) != 32 or y >= P:
        raise Refused("the point is not canonical")
    square, x = group.sqrt_ratio_m1(y * y - 1, D * y * y + 1)
    if not square or (x == 0 and sign_bit):
        raise Refused("the bytes stand for no point")
    if x & 1 != sign_bit:
        x = P - x
    return (x, y, 1, x * y % P)


BASE_POINT = decode_point(_Y.to_bytes(32, "little"))
