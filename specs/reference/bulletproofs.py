"""Aggregated range proofs in the format of the `bulletproofs` crate (versions 4 and 5).

`prove` draws its blinding scalars from a callable that the caller gives, so that a vector can be made again.
"""

import functools
import hashlib

from ristretto import BASE, BLINDING_BASE, L, DecodeError
import ristretto as group

BITS = 64


class Refused(ValueError):
    """The proof is malformed or does not hold."""


@functools.lru_cache(maxsize=None)
def generators(letter, party, count=BITS):
    """The first `count` generators of one party; `letter` is b"G" or b"H"."""
    label = b"GeneratorsChain" + letter + party.to_bytes(4, "little")
    stream = hashlib.shake_256(label).digest(64 * count)
    return [group.from_uniform_bytes(stream[64 * i : 64 * i + 64]) for i in range(count)]


def prove(values, blindings, transcript, draw, bits=BITS):
    """A proof that each value is below 2^bits, as bytes, with the encoded commitments.

    `draw()` gives the next blinding scalar. Order: for each party a, s, the `bits` scalars s_L, the `bits`
    scalars s_R; then, once y and z are known, for each party the blindings of T_1 and of T_2.
    The number of values must be a power of two. A value that is too large gives a proof that is refused.
    """
    parties = len(values)
    if parties == 0 or parties & (parties - 1) or len(blindings) != parties:
        raise ValueError("values and blindings must be equal in number, a power of two")
    size = bits * parties
    g, h = _all_generators(parties, bits)
    commitments = [group.encode(group.commit(v, r)) for v, r in zip(values, blindings, strict=True)]
    _start(transcript, bits, commitments)

    a_left = [value >> i & 1 for value in values for i in range(bits)]
    a_right = [bit - 1 for bit in a_left]
    a_blinding = s_blinding = 0
    s_left, s_right = [], []
    for _ in range(parties):
        a_blinding += draw()
        s_blinding += draw()
        s_left += [draw() for _ in range(bits)]
        s_right += [draw() for _ in range(bits)]
    big_a = group.msm(_pairs(a_left, g) + _pairs(a_right, h) + [(a_blinding, BLINDING_BASE)])
    big_s = group.msm(_pairs(s_left, g) + _pairs(s_right, h) + [(s_blinding, BLINDING_BASE)])
    transcript.append_point(b"A", big_a)
    transcript.append_point(b"S", big_s)
    y = transcript.challenge_scalar(b"y")
    z = transcript.challenge_scalar(b"z")

    powers_y = _powers(y, size)
    shift = _shift(z, parties, bits)
    left_0 = [(a - z) % L for a in a_left]
    left_1 = s_left
    right_0 = [(p * (a + z) + d) % L for p, a, d in zip(powers_y, a_right, shift, strict=True)]
    right_1 = [p * s % L for p, s in zip(powers_y, s_right, strict=True)]
    t_0 = _inner(left_0, right_0)
    t_1 = (_inner(left_0, right_1) + _inner(left_1, right_0)) % L
    t_2 = _inner(left_1, right_1)
    t_1_blinding = t_2_blinding = 0
    for _ in range(parties):
        t_1_blinding += draw()
        t_2_blinding += draw()
    big_t_1 = group.commit(t_1, t_1_blinding)
    big_t_2 = group.commit(t_2, t_2_blinding)
    transcript.append_point(b"T_1", big_t_1)
    transcript.append_point(b"T_2", big_t_2)
    x = transcript.challenge_scalar(b"x")

    t_x = (t_0 + t_1 * x + t_2 * x * x) % L
    t_x_blinding = (t_1_blinding * x + t_2_blinding * x * x) % L
    for j, blinding in enumerate(blindings):
        t_x_blinding = (t_x_blinding + pow(z, 2 + j, L) * blinding) % L
    e_blinding = (a_blinding + s_blinding * x) % L
    transcript.append_scalar(b"t_x", t_x)
    transcript.append_scalar(b"t_x_blinding", t_x_blinding)
    transcript.append_scalar(b"e_blinding", e_blinding)
    w = transcript.challenge_scalar(b"w")

    left = [(c + x * d) % L for c, d in zip(left_0, left_1, strict=True)]
    right = [(c + x * d) % L for c, d in zip(right_0, right_1, strict=True)]
    inverse_y = _powers(group.scalar_inv(y), size)
    h_scaled = [group.mul(f, point) for f, point in zip(inverse_y, h, strict=True)]
    inner = _prove_inner(transcript, group.mul(w, BASE), g, h_scaled, left, right)

    points = b"".join(group.encode(point) for point in (big_a, big_s, big_t_1, big_t_2))
    scalars = b"".join(group.scalar_encode(s) for s in (t_x, t_x_blinding, e_blinding))
    return points + scalars + inner, commitments


def verify(proof, commitments, transcript, bits=BITS):
    """Raises Refused unless `proof` shows that each encoded commitment holds a value below 2^bits.

    The two equations of the Bulletproofs paper are checked one by one, without random weights.
    """
    parties = len(commitments)
    size = bits * parties
    try:
        big_a, big_s, big_t_1, big_t_2, t_x, t_x_blinding, e_blinding, rounds, a, b = _parse(proof)
        values = [group.decode(commitment) for commitment in commitments]
    except DecodeError as error:
        raise Refused(str(error)) from error
    if size != 1 << len(rounds):
        raise Refused("the number of rounds does not fit the number of commitments")

    _start(transcript, bits, commitments)
    transcript.append_point(b"A", big_a)
    transcript.append_point(b"S", big_s)
    y = transcript.challenge_scalar(b"y")
    z = transcript.challenge_scalar(b"z")
    transcript.append_point(b"T_1", big_t_1)
    transcript.append_point(b"T_2", big_t_2)
    x = transcript.challenge_scalar(b"x")
    transcript.append_scalar(b"t_x", t_x)
    transcript.append_scalar(b"t_x_blinding", t_x_blinding)
    transcript.append_scalar(b"e_blinding", e_blinding)
    w = transcript.challenge_scalar(b"w")

    # t(x) is the polynomial that T_1, T_2 and the commitments stand for.
    powers_y = _powers(y, size)
    delta = (z - z * z) * sum(powers_y) - z**3 * (2**bits - 1) * sum(_powers(z, parties))
    polynomial = [(delta - t_x, BASE), (-t_x_blinding, BLINDING_BASE), (x, big_t_1), (x * x, big_t_2)]
    polynomial += [(pow(z, 2 + j, L), value) for j, value in enumerate(values)]
    if not group.is_identity(group.msm(polynomial)):
        raise Refused("t_x does not fit the commitments")

    # l(x) and r(x) are committed in A and S and have the inner product t(x).
    transcript.append_message(b"dom-sep", b"ipp v1")
    transcript.append_u64(b"n", size)
    g, h = _all_generators(parties, bits)
    inverse_y = _powers(group.scalar_inv(y), size)
    shift = _shift(z, parties, bits)
    fold_g, fold_h = [1], [1]
    equation = [(1, big_a), (x, big_s), (-e_blinding, BLINDING_BASE), (w * (t_x - a * b), BASE)]
    for left, right in rounds:
        transcript.append_point(b"L", left)
        transcript.append_point(b"R", right)
        u = transcript.challenge_scalar(b"u")
        u_inv = group.scalar_inv(u)
        equation += [(u * u, left), (u_inv * u_inv, right)]
        # The first round splits by the highest bit of the index, the last by the lowest.
        fold_g = [f * bit % L for f in fold_g for bit in (u_inv, u)]
        fold_h = [f * bit % L for f in fold_h for bit in (u, u_inv)]
    equation += [((-z - a * f), point) for f, point in zip(fold_g, g, strict=True)]
    for f, inverse, d, point in zip(fold_h, inverse_y, shift, h, strict=True):
        equation.append((z + inverse * (d - b * f), point))
    if not group.is_identity(group.msm(equation)):
        raise Refused("the inner product does not hold")


def _start(transcript, bits, commitments):
    transcript.append_message(b"dom-sep", b"rangeproof v1")
    transcript.append_u64(b"n", bits)
    transcript.append_u64(b"m", len(commitments))
    for commitment in commitments:
        transcript.append_message(b"V", commitment)


def _prove_inner(transcript, q, g, h, a, b):
    transcript.append_message(b"dom-sep", b"ipp v1")
    transcript.append_u64(b"n", len(a))
    out = b""
    while len(a) > 1:
        half = len(a) // 2
        a_l, a_r, b_l, b_r = a[:half], a[half:], b[:half], b[half:]
        g_l, g_r, h_l, h_r = g[:half], g[half:], h[:half], h[half:]
        left = group.msm(_pairs(a_l, g_r) + _pairs(b_r, h_l) + [(_inner(a_l, b_r), q)])
        right = group.msm(_pairs(a_r, g_l) + _pairs(b_l, h_r) + [(_inner(a_r, b_l), q)])
        transcript.append_point(b"L", left)
        transcript.append_point(b"R", right)
        out += group.encode(left) + group.encode(right)
        u = transcript.challenge_scalar(b"u")
        u_inv = group.scalar_inv(u)
        a = [(s * u + t * u_inv) % L for s, t in zip(a_l, a_r, strict=True)]
        b = [(s * u_inv + t * u) % L for s, t in zip(b_l, b_r, strict=True)]
        g = [group.msm([(u_inv, s), (u, t)]) for s, t in zip(g_l, g_r, strict=True)]
        h = [group.msm([(u, s), (u_inv, t)]) for s, t in zip(h_l, h_r, strict=True)]
    return out + group.scalar_encode(a[0]) + group.scalar_encode(b[0])


def _parse(proof):
    if len(proof) % 32 or len(proof) < 9 * 32 or len(proof) // 32 % 2 == 0:
        raise DecodeError("the length is not that of a range proof")
    words = [proof[i : i + 32] for i in range(0, len(proof), 32)]
    heads = [_decode_point(word) for word in words[:4]]
    scalars = [group.scalar_decode(word) for word in words[4:7]]
    points = [_decode_point(word) for word in words[7:-2]]
    rounds = list(zip(points[0::2], points[1::2], strict=True))
    return *heads, *scalars, rounds, group.scalar_decode(words[-2]), group.scalar_decode(words[-1])


def _decode_point(data):
    point = group.decode(data)
    if group.is_identity(point):
        raise DecodeError("the identity is no part of a proof")
    return point


def _all_generators(parties, bits):
    g = [point for j in range(parties) for point in generators(b"G", j)[:bits]]
    h = [point for j in range(parties) for point in generators(b"H", j)[:bits]]
    return g, h


def _shift(z, parties, bits):
    return [pow(z, 2 + j, L) * 2**i % L for j in range(parties) for i in range(bits)]


def _pairs(scalars, points):
    return list(zip(scalars, points, strict=True))


def _powers(x, count):
    powers, power = [], 1
    for _ in range(count):
        powers.append(power)
        power = power * x % L
    return powers


def _inner(a, b):
    return sum(s * t for s, t in zip(a, b, strict=True)) % L
