"""Proofs of every relation of specs/proofs.md, in several shapes, and proofs that must be refused."""

import relations
import ristretto as group
from cases import forgeries
from cases.common import Draw, hexed, point, scalar_hex
from ristretto import BASE, BLINDING_BASE

CONTEXT = b"proof vectors"
PROTOCOLS = {
    "OWN": "sudare/slot/v1",
    "POP": "sudare/possession/v1",
    "TAG": "sudare/spend/v1",
    "LNK": "sudare/leg-links/v1",
    "STM": "sudare/statement/v1",
    "HLD": "sudare/statement/v1",
    "LOC": "sudare/register-statement/v1",
    "EQL": "sudare/joint-answer/v1",
}


def proofs():
    """Files of accepted and refused proofs."""
    made = [case for make in MAKERS for case in make()]
    accepted = [_prove(*case) for case in made]
    base = {}
    for case, written in zip(made, accepted, strict=True):
        base.setdefault(case[0], (case, written))
    refused = [
        forgery for case, written in base.values() for forgery in forgeries.of(case, written, relation_of, begin)
    ]
    return {"accepted": hexed(accepted), "refused": hexed(refused)}


def begin(kind):
    """The transcript that vectors of a relation are on, and its (protocol, context)."""
    protocol = PROTOCOLS.get(kind, "sudare/leg/v1")
    context = b"" if kind in ("POP", "TAG") else CONTEXT
    return relations.transcript(protocol, context), protocol, context


def relation_of(kind, public, on):
    """(relation, rho-links or None) of public inputs; LNK is begun on the transcript `on`."""
    if kind == "OWN":
        return relations.owner(*(public[name] for name in ("owner", "ephemeral", "identities", "keys"))), None
    if kind == "AMT":
        outputs = [(item["commitment"], item["ephemeral"], item["amounts"]) for item in public["outputs"]]
        return relations.amount(outputs, public["keys"]), None
    if kind == "SPD":
        inputs = [(item["tag"], item["ephemeral"], item["identities"]) for item in public["inputs"]]
        return relations.spend(inputs, public["keys"]), None
    if kind == "BAL":
        mint, burn = int(public["mint"]), int(public["burn"])
        return relations.balance(public["inputs"], public["outputs"], mint, burn), None
    if kind == "LNK":
        items = [tuple(item[name] for name in ("owner", "commitment", "tag", "blinded")) for item in public["links"]]
        return relations.links(on, items)
    if kind == "STM":
        left, right = ((public[side], int(public[side + "_clear"])) for side in ("left", "right"))
        numbers = [int(number) for number in public["numbers"]]
        return relations.statement(public["kind"], numbers, left, right, public["limbs"]), None
    if kind == "HLD":
        return relations.holder(on, public["account"], public["owners"])
    if kind == "LOC":
        return relations.locator(public["key"], public["base"], public["shared"]), None
    if kind == "EQL":
        masked = [public[name] for name in ("mask", "product", "difference")]
        return relations.equality(public["left"], public["right"], masked), None
    if kind == "WRP":
        sections = [(item["ephemeral"], item["wraps"], item["keys"]) for item in public["sections"]]
        return relations.wrap(sections), None
    if kind == "POP":
        return relations.possession(public["key"], public["purpose"]), None
    return relations.tag_signature(public["tag"], public["commit"]), None


def _prove(kind, name, public, witness):
    on, protocol, context = begin(kind)
    entropy = Draw(f"entropy {kind} {name}").bytes32()
    case = {
        "relation": kind, "name": name, "protocol": protocol, "context": context, "public": public,
        "witness": {part: _witness_text(value) for part, value in witness.items()}, "entropy": entropy,
    }  # fmt: skip
    if kind == "RNG":
        case["proof"] = relations.range_prove(on, list(zip(witness["v"], witness["r"], strict=True)), entropy)
        case["next"] = relations.probe(on)
        again, _, _ = begin(kind)
        relations.range_verify(again, public["commitments"], case["proof"])
        return case
    relation, rho_links = relation_of(kind, public, on)
    case["statement"] = relation.statement
    proof, trace = relation.prove(on, _flat(kind, witness, rho_links), entropy)
    if rho_links is not None:
        case["rho_links"] = scalar_hex(rho_links)
    case["nonces"] = [scalar_hex(nonce) for nonce in trace["nonces"]]
    case["rho"] = None if trace["rho"] is None else scalar_hex(trace["rho"])
    case["c"] = scalar_hex(trace["c"])
    case["proof"] = proof
    case["next"] = relations.probe(on)
    again, _, _ = begin(kind)
    relation, _ = relation_of(kind, public, again)
    if relation.verify(again, proof)["c"] != trace["c"]:
        raise AssertionError("the verifier has another challenge")
    return case


def _flat(kind, witness, rho_links):
    """The variables in the order of the page: instance by instance."""
    if kind == "LNK":
        return relations.links_witness(rho_links, list(zip(witness["s"], witness["d"], strict=True)))
    if kind == "HLD":
        return relations.holder_witness(rho_links, witness["t"], witness["s"])
    columns = [value if isinstance(value, list) else [value] for value in witness.values()]
    return [x for row in zip(*columns, strict=True) for x in row]


def _witness_text(value):
    return [scalar_hex(x) for x in value] if isinstance(value, list) else scalar_hex(value)


# --- one maker a relation: (kind, name, public, witness), the first case being the base of the forgeries --------


def keys_of(draw, count):
    return [group.encode(draw.point()) for _ in range(count)]


def encrypt(value, randomness, key):
    """The encoding of value + randomness * key, for a point `value`."""
    return group.encode(group.add(value, group.mul(randomness, group.decode(key))))


def _owners():
    for count in (3, 1, 8):
        draw = Draw(f"OWN {count}")
        a, t, s, u = (draw.scalar() for _ in range(4))
        keys = keys_of(draw, count)
        account = group.mul(a, BASE)
        owner = group.total((account, group.mul(t, relations.TAG_BASE), group.mul(s, BLINDING_BASE)))
        public = {
            "owner": group.encode(owner), "ephemeral": point(u),
            "identities": [encrypt(account, u, key) for key in keys], "keys": keys,
        }  # fmt: skip
        yield "OWN", f"{count} keys", public, {"t": t, "s": s, "u": u}


def _amounts():
    shapes = (([1000, 2**64 - 1], 3), ([0], 1), ([5, 6, 7], 8))
    for values, count in shapes:
        draw = Draw(f"AMT {values} {count}")
        keys = keys_of(draw, count)
        blindings = [draw.scalar() for _ in values]
        outputs = [
            {"commitment": group.encode(group.commit(v, r)), "ephemeral": point(r),
             "amounts": [encrypt(group.mul(v, BASE), r, key) for key in keys]}
            for v, r in zip(values, blindings, strict=True)
        ]  # fmt: skip
        name = f"{len(values)} outputs, {count} keys"
        yield "AMT", name, {"outputs": outputs, "keys": keys}, {"v": values, "r": blindings}


def _spends():
    for inputs, count in ((2, 3), (1, 1), (3, 8)):
        draw = Draw(f"SPD {inputs} {count}")
        keys = keys_of(draw, count)
        a, t, u = ([draw.scalar() for _ in range(inputs)] for _ in range(3))
        items = [
            {"tag": group.encode(group.add(group.mul(a[i], BASE), group.mul(t[i], relations.TAG_BASE))),
             "ephemeral": point(u[i]), "identities": [encrypt(group.mul(a[i], BASE), u[i], key) for key in keys]}
            for i in range(inputs)
        ]  # fmt: skip
        yield "SPD", f"{inputs} inputs, {count} keys", {"inputs": items, "keys": keys}, {"a": a, "t": t, "u": u}


def _balances():
    shapes = (
        ("transfer", [70, 30], [60, 40], 0, 0),
        ("issue", [], [2**64 - 1], 2**64 - 1, 0),
        ("redeem all", [12], [], 0, 12),
        ("redeem with change", [9, 9], [5], 0, 13),
    )
    for name, spent, paid, mint, burn in shapes:
        draw = Draw(f"BAL {name}")
        blindings_in, blindings_out = [draw.scalar() for _ in spent], [draw.scalar() for _ in paid]
        commitments = lambda values, blindings: [
            group.encode(group.commit(v, r)) for v, r in zip(values, blindings, strict=True)
        ]
        public = {
            "inputs": commitments(spent, blindings_in), "outputs": commitments(paid, blindings_out),
            "mint": str(mint), "burn": str(burn),
        }  # fmt: skip
        yield "BAL", name, public, {"e": (sum(blindings_in) - sum(blindings_out)) % group.L}


def _statements():
    shapes = (
        ("Between", [5, 40], [10, 7], [], 0),
        ("AtLeast", [0], [2**64 - 1, 2**64 - 1], [], 0),
        ("AtMost", [2**64 - 1], [3], [], 0),
        ("Share", [5, 100], [2**64 - 1], [2**64 - 1], 17),
        ("Share", [2**32 - 1, 2**32 - 1], [40], [], 40),
        ("Differ", [0], [30, 12], [42], 0),
        ("Differ", [9], [30], [12], 9),
        ("AtLeast", [4], [30, 12], [30], 8),
        ("AtMost", [3], [30], [20, 10], 2),
        ("Between", [0, 9], [70], [65], 0),
    )
    for kind, numbers, values, against, clear in shapes:
        draw = Draw(f"STM {kind} {numbers}")
        sides = [(values, [draw.scalar() for _ in values]), (against, [draw.scalar() for _ in against])]
        left, right = ([group.encode(group.commit(v, r)) for v, r in zip(*side, strict=True)] for side in sides)
        total, other = sum(values), sum(against) + clear
        hidden, counter = (sum(side[1]) for side in sides)
        differences = {
            "AtLeast": lambda: [(total - other - numbers[0], hidden - counter)],
            "AtMost": lambda: [(numbers[0] - total + other, counter - hidden)],
            "Between": lambda: [
                (total - other - numbers[0], hidden - counter), (numbers[1] - total + other, counter - hidden)
            ],
            "Share": lambda: [(numbers[1] * total - numbers[0] * other, numbers[1] * hidden - numbers[0] * counter)],
            "Differ": lambda: [(total - other - numbers[0], hidden - counter)],
        }[kind]()
        limbs, excesses = [], []
        for value, blinding in differences:
            if kind == "Differ":
                if value:
                    raise AssertionError("a false example")
            else:
                low, high = draw.scalar(), draw.scalar()
                limbs += [group.encode(group.commit(value % 2**64, low)), group.encode(group.commit(value >> 64, high))]
                blinding -= low + 2**64 * high
            excesses.append(blinding % group.L)
        public = {
            "kind": kind, "numbers": [str(number) for number in numbers], "left": left, "left_clear": "0",
            "right": right, "right_clear": str(clear), "limbs": limbs,
        }  # fmt: skip
        yield "STM", f"{kind} {numbers}", public, {"e": excesses}


def _links():
    for count in (2, 1, 5):
        draw = Draw(f"LNK {count}")
        s, d = ([draw.scalar() for _ in range(count)] for _ in range(2))
        items = []
        for i in range(count):
            tag, commitment = draw.point(), draw.point()
            items.append({
                "owner": group.encode(group.add(tag, group.mul(s[i], BLINDING_BASE))),
                "commitment": group.encode(commitment), "tag": group.encode(tag),
                "blinded": group.encode(group.add(commitment, group.mul(d[i], BLINDING_BASE))),
            })  # fmt: skip
        yield "LNK", f"{count} inputs", {"links": items}, {"s": s, "d": d}


def _holders():
    for count in (2, 1, 5):
        draw = Draw(f"HLD {count}")
        account = group.mul(draw.scalar(), BASE)
        t, s = ([draw.scalar() for _ in range(count)] for _ in range(2))
        owners = [
            group.encode(group.total((account, group.mul(t[i], relations.TAG_BASE), group.mul(s[i], BLINDING_BASE))))
            for i in range(count)
        ]
        yield "HLD", f"{count} notes", {"account": group.encode(account), "owners": owners}, {"t": t, "s": s}


def _locators():
    for number in range(2):
        draw = Draw(f"LOC {number}")
        y, base = draw.scalar(), draw.point()
        public = {"key": point(y), "base": group.encode(base), "shared": group.encode(group.mul(y, base))}
        yield "LOC", f"pair {number}", public, {"y": y}


def _equalities():
    for number, (one, other) in enumerate(((70, 70), (70, 65))):
        draw = Draw(f"EQL {number}")
        own, blinding, z = draw.scalar(), draw.scalar(), draw.scalar()
        left, right = group.commit(one, own), group.commit(other, blinding)
        public = {
            "left": group.encode(left), "right": group.encode(right),
            "mask": group.encode(group.mul(z, BLINDING_BASE)), "product": group.encode(group.mul(z, right)),
            "difference": group.encode(group.sub(group.mul(z, left), group.mul(z * other, BASE))),
        }  # fmt: skip
        witness = {"z": z, "m": z * other % group.L, "n": z * blinding % group.L}
        yield "EQL", f"{one} and {other}", public, witness


def _wraps():
    for counts in ((3, 1, 2), (1,), (72, 2)):
        draw = Draw(f"WRP {counts}")
        w, sections = [draw.scalar() for _ in counts], []
        for secret, count in zip(w, counts, strict=True):
            content, keys = draw.point(), keys_of(draw, count)
            wraps = [encrypt(content, secret, key) for key in keys]
            sections.append({"ephemeral": point(secret), "wraps": wraps, "keys": keys})
        yield "WRP", f"sections of {counts} readers", {"sections": sections}, {"w": w}


def _possessions():
    for purpose in (b"what the key is for", b""):
        k = Draw(f"POP {purpose}").scalar()
        yield "POP", f"purpose of {len(purpose)} bytes", {"key": point(k), "purpose": purpose}, {"k": k}


def _tags():
    for number in range(2):
        draw = Draw(f"TAG {number}")
        a, t, commit = draw.scalar(), draw.scalar(), draw.bytes32()
        tag = group.encode(group.add(group.mul(a, BASE), group.mul(t, relations.TAG_BASE)))
        yield "TAG", f"signature {number}", {"tag": tag, "commit": commit}, {"a": a, "t": t}


def _ranges():
    for values in ([1, 2**64 - 1], [0], [5, 6, 7]):
        draw = Draw(f"RNG {values}")
        blindings = [draw.scalar() for _ in values]
        commitments = [group.encode(group.commit(v, r)) for v, r in zip(values, blindings, strict=True)]
        yield "RNG", f"{len(values)} outputs", {"commitments": commitments}, {"v": values, "r": blindings}


MAKERS = (
    _owners, _amounts, _spends, _balances, _statements, _holders, _locators, _equalities, _links, _wraps, _possessions, _tags,
    _ranges,
)  # fmt: skip
