"""Threshold keys: a group, its keys moved to other officers with every message, openings before and after."""

import codec
import linear
import policy
import ristretto as group
import threshold
from cases import world
from cases.common import Draw, flip, hexed, point

LEG = Draw("leg that officers open").bytes32()


def threshold_keys():
    draw = Draw("officers")
    people = {name: threshold.Officer(name, draw.bytes32()) for name in ["Aoki", "Baba", "Chiba", "Doi", "Endo"]}
    old, secrets = _first(people, draw)
    receivers = [people[name] for name in ["Doi", "Baba", "Endo"]]
    move = threshold.Move(draw.bytes32(), old, [1, 2], 3, receivers)
    for officer in move.everybody():
        officer.state = draw.bytes32()
    new = move.group()
    moved = {officer.name: move.new_shares(officer) for officer in receivers}
    for epoch, secret in enumerate(secrets):
        if new.keys[epoch][0] != point(secret):
            raise AssertionError("the move changed a key")
    held = [(index + 1, moved[officer.name]) for index, officer in enumerate(receivers)]
    before = [(index + 1, officer.shares) for index, officer in enumerate(old.officers)]
    return hexed({
        "move": _move(move, moved),
        "openings": [
            _opening(old, 1, before[1:], secrets[1], Draw("opening before")),
            _opening(new, 0, held, secrets[0], Draw("opening after")),
        ],
        "wrong": _wrong(old, before, new, held),
    })  # fmt: skip


def _first(people, draw):
    """A group of three, two of whom open, with two keys; its secrets, which no ceremony would show."""
    officers = [people[name] for name in ["Aoki", "Baba", "Chiba"]]
    subject = world.NETWORK + world.ASSET + codec.u8(policy.ALL) + codec.text("regulator", 32)
    polynomials = [[draw.scalar(), draw.scalar()] for _ in range(2)]
    keys = [[point(a) for a in polynomial] for polynomial in polynomials]
    for index, officer in enumerate(officers, start=1):
        officer.shares = [threshold.evaluate(polynomial, index) for polynomial in polynomials]
    made = threshold.Group(draw.bytes32(), 0, subject, 2, officers, keys)
    return made, [polynomial[0] for polynomial in polynomials]


def _move(move, moved):
    officers = [
        {
            "name": officer.name, "seed": officer.seed, "card": officer.encode(),
            "state": codec.u8(1) + move.id() + officer.state + codec.option(None),
            "old_shares": move.old.shares(_place(move.old.officers, officer), officer.shares) if officer.shares else None,
            "new_shares": move.group().shares(_place(move.officers, officer), moved[officer.name])
            if officer.name in moved else None,
            "commit": move.message(officer, None, threshold.COMMIT, move.commit(officer)),
            "deals": [
                move.message(officer, to, threshold.DEAL, move.deal(officer, to))
                for to in move.officers if to.id != officer.id
            ] if any(one.id == officer.id for _, one in move.dealing()) else [],
            "confirm": move.message(officer, None, threshold.CONFIRM, move.confirm(officer))
            if officer.name in moved else None,
        }
        for officer in move.everybody()
    ]  # fmt: skip
    return {
        "plan": move.plan(), "ceremony": move.id(), "old_group": move.old.signed(), "old_id": move.old.id(),
        "accepted": move.accepted(), "group": move.group().signed(), "id": move.group().id(), "officers": officers,
    }  # fmt: skip


def _place(officers, officer):
    return [one.id for one in officers].index(officer.id) + 1


def _opening(of, epoch, held, secret, draw):
    """An opening by `held`, [(index, shares)]: the points, everybody's partial, what a message reads as."""
    request = threshold.Request(of, epoch, LEG, [point(draw.scalar()) for _ in range(4)])
    partials, values = [], {}
    for index, shares in held:
        entropy = draw.bytes32()
        partial, values[index] = request.answer(index, shares[epoch], entropy)
        request.check(partial, index, values[index])
        partials.append({
            "shares": of.shares(index, shares), "entropy": entropy, "partial": partial,
        })  # fmt: skip
    opened = threshold.combine(values)
    points = sorted(set(request.points))
    if opened != [group.encode(group.mul(secret, group.decode(e))) for e in points]:
        raise AssertionError("the officers open something else than the key")
    message = point(draw.scalar())
    ciphertexts = [group.encode(group.add(group.decode(message), group.decode(d))) for d in opened]
    return {
        "group": of.signed(), "epoch": epoch, "leg": LEG, "points": request.points, "sorted": points,
        "request": request.hash(), "partials": partials, "message": message, "ciphertexts": ciphertexts,
    }  # fmt: skip


def _wrong(old, before, new, held):
    """Partials by the first officer that must not count."""
    draw = Draw("wrong partials")
    points = sorted(point(draw.scalar()) for _ in range(3))
    request = threshold.Request(old, 0, LEG, points)
    (index, shares), entropy = before[0], draw.bytes32()
    share = shares[0]
    good, values = request.answer(index, share, entropy)
    other_values = [values[1], values[0]] + values[2:]
    cancelling = [
        group.encode(group.add(group.decode(values[0]), group.BASE)),
        group.encode(group.sub(group.decode(values[1]), group.BASE)),
    ] + values[2:]
    another_share = [group.encode(group.mul(before[1][1][0], group.decode(e))) for e in points]
    stolen = request.partial(index, another_share, before[1][1][0], entropy)
    of_the_next = threshold.Request(new, 0, LEG, points).answer(1, held[0][1][0], entropy)[0]
    cases = [
        ("PRT-1", "two values exchanged", request.partial(index, other_values, share, entropy)),
        ("PRT-1", "two false values that cancel in a plain sum", request.partial(index, cancelling, share, entropy)),
        ("PRT-1", "another officer's share", stolen),
        ("PRT-1", "another officer's index", good[:33] + codec.u8(2) + good[34:]),
        ("PRT-1", "a bit of the proof flipped", flip(good, len(good) - 20)),
        ("PRT-1", "for another leg", threshold.Request(old, 0, bytes(32), points).answer(index, share, entropy)[0]),
        ("PRT-1", "for another epoch", threshold.Request(old, 1, LEG, points).answer(index, shares[1], entropy)[0]),
        ("PRT-1", "for fewer points", threshold.Request(old, 0, LEG, points[1:]).answer(index, share, entropy)[0]),
        ("THR-3", "of the next generation", of_the_next),
        ("PRT-1", "an index that nobody has", good[:33] + codec.u8(4) + good[34:]),
    ]  # fmt: skip
    for _, why, partial in cases:
        claimed = partial[33]
        try:
            request.check(partial, claimed, _values(partial))
        except (linear.Refused, group.DecodeError, ValueError):
            continue
        if claimed in (1, 2, 3):
            raise AssertionError(f"counted: {why}")
    fine = [request.answer(i, s[0], entropy)[0] for i, s in before[1:]]
    return {
        "group": old.signed(), "epoch": 0, "leg": LEG, "points": points, "right": fine,
        "partials": [{"rule": rule, "why": why, "partial": data} for rule, why, data in cases],
    }  # fmt: skip


def _values(partial):
    count = int.from_bytes(partial[34:36], "little")
    return [partial[36 + 32 * i : 68 + 32 * i] for i in range(count)]
