"""The relations of specs/proofs.md. Public points are given as their 32 bytes."""

import hashlib
from dataclasses import dataclass

import bulletproofs
import linear
import merlin
import ristretto as group
from codec import u32, u64, vec
from ristretto import BASE, BLINDING_BASE, L

# The generator of spend tags.
TAG_BASE = group.from_uniform_bytes(hashlib.sha512(b"sudare/generator/G/v1").digest())
NO_CONTEXT = b""


def transcript(protocol, context):
    """`new(protocol, context)` of specs/transcript.md."""
    fresh = merlin.Transcript(protocol.encode())
    fresh.append_message(b"context", context)
    return fresh


@dataclass
class Relation:
    """A statement and its rows; a row is (terms, target), a term (variable, base)."""

    name: str
    statement: bytes
    variables: int
    own: list
    merged: list

    def prove(self, on, witness, entropy):
        """(proof, trace). `witness` are the variables in order, `entropy` 32 bytes."""
        return linear.prove(on, self.name.encode(), self.statement, self.own, self.merged, witness, entropy)

    def verify(self, on, proof):
        return linear.verify(
            on, self.name.encode(), self.statement, self.own, self.merged, self.variables, proof
        )


def owner(o, u, identities, keys):
    """OWN. Variables t, s, u."""
    _same_length(identities, keys)
    f, k = _points(identities), _points(keys)
    own = [
        ([(2, BASE)], group.decode(u)),
        ([(0, TAG_BASE), (1, BLINDING_BASE), (2, group.neg(k[0]))], group.sub(group.decode(o), f[0])),
    ]
    merged = [([(2, group.sub(k[j], k[0]))], group.sub(f[j], f[0])) for j in range(1, len(k))]
    return Relation("sudare/proof/owner/v1", o + u + vec(identities) + vec(keys), 3, own, merged)


def amount(outputs, keys):
    """AMT over outputs (C, R, [E_j]). Variables v_0, r_0, v_1, r_1, .."""
    statement = vec([c + r + vec(e) for c, r, e in outputs]) + vec(keys)
    k, own, merged = _points(keys), [], []
    for i, (c, r, amounts) in enumerate(outputs):
        _same_length(amounts, keys)
        commitment = group.decode(c)
        own.append(([(2 * i, BASE), (2 * i + 1, BLINDING_BASE)], commitment))
        own.append(([(2 * i + 1, BASE)], group.decode(r)))
        for key, e in zip(k, _points(amounts), strict=True):
            merged.append(([(2 * i + 1, group.sub(key, BLINDING_BASE))], group.sub(e, commitment)))
    return Relation("sudare/proof/amount/v1", statement, 2 * len(outputs), own, merged)


def spend(inputs, keys):
    """SPD over inputs (T, U', [F'_j]). Variables a_0, t_0, u'_0, a_1, .."""
    statement = vec([tag + u + vec(f) for tag, u, f in inputs]) + vec(keys)
    k, own, merged = _points(keys), [], []
    for i, (tag, u, identities) in enumerate(inputs):
        _same_length(identities, keys)
        a, t, fresh = 3 * i, 3 * i + 1, 3 * i + 2
        f = _points(identities)
        own.append(([(a, BASE), (t, TAG_BASE)], group.decode(tag)))
        own.append(([(fresh, BASE)], group.decode(u)))
        own.append(([(a, BASE), (fresh, k[0])], f[0]))
        merged += [([(fresh, group.sub(k[j], k[0]))], group.sub(f[j], f[0])) for j in range(1, len(k))]
    return Relation("sudare/proof/spend/v1", statement, 3 * len(inputs), own, merged)


def balance(inputs, outputs, mint, burn):
    """BAL. Variable e."""
    target = group.sub(group.total(_points(inputs)), group.total(_points(outputs)))
    target = group.add(target, group.mul(mint - burn, BASE))
    rows = [([(0, BLINDING_BASE)], target)]
    return Relation("sudare/proof/balance/v1", balance_statement(inputs, outputs, mint, burn), 1, rows, [])


def balance_statement(inputs, outputs, mint, burn):
    return vec(inputs) + vec(outputs) + u64(mint) + u64(burn)


def links(on, items):
    """LNK over items (O, C, T, C'), begun on the transcript `on`: (relation, rho). Variable e."""
    statement = vec([b"".join(item) for item in items])
    on.append_message(b"links", statement)
    rho = on.challenge_scalar(b"rho-links")
    differences = []
    for o, c, tag, blinded in (_points(item) for item in items):
        differences += [group.sub(o, tag), group.sub(blinded, c)]
    target = group.msm([(pow(rho, power, L), point) for power, point in enumerate(differences)])
    return Relation("sudare/proof/links/v1", statement, 1, [([(0, BLINDING_BASE)], target)], []), rho


def holder(on, account, owners):
    """HLD over O_i, begun on the transcript `on`: (relation, rho). Variables t, s."""
    if not owners:
        raise linear.Refused("no notes")
    statement = account + vec(owners)
    on.append_message(b"owners", statement)
    rho = on.challenge_scalar(b"rho-owners")
    whose = group.decode(account)
    target = group.msm([(pow(rho, i, L), group.sub(o, whose)) for i, o in enumerate(_points(owners))])
    rows = [([(0, TAG_BASE), (1, BLINDING_BASE)], target)]
    return Relation("sudare/proof/holder/v1", statement, 2, rows, []), rho


def holder_witness(rho, tags, blindings):
    """The variables of HLD from t and s of each note."""
    return [sum(pow(rho, i, L) * x for i, x in enumerate(part)) % L for part in (tags, blindings)]


def locator(key, base, shared):
    """LOC. Variable y."""
    rows = [([(0, BASE)], group.decode(key)), ([(0, group.decode(base))], group.decode(shared))]
    return Relation("sudare/proof/locator/v1", key + base + shared, 1, rows, [])


def equality(left, right, masked):
    """EQL of masked (Z, M, W). Variables z, m, n."""
    (l, r), (mask, product, difference) = _points([left, right]), _points(masked)
    own = [
        ([(0, BLINDING_BASE)], mask),
        ([(0, r)], product),
        ([(1, BASE), (2, BLINDING_BASE)], product),
        ([(0, l), (1, group.neg(BASE))], difference),
    ]
    return Relation("sudare/proof/equality/v1", left + right + b"".join(masked), 3, own, [])


def holdings(on, locators, lines, total, supply):
    """HDG over lines (A, S, C, q), begun on the transcript `on`: (relation, rho). Variables x, e."""
    if not lines:
        raise linear.Refused("no holdings")
    held = [account + shared + commitment + u64(quantity) for account, shared, commitment, quantity in lines]
    statement = locators + vec(held) + total + u64(supply)
    on.append_message(b"holdings", statement)
    rho = on.challenge_scalar(b"rho-holdings")
    summed = lambda points: group.msm([(pow(rho, i, L), point) for i, point in enumerate(_points(points))])
    accounts, shared = summed([line[0] for line in lines]), summed([line[1] for line in lines])
    clear = sum(pow(rho, i, L) * q for i, q in enumerate([*(line[3] for line in lines), supply])) % L
    amounts = group.sub(summed([*(line[2] for line in lines), total]), group.mul(clear, BASE))
    rows = [([(0, BASE)], group.decode(locators)), ([(0, accounts)], shared), ([(1, BLINDING_BASE)], amounts)]
    return Relation("sudare/proof/holdings/v1", statement, 2, rows, []), rho


def holdings_witness(rho, x, blindings):
    """The variables of HDG from x and the blinding of each commitment, the sum's last."""
    return [x, sum(pow(rho, i, L) * r for i, r in enumerate(blindings)) % L]


def links_witness(rho, openings):
    """The variable e of LNK from (s, d) of each item."""
    flat = [x for opening in openings for x in opening]
    return [sum(pow(rho, power, L) * x for power, x in enumerate(flat)) % L]


STATEMENTS = ("AtLeast", "AtMost", "Between", "Share", "Differ")


def statement(kind, numbers, left, right, limbs):
    """STM over totals (commitments, clear). One variable e a difference."""
    data = bytes([STATEMENTS.index(kind)]) + b"".join((u32 if kind == "Share" else u64)(n) for n in numbers)
    data += b"".join(vec(points) + u64(clear) for points, clear in (left, right)) + vec(limbs)
    if kind == "Between" and numbers[0] > numbers[1] or kind == "Share" and not 0 < numbers[0] <= numbers[1]:
        raise linear.Refused("the numbers make no statement")
    # (weight of the left total, of the right, constant)
    weights = {
        "AtLeast": lambda bound: [(1, -1, -bound)],
        "AtMost": lambda bound: [(-1, 1, bound)],
        "Between": lambda low, high: [(1, -1, -low), (-1, 1, high)],
        "Share": lambda p, q: [(q, -p, 0)],
        "Differ": lambda by: [(1, -1, -by)],
    }[kind](*numbers)
    per = 0 if kind == "Differ" else 2
    if not left[0] or max(len(left[0]), len(right[0])) > 4096 or len(limbs) != per * len(weights):
        raise linear.Refused("1 to 4096 commitments a total, two limbs a difference")
    hidden = [group.total(_points(points)) for points, _ in (left, right)]
    parts, rows = _points(limbs), []
    for number, (a, b, constant) in enumerate(weights):
        target = group.add(group.mul(a % L, hidden[0]), group.mul(b % L, hidden[1]))
        target = group.add(target, group.mul((constant + a * left[1] + b * right[1]) % L, BASE))
        for power, limb in enumerate(parts[per * number : per * (number + 1)]):
            target = group.sub(target, group.mul(2 ** (64 * power), limb))
        rows.append(([(number, BLINDING_BASE)], target))
    return Relation("sudare/proof/statement/v1", data, len(rows), rows, [])


def wrap(sections, strict=True):
    """WRP over sections (W, [Z_j], [K_j]). Variables w_0, w_1, .. Only a forger is not `strict`."""
    statement = vec([w + vec(wraps) + vec(keys) for w, wraps, keys in sections])
    if len({w for w, _, _ in sections}) != len(sections) and strict:
        raise linear.Refused("two sections with one ephemeral")
    own, merged = [], []
    for s, (w, wraps, keys) in enumerate(sections):
        _same_length(wraps, keys)
        z, k = _points(wraps), _points(keys)
        own.append(([(s, BASE)], group.decode(w)))
        merged += [([(s, group.sub(k[j], k[0]))], group.sub(z[j], z[0])) for j in range(1, len(k))]
    return Relation("sudare/proof/wrap/v1", statement, len(sections), own, merged)


def possession(key, purpose):
    """POP. Variable k; on transcript("sudare/possession/v1", NO_CONTEXT)."""
    rows = [([(0, BASE)], group.decode(key))]
    return Relation("sudare/proof/possession/v1", key + vec(purpose), 1, rows, [])


def tag_signature(tag, commit):
    """TAG. Variables a, t; on transcript("sudare/spend/v1", NO_CONTEXT)."""
    rows = [([(0, BASE), (1, TAG_BASE)], group.decode(tag))]
    return Relation("sudare/proof/tag/v1", tag + commit, 2, rows, [])


# A relation that no part of the protocol has, with the witness 1.
PROBE = Relation("probe", b"", 1, [([(0, BASE)], BASE)], [])


def probe(on):
    """A proof of PROBE with 32 zero bytes for entropy: the same on two transcripts only if they are in one state."""
    return PROBE.prove(on, [1], bytes(32))[0]


# --- range ------------------------------------------------------------------------------------------------------

RANGE_NAME = b"sudare/proof/range/v1"


def range_prove(on, openings, entropy):
    """RNG over openings (v, r): the proof."""
    on.append_message(b"relation", RANGE_NAME)
    generator = merlin.TranscriptRng(on)
    for value, blinding in openings:
        generator.rekey(b"v", u64(value % 2**64))
        generator.rekey(b"r", group.scalar_encode(blinding))
    draw = generator.finalise(entropy).scalar
    padded = openings + [(0, 0)] * (_padded(len(openings)) - len(openings))
    values, blindings = [v for v, _ in padded], [r for _, r in padded]
    proof, _ = bulletproofs.prove(values, blindings, on.clone(), draw)
    on.append_message(b"range", proof)
    return proof


def range_verify(on, commitments, proof):
    """Raises bulletproofs.Refused unless every commitment is to a value below 2^64."""
    on.append_message(b"relation", RANGE_NAME)
    padded = commitments + [bytes(32)] * (_padded(len(commitments)) - len(commitments))
    bulletproofs.verify(proof, padded, on.clone())
    on.append_message(b"range", proof)


def _padded(count):
    if not 1 <= count <= 64:
        raise ValueError("a range proof is of 1 to 64 outputs")
    return 1 << (count - 1).bit_length()


def _points(encoded):
    return [group.decode(data) for data in encoded]


def _same_length(points, keys):
    if len(points) != len(keys) or not keys:
        raise linear.Refused("one point a key, and at least one key")
