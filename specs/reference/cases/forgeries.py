"""Proofs that must be refused, made from an accepted one.

`refusal` says where a verifier must stop at the latest: "encoding" when bytes are decoded, "statement" when the public
inputs are put together, "shape" when the proof is read, "claims" when the equations are decided.
"""

import copy

import bulletproofs
import linear
import relations
import ristretto as group
from cases.common import Draw, flip, negative, point
from codec import bounded
from ristretto import BASE, BLINDING_BASE

REFUSED = (linear.Refused, bulletproofs.Refused, group.DecodeError, ValueError)


def of(case, written, relation_of, begin):
    """Refused variants of one case (kind, name, public, witness) that was written as accepted."""
    kind, _, public, witness = case
    proof = written["proof"]
    variants = [("RNG-1" if kind == "RNG" else "TRN-2", *variant) for variant in _changed_proofs(kind, public, proof)]
    variants += _changed_statements(kind, public, proof)
    prove = _Prover(kind, relation_of, begin)
    variants += SPECIAL[kind](prove, public, witness)
    for rule, why, changed, data, refusal in variants:
        on, protocol, context = begin(kind)
        if why == "another context":
            context = b"another"
            on = relations.transcript(protocol, context)
        if _accepts(kind, changed, data, on, relation_of):
            raise AssertionError(f"accepted: {kind}, {why}")
        yield {
            "relation": kind, "rule": rule, "why": why, "refusal": refusal, "protocol": protocol, "context": context,
            "public": changed, "proof": data,
        }  # fmt: skip


def _accepts(kind, public, proof, on, relation_of):
    try:
        if any(data == bytes(32) for data in _points_in(public)):
            raise linear.Refused("the identity")
        if kind == "RNG":
            relations.range_verify(on, public["commitments"], proof)
        else:
            relation, _ = relation_of(kind, public, on)
            relation.verify(on, proof)
    except REFUSED:
        return False
    return True


class _Prover:
    """Makes proofs that an honest prover would not."""

    def __init__(self, kind, relation_of, begin):
        self._kind, self._relation_of, self._begin = kind, relation_of, begin

    def __call__(self, public, witness, change=lambda relation: relation, seed="forgery"):
        """A proof over `public`, by a relation that `change` may alter, with any witness."""
        on, _, _ = self._begin(self._kind)
        relation, rho = self._relation_of(self._kind, public, on)
        scalars = witness(rho) if callable(witness) else witness
        return change(relation).prove(on, scalars, Draw(seed).bytes32())[0]


def _changed_proofs(kind, public, proof):
    """(why, public, proof, refusal) with the proof changed and the public inputs kept."""
    if kind not in ("POP", "TAG"):  # their contexts are fixed
        yield "another context", public, proof, "claims"
    yield "empty", public, b"", "shape" if kind == "RNG" else "encoding"
    yield "cut short by a byte", public, proof[:-1], "shape" if kind == "RNG" else "encoding"
    yield "a byte left over", public, proof + b"\0", "shape" if kind == "RNG" else "encoding"
    if kind == "RNG":
        yield "a round left out", public, proof[: 32 * 7] + proof[32 * 9 :], "shape"
        yield "the last bit flipped", public, flip(proof, len(proof) - 32), "claims"
        yield "A is the identity", public, bytes(32) + proof[32:], "claims"
        yield "t_x not reduced", public, proof[:128] + _plus_order(proof[128:160]) + proof[160:], "claims"
        return
    points, scalars = linear.split(proof)
    join = lambda ys, zs: bounded(ys, 512) + bounded(zs, 512)
    yield "the first commitment is the identity", public, join([bytes(32)] + points[1:], scalars), "encoding"
    yield "a response not reduced", public, join(points, [_plus_order(scalars[0])] + scalars[1:]), "encoding"
    yield "a commitment left out", public, join(points[:-1], scalars), "shape"
    yield "a response left out", public, join(points, scalars[:-1]), "shape"
    yield "a commitment twice", public, join(points + points[-1:], scalars), "shape"
    yield "a response twice", public, join(points, scalars + scalars[-1:]), "shape"
    yield "another last response", public, join(points, scalars[:-1] + [flip(scalars[-1], 0)]), "claims"
    yield "another first commitment", public, join([group.BASE_BYTES] + points[1:], scalars), "claims"
    yield "a commitment of the negative root", public, join(points[:-1] + [negative(points[-1])], scalars), "claims"
    if len(points) > 1:
        yield "two commitments exchanged", public, join([points[1], points[0]] + points[2:], scalars), "claims"


def _plus_order(scalar):
    return (int.from_bytes(scalar, "little") + group.L).to_bytes(32, "little")


def _changed_statements(kind, public, proof):
    """(rule, why, public, proof, refusal) with one public input changed."""
    for number, (name, _) in enumerate(_leaves(public)):
        if name in ("purpose", "mint", "burn", "commit", "kind", "numbers", "left_clear", "right_clear"):
            continue
        for rule, how, value, refusal in (
            ("TRN-1", "another point", group.encode(Draw("another point").point()), "claims"),
            ("ENC-3", "the identity", bytes(32), "encoding"),
            ("TRN-5", "no point", b"\xff" * 32, "claims"),
        ):
            yield rule, f"{name} {number} is {how}", _with_leaf(public, number, value), proof, refusal


def _leaves(public):
    """(name, bytes) of every byte string in `public`, depth first."""
    for name, value in public.items():
        for item in value if isinstance(value, list) else [value]:
            if isinstance(item, dict):
                yield from _leaves(item)
            else:
                yield name, item


def _points_in(public):
    return [data for name, data in _leaves(public) if name not in ("purpose", "commit")]


def _with_leaf(public, number, value):
    """A copy of `public` with the leaf of that number replaced."""
    count = -1

    def visit(item):
        nonlocal count
        if isinstance(item, dict):
            return {name: visit(part) for name, part in item.items()}
        if isinstance(item, list):
            return [visit(part) for part in item]
        count += 1
        return value if count == number else item

    return visit(public)


# --- statements that are false, proved as well as they can be ---------------------------------------------------


def _altered(public, *path, value):
    changed = copy.deepcopy(public)
    place = changed
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    return changed


def _shifted(encoded):
    """Another point: the given one and B."""
    return group.encode(group.add(group.decode(encoded), BASE))


def _without_own(row):
    """The relation without one of its own rows."""

    def change(relation):
        relation.own = relation.own[:row] + relation.own[row + 1 :]
        return relation

    return change


def _owner(prove, public, witness):
    scalars = [witness[name] for name in ("t", "s", "u")]
    other = _altered(public, "identities", 1, value=_shifted(public["identities"][1]))
    first = _altered(public, "identities", 0, value=_shifted(public["identities"][0]))
    yield "OWN-1", "one key reads another account", other, prove(other, scalars), "claims"
    yield "OWN-1", "the registrar reads another account", first, prove(first, scalars), "claims"
    yield "TRN-1", "another t", public, prove(public, [scalars[0] + 1] + scalars[1:]), "claims"
    blank = prove(public, scalars, _unsaid)
    yield "TRN-1", "the statement is not absorbed", public, blank, "claims"
    fewer = dict(public, identities=public["identities"][:-1])
    yield "OWN-1", "a key without ciphertext", fewer, prove(public, scalars), "statement"
    none = dict(public, identities=[], keys=[])
    yield "OWN-1", "no keys", none, prove(public, scalars), "statement"


def _unsaid(relation):
    relation.statement = b""
    return relation


def _amount(prove, public, witness):
    flat = [x for pair in zip(witness["v"], witness["r"], strict=True) for x in pair]
    # Another r in R and E than in C: without the row for C every ciphertext would decrypt to rubbish.
    item = public["outputs"][0]
    changed = dict(item, ephemeral=point(witness["r"][0] + 1))
    rubbish = _altered(public, "outputs", 0, value=changed)
    yield "AMT-1", "R has another r than C", rubbish, prove(rubbish, flat), "claims"
    yield "AMT-1", "the row for C left out", rubbish, prove(rubbish, _bumped(flat, 1), _without_own(0)), "shape"
    other = _altered(public, "outputs", 0, "amounts", 1, value=_shifted(item["amounts"][1]))
    yield "AMT-2", "one key reads another amount", other, prove(other, flat), "claims"
    fewer = _altered(public, "outputs", 0, "amounts", value=item["amounts"][:-1])
    yield "AMT-2", "a key without ciphertext", fewer, prove(public, flat), "statement"
    yield "AMT-2", "the keys in another order", dict(public, keys=public["keys"][::-1]), prove(public, flat), "claims"


def _bumped(scalars, place):
    return scalars[:place] + [scalars[place] + 1] + scalars[place + 1 :]


def _spend(prove, public, witness):
    flat = [x for row in zip(*(witness[name] for name in ("a", "t", "u")), strict=True) for x in row]
    # Ciphertexts of the account a + 1 on the tag of a.
    item = public["inputs"][0]
    moved = _altered(public, "inputs", 0, "identities", value=[_shifted(data) for data in item["identities"]])
    for name, scalars in (("the owner's", flat), ("the other account's", _bumped(flat, 0))):
        yield "SPD-1", f"another account is named, with {name} key", moved, prove(moved, scalars), "claims"
    other = _altered(public, "inputs", 1, "identities", 1, value=_shifted(public["inputs"][1]["identities"][1]))
    yield "SPD-1", "one key reads another account", other, prove(other, flat), "claims"
    fewer = _altered(public, "inputs", 0, "identities", value=item["identities"][:-1])
    yield "SPD-1", "a key without ciphertext", fewer, prove(public, flat), "statement"


def _balance(prove, public, witness):
    scalars = [witness["e"]]
    more = dict(public, mint="1")
    yield "BAL-1", "one unit is minted", more, prove(more, scalars), "claims"
    less = dict(public, burn="1")
    yield "BAL-1", "one unit is burned", less, prove(less, scalars), "claims"
    gain = _altered(public, "outputs", 0, value=_shifted(public["outputs"][0]))
    yield "BAL-1", "an output of one unit more", gain, prove(gain, scalars), "claims"
    # No point on both sides: its coefficient is zero, and it is refused all the same.
    bad = b"\xff" * 32
    both = dict(public, inputs=public["inputs"] + [bad], outputs=public["outputs"] + [bad])

    def absorbed(relation):
        relation.statement = relations.balance_statement(both["inputs"], both["outputs"], 0, 0)
        return relation

    yield "TRN-5", "no point whose coefficient is zero", both, prove(public, scalars, absorbed), "claims"


def _statement(prove, public, witness):
    scalars = witness["e"]
    for numbers in (["6", "40"], ["5", "39"]):
        other = dict(public, numbers=numbers)
        yield "STM-1", f"other bounds: {numbers}", other, prove(other, scalars), "claims"
    turned = dict(public, numbers=["40", "5"])
    yield "STM-3", "low above high", turned, prove(public, scalars), "statement"
    for kind in ("AtLeast", "AtMost", "Differ"):
        other = dict(public, kind=kind, numbers=["5"])
        yield "STM-3", f"given for {kind}", other, prove(public, scalars), "statement"
    clear = dict(public, left_clear="1")
    yield "STM-1", "a unit in clear more", clear, prove(clear, scalars), "claims"
    right = dict(public, right_clear="1")
    yield "STM-1", "a unit in clear to be taken away", right, prove(right, scalars), "claims"
    swapped = dict(public, left=public["left"][::-1])
    yield "TRN-1", "the commitments in another order", swapped, prove(public, scalars), "claims"
    doubled = dict(public, left=public["left"] + public["left"][:1])
    yield "STM-1", "a commitment counted twice", doubled, prove(doubled, scalars), "claims"
    limbs = dict(public, limbs=public["limbs"][2:] + public["limbs"][:2])
    yield "STM-1", "the limbs of the two differences exchanged", limbs, prove(limbs, scalars), "claims"
    fewer = dict(public, limbs=public["limbs"][:2])
    yield "STM-3", "a difference without limbs", fewer, prove(public, scalars), "statement"
    # A commitment to the same value under the tags' generator for the blinding.
    strange = group.add(group.mul(10, BASE), group.mul(7, relations.TAG_BASE))
    other = _altered(public, "left", 0, value=group.encode(strange))
    yield "STM-2", "a commitment of another base", other, prove(other, scalars), "claims"


def _holder(prove, public, witness):
    scalars = lambda rho: relations.holder_witness(rho, witness["t"], witness["s"])
    moved = dict(public, account=_shifted(public["account"]))
    yield "HLD-1", "the account is another", moved, prove(moved, scalars), "claims"
    other = dict(public, owners=[_shifted(public["owners"][0])] + public["owners"][1:])
    yield "HLD-1", "a note is another's", other, prove(other, scalars), "claims"
    crossed = [_shifted(public["owners"][0]), group.encode(group.sub(group.decode(public["owners"][1]), BASE))]
    other = dict(public, owners=crossed)
    yield "HLD-1", "two errors of opposite sign", other, prove(other, scalars), "claims"
    swapped = dict(public, owners=public["owners"][::-1])
    yield "HLD-1", "the notes in another order", swapped, prove(public, scalars), "claims"
    none = dict(public, owners=[])
    yield "HLD-1", "no notes", none, prove(public, scalars), "statement"


def _locator(prove, public, witness):
    scalars = [witness["y"]]
    other = dict(public, shared=_shifted(public["shared"]))
    yield "LOC-1", "another shared point", other, prove(other, scalars), "claims"
    moved = dict(public, key=_shifted(public["key"]))
    for name, y in (("the first key's secret", scalars), ("its own", [scalars[0] + 1])):
        yield "LOC-1", f"another key, with {name}", moved, prove(moved, y), "claims"
    yield "LOC-1", "the row for the key left out", moved, prove(moved, scalars, _without_own(0)), "shape"
    turned = dict(public, base=public["shared"], shared=public["base"])
    yield "LOC-1", "base and shared point exchanged", turned, prove(turned, scalars), "claims"


def _equality(prove, public, witness):
    z, m, n = (witness[name] for name in ("z", "m", "n"))
    left, right = group.decode(public["left"]), group.decode(public["right"])
    # As the base case is of equal amounts: whoever holds 5 more and says that it is equal.
    more = group.add(right, group.mul(5, BASE))
    other = dict(public, right=group.encode(more), product=group.encode(group.mul(z, more)))
    yield "EQL-1", "another amount than the one it hides", other, prove(other, [z, m, n]), "claims"
    yield "EQL-1", "the row for the amount left out", other, prove(other, [z, m, n], _without_own(2)), "shape"
    yield "EQL-1", "a product of another point", dict(other, product=public["product"]), prove(
        dict(other, product=public["product"]), [z, m, n]
    ), "claims"
    own = [z, z * (m * pow(z, -1, group.L) + 5) % group.L, n]
    yield "EQL-1", "a difference of its choice", other, prove(other, own), "claims"
    turned = dict(public, left=public["right"], right=public["left"])
    yield "EQL-1", "left and right exchanged", turned, prove(turned, [z, m, n]), "claims"
    masked = dict(public, mask=group.encode(group.mul(z + 1, BLINDING_BASE)))
    yield "EQL-1", "another mask", masked, prove(masked, [z, m, n]), "claims"
    del left


def _link(prove, public, witness):
    scalars = lambda rho: relations.links_witness(rho, list(zip(witness["s"], witness["d"], strict=True)))
    for part in ("owner", "commitment", "blinded"):
        other = _altered(public, "links", 0, part, value=_shifted(public["links"][0][part]))
        yield "LNK-1", f"{part} is not the note's", other, prove(other, scalars), "claims"
    # Differences that cancel out without rho.
    up = _shifted(public["links"][0]["owner"])
    down = group.encode(group.sub(group.decode(public["links"][1]["owner"]), BASE))
    crossed = _altered(_altered(public, "links", 0, "owner", value=up), "links", 1, "owner", value=down)
    yield "LNK-1", "two errors of opposite sign", crossed, prove(crossed, scalars), "claims"
    swapped = dict(public, links=public["links"][::-1])
    yield "LNK-1", "the inputs in another order", swapped, prove(public, scalars), "claims"


def _wrap(prove, public, witness):
    scalars = witness["w"]
    other = _altered(public, "sections", 0, "wraps", 1, value=_shifted(public["sections"][0]["wraps"][1]))
    yield "WRP-1", "one reader unwraps another key", other, prove(other, scalars), "claims"
    first = _altered(public, "sections", 0, "wraps", 0, value=_shifted(public["sections"][0]["wraps"][0]))
    yield "WRP-1", "the registrar unwraps another key", first, prove(first, scalars), "claims"
    fewer = _altered(public, "sections", 0, "wraps", value=public["sections"][0]["wraps"][:-1])
    yield "WRP-1", "a reader without wrap", fewer, prove(public, scalars), "statement"
    twice = dict(public, sections=public["sections"] + public["sections"][:1])
    yield "WRP-2", "two sections with one ephemeral", twice, _proved_wrap(twice, scalars + scalars[:1]), "statement"
    swapped = dict(public, sections=public["sections"][::-1])
    yield "WRP-1", "the sections in another order", swapped, prove(public, scalars), "claims"


def _proved_wrap(public, scalars):
    """A true proof of a statement that a verifier refuses."""
    sections = [(item["ephemeral"], item["wraps"], item["keys"]) for item in public["sections"]]
    on = relations.transcript("sudare/leg/v1", b"proof vectors")
    return relations.wrap(sections, strict=False).prove(on, scalars, bytes(32))[0]


def _possession(prove, public, witness):
    scalars = [witness["k"]]
    rogue = group.encode(group.neg(BLINDING_BASE))
    for name, key in (("-B~", rogue), ("a sum with another key", _shifted(public["key"]))):
        changed = dict(public, key=key)
        yield "POP-1", f"the key is {name}", changed, prove(changed, scalars), "claims"
    yield "POP-1", "another purpose", dict(public, purpose=b"wider"), prove(public, scalars), "claims"


def _tag(prove, public, witness):
    scalars = [witness["a"], witness["t"]]
    other = dict(public, commit=Draw("another commit").bytes32())
    yield "TAG-1", "another commit", other, prove(public, scalars), "claims"
    yield "TAG-1", "without the account's key", public, prove(public, [0, scalars[1]]), "claims"


def _range(prove, public, witness):
    del prove
    blinding = witness["r"][0]
    for why, value in (("a value of 65 bits", 2**64), ("a negative value", group.L - 1)):
        commitment = group.encode(group.commit(value, blinding))
        on = relations.transcript("sudare/leg/v1", b"proof vectors")
        proof = relations.range_prove(on, [(value, blinding)], Draw(why).bytes32())
        yield "RNG-1", why, {"commitments": [commitment]}, proof, "claims"
    on = relations.transcript("sudare/leg/v1", b"proof vectors")
    proof = relations.range_prove(on, list(zip(witness["v"], witness["r"], strict=True)), bytes(32))
    yield "RNG-1", "the commitments in another order", {"commitments": public["commitments"][::-1]}, proof, "claims"
    one = {"commitments": public["commitments"][:1]}
    yield "RNG-1", "a commitment left out", one, proof, "shape"
    three = {"commitments": public["commitments"] + public["commitments"][:1]}
    yield "RNG-1", "a commitment more", three, proof, "shape"
    yield "RNG-1", "no commitments", {"commitments": []}, proof, "statement"


SPECIAL = {
    "OWN": _owner, "AMT": _amount, "SPD": _spend, "BAL": _balance, "STM": _statement, "HLD": _holder, "LOC": _locator,
    "EQL": _equality,
    "LNK": _link, "WRP": _wrap, "POP": _possession,
    "TAG": _tag, "RNG": _range,
}  # fmt: skip
