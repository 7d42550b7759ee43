"""ristretto255 (RFC 9496) and its scalar field in plain integers.

Slow and not constant time: for making and checking test vectors only.

A point is a tuple (X, Y, Z, T) of extended Edwards coordinates; several tuples stand for one group
element, so compare with `equal` or by encoding, never with `==`. A scalar is an int in [0, L).
"""

import hashlib

P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493

D = -121665 * pow(121666, -1, P) % P
SQRT_M1 = pow(2, (P - 1) // 4, P)
# RFC 9496 section 4.1 fixes the signs of these two roots, so they are written out (checked in the self-test).
SQRT_AD_MINUS_ONE = 25063068953384623474111414158702152701244531502492656460079210482610430750235
INVSQRT_A_MINUS_D = 54469307008909316920995813868745141605393597292927456921205312896311721017578
ONE_MINUS_D_SQ = (1 - D * D) % P
D_MINUS_ONE_SQ = (D - 1) ** 2 % P

IDENTITY = (0, 1, 1, 0)


class DecodeError(ValueError):
    """The bytes are not the one canonical encoding of a point or scalar."""


# --- points: encoding -------------------------------------------------------------------------------------------


def decode(data):
    """The point encoded by 32 bytes; DecodeError if there is none. The identity (32 zero bytes) is accepted."""
    if len(data) != 32:
        raise DecodeError("a point takes 32 bytes")
    s = int.from_bytes(data, "little")
    if s >= P or s & 1:
        raise DecodeError("the field element is not canonical or negative")
    ss = s * s % P
    u1 = (1 - ss) % P
    u2 = (1 + ss) % P
    u2_sqr = u2 * u2 % P
    v = (-(D * u1 * u1) - u2_sqr) % P
    was_square, invsqrt = sqrt_ratio_m1(1, v * u2_sqr % P)
    den_x = invsqrt * u2 % P
    den_y = invsqrt * den_x * v % P
    x = absolute(2 * s * den_x % P)
    y = u1 * den_y % P
    t = x * y % P
    if not was_square or is_negative(t) or y == 0:
        raise DecodeError("the field element stands for no point")
    return (x, y, 1, t)


def encode(point):
    """The canonical 32 bytes of a point."""
    x0, y0, z0, t0 = point
    u1 = (z0 + y0) * (z0 - y0) % P
    u2 = x0 * y0 % P
    _, invsqrt = sqrt_ratio_m1(1, u1 * u2 * u2 % P)
    den1 = invsqrt * u1 % P
    den2 = invsqrt * u2 % P
    z_inv = den1 * den2 * t0 % P
    if is_negative(t0 * z_inv % P):
        x, y, den_inv = y0 * SQRT_M1 % P, x0 * SQRT_M1 % P, den1 * INVSQRT_A_MINUS_D % P
    else:
        x, y, den_inv = x0, y0, den2
    if is_negative(x * z_inv % P):
        y = -y % P
    return absolute(den_inv * (z0 - y) % P).to_bytes(32, "little")


def equal(a, b):
    """Whether two tuples stand for the same group element."""
    return (a[0] * b[1] - a[1] * b[0]) % P == 0 or (a[1] * b[1] - a[0] * b[0]) % P == 0


def is_identity(point):
    return equal(point, IDENTITY)


def from_uniform_bytes(data):
    """The one-way map of 64 uniform bytes to the group (RFC 9496 section 4.3.4)."""
    if len(data) != 64:
        raise ValueError("the one-way map takes 64 bytes")
    return add(_map_to_point(data[:32]), _map_to_point(data[32:]))


def _map_to_point(data):
    t = int.from_bytes(data, "little") % 2**255 % P
    r = SQRT_M1 * t * t % P
    u = (r + 1) * ONE_MINUS_D_SQ % P
    v = (-1 - r * D) * (r + D) % P
    was_square, s = sqrt_ratio_m1(u, v)
    c = P - 1
    if not was_square:
        s = -absolute(s * t % P) % P
        c = r
    n = (c * (r - 1) * D_MINUS_ONE_SQ - v) % P
    w0 = 2 * s * v % P
    w1 = n * SQRT_AD_MINUS_ONE % P
    w2 = (1 - s * s) % P
    w3 = (1 + s * s) % P
    return (w0 * w3 % P, w2 * w1 % P, w1 * w3 % P, w0 * w2 % P)


# --- points: arithmetic -----------------------------------------------------------------------------------------


def add(a, b):
    x1, y1, z1, t1 = a
    x2, y2, z2, t2 = b
    m = (y1 - x1) * (y2 - x2) % P
    n = (y1 + x1) * (y2 + x2) % P
    c = 2 * D * t1 * t2 % P
    d = 2 * z1 * z2 % P
    e, f, g, h = n - m, d - c, d + c, n + m
    return (e * f % P, g * h % P, f * g % P, e * h % P)


def double(a):
    x, y, z, _ = a
    m, n = x * x % P, y * y % P
    c = 2 * z * z
    h = m + n
    e = h - (x + y) * (x + y)
    g = m - n
    f = c + g
    e, f, g, h = e % P, f % P, g % P, h % P
    return (e * f % P, g * h % P, f * g % P, e * h % P)


def neg(a):
    return (-a[0] % P, a[1], a[2], -a[3] % P)


def sub(a, b):
    return add(a, neg(b))


def total(points):
    result = IDENTITY
    for point in points:
        result = add(result, point)
    return result


def mul(scalar, point):
    """scalar * point, by a window of four bits."""
    scalar %= L
    table = [IDENTITY, point]
    for _ in range(14):
        table.append(add(table[-1], point))
    result = IDENTITY
    for shift in range(252, -1, -4):
        if result is not IDENTITY:
            result = double(double(double(double(result))))
        digit = scalar >> shift & 15
        if digit:
            result = add(result, table[digit])
    return result


def msm(pairs):
    """The sum of scalar * point over pairs (scalar, point), by buckets (Pippenger)."""
    pairs = [(scalar % L, point) for scalar, point in pairs]
    pairs = [pair for pair in pairs if pair[0]]
    if len(pairs) < 4:
        return total(mul(scalar, point) for scalar, point in pairs)
    width = max(3, len(pairs).bit_length() - 2)
    result = IDENTITY
    for shift in range(252 // width * width, -1, -width):
        for _ in range(width):
            result = double(result)
        buckets = [None] * (1 << width)
        for scalar, point in pairs:
            digit = scalar >> shift & ((1 << width) - 1)
            if digit:
                held = buckets[digit]
                buckets[digit] = point if held is None else add(held, point)
        running = column = IDENTITY
        for held in reversed(buckets[1:]):
            if held is not None:
                running = add(running, held)
            column = add(column, running)
        result = add(result, column)
    return result


# --- scalars ----------------------------------------------------------------------------------------------------


def scalar_decode(data):
    """The scalar encoded by 32 little-endian bytes; DecodeError unless it is below L."""
    if len(data) != 32:
        raise DecodeError("a scalar takes 32 bytes")
    value = int.from_bytes(data, "little")
    if value >= L:
        raise DecodeError("the scalar is not canonical")
    return value


def scalar_encode(value):
    return (value % L).to_bytes(32, "little")


def scalar_wide(data):
    """64 little-endian bytes reduced modulo L."""
    if len(data) != 64:
        raise ValueError("a wide scalar takes 64 bytes")
    return int.from_bytes(data, "little") % L


def scalar_inv(value):
    return pow(value, -1, L)


# --- field ------------------------------------------------------------------------------------------------------


def is_negative(x):
    return x & 1 == 1


def absolute(x):
    return P - x if x & 1 else x


def sqrt_ratio_m1(u, v):
    """(True, sqrt(u/v)) if u/v is square, else (False, sqrt(i*u/v)); the root is never negative."""
    v3 = v * v * v % P
    r = u * v3 * pow(u * v3 * v3 * v % P, (P - 5) // 8, P) % P
    check = v * r * r % P
    correct = check == u % P
    flipped = check == -u % P
    flipped_i = check == -u * SQRT_M1 % P
    if flipped or flipped_i:
        r = r * SQRT_M1 % P
    return correct or flipped, absolute(r)


# --- generators -------------------------------------------------------------------------------------------------

BASE_BYTES = bytes.fromhex("e2f2ae0a6abc4e71a884a961c500515f58e30b6aa582dd8db6a65945e08d2d76")
BASE = decode(BASE_BYTES)
# The blinding generator of Pedersen commitments, as the `bulletproofs` crate chooses it.
BLINDING_BASE = from_uniform_bytes(hashlib.sha3_512(BASE_BYTES).digest())


def commit(value, blinding):
    """value * B + blinding * B~."""
    return add(mul(value, BASE), mul(blinding, BLINDING_BASE))
