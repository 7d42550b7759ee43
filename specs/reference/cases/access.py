"""Access logs: a regulator's with desk, grant, uses and an end, a custodian's with disclosures; entries handed on."""

import access
import codec
import ed25519
import policy
import threshold
import tree
from cases import world
from cases.common import Draw, Node, flip, hexed, point

READER, WITNESS, CUSTODIAN = Node("regulator"), Node("witness"), Node("receiver")
NOW = world.NOW
ROWS = [f"0190{i:08x}7{i:03x}8{i:015x}" for i in range(access.ROWS_MAX)]
HANDLINGS = [
    ("settlement desk", "broker-x", access.MADE, "case:2027-14", ROWS[:2]),
    ("user/0190aabbccdd7000800000000000000f", "house", access.CHANGED, "", ROWS[:1]),
    ("token/desk-7", "broker-x", access.READ, "KYC-1", ROWS[:1]),
    ("settlement desk", "broker-x", access.LISTED, "KYC-1", ROWS),
    ("settlement desk", "broker-x", access.PAST, "KYC-1", ROWS[:1]),
    ("settlement desk", "broker-x", access.REQUESTS, "KYC-1", ROWS[:1]),
    ("登録係", "house", access.NAMED, "AGM-2027", ROWS[:3]),
    ("second", "house", access.ERASED, "asked", ROWS[1:2]),
]


def accesses():
    draw = Draw("access")
    aoki, baba, chiba = (threshold.Officer(name, draw.bytes32()) for name in ["Aoki", "Baba", "Chiba"])
    desk = access.Desk(world.NETWORK, READER.id, 0, 2, [aoki, baba])
    later = access.Desk(world.NETWORK, READER.id, 1, 1, [chiba])
    account = point(draw.scalar())
    wide = access.scope(world.ASSET, policy.AMOUNTS | policy.PARTIES, [account], (0, 3), (NOW, NOW + 1000))
    why = ("whether the large-holding report was due", "article 26", "2027-14")
    grant = access.Grant(world.NETWORK, READER.id, wide, *why, NOW, NOW + 86_400_000, draw.bytes32())
    narrow = access.scope(world.ASSET, policy.AMOUNTS, [account], (1, 1), (NOW, NOW + 10))
    events = [
        access.desk_set(desk.signed([])),
        access.granted(grant.signed([aoki, baba])),
        access.used(grant.id(), access.read(narrow)),
        access.used(grant.id(), access.opening(5, draw.bytes32())),
        access.used(grant.id(), access.handed_out(b"what was read", "Example Court")),
        access.revoked(access.revocation(grant.id(), baba)),
        access.desk_set(later.signed([baba, aoki])),
    ]
    entries = [access.entry(NOW + i, event) for i, event in enumerate(events)]
    shown = [_shown(READER, entries, i, grant.signed([aoki, baba]) if i in (2, 3, 4) else None) for i in range(7)]
    told = [
        access.disclosed(access.disclosure(world.ASSET, account, what, "Example Audit", "yearly audit", file))
        for what, file in ((access.TRANSFER, b"a"), (access.ACCOUNT, b"b"), (access.STATEMENT, b"c"))
    ]
    done = [access.handled(access.handling(*one)) for one in HANDLINGS]
    own = [access.entry(NOW, event) for event in told + done]
    handed = [_shown(CUSTODIAN, own, i, None) for i in range(len(own))]
    for file in shown:
        access.verify(file, desk=desk)
    for file in handed:
        access.verify(file, node=CUSTODIAN.id)
    return hexed({
        "network": world.NETWORK, "reader": READER.id, "custodian": CUSTODIAN.id, "desk": desk.encode(),
        "later_desk": later.encode(), "grant": grant.encode(), "grant_id": grant.id(), "now": NOW,
        "entries": entries, "leaves": [tree.leaf_hash(one) for one in entries],
        "root": tree.root([tree.leaf_hash(one) for one in entries]),
        "shown": shown, "disclosed": handed[: len(told)],
        "handled": [_handled(one, file) for one, file in zip(HANDLINGS, handed[len(told) :])],
        "refused": _refused(desk, grant, (aoki, baba, chiba), entries, shown, handed),
    })  # fmt: skip


def _handled(handling, file):
    client, institution, what, reason, rows = handling
    hashes = [access.row_hash(one) for one in rows]
    return {
        "client": client, "institution": institution, "what": what, "reason": reason, "ids": rows, "rows": hashes, "file": file,
    }  # fmt: skip


def _shown(node, entries, index, grant, signers=None):
    leaves = [tree.leaf_hash(one) for one in entries]
    name = f"sudare/{world.NETWORK.hex()}/access/{node.id.hex()}"
    witness = f"sudare/{world.NETWORK.hex()}/node/{WITNESS.id.hex()}"
    sign = lambda one: lambda body: _sign(one, body)
    signers = signers or [(name, node.id, sign(node)), (witness, WITNESS.id, sign(WITNESS))]
    text = tree.checkpoint(world.NETWORK, "access", node.id, len(leaves), tree.root(leaves), signers)
    path = tree.inclusion(index, leaves)
    return access.file(access.logged(grant, entries[index], index, text, path))


def _sign(node, body):
    return ed25519.sign(node.seed, body)


def _refused(desk, grant, officers, entries, shown, handed):
    """(why, file) of what neither a desk's reader nor whoever knows the custodian takes."""
    aoki, baba, chiba = officers
    other = access.Grant(*(getattr(grant, name) for name in grant.__dataclass_fields__))
    other.case = "2027-15"
    with_grant = lambda signed: _shown(READER, entries, 2, signed)
    cases = [
        ("a use without its grant", with_grant(None)),
        ("a grant beside an entry that is no use", _shown(READER, entries, 1, grant.signed([aoki, baba]))),
        ("another grant than the use names", with_grant(other.signed([aoki, baba]))),
        ("a grant that too few signed", with_grant(grant.signed([aoki]))),
        ("a grant that one officer signed twice", with_grant(grant.signed([aoki, aoki]))),
        ("a grant that somebody else signed", with_grant(grant.signed([aoki, chiba]))),
        ("a witness's line that does not verify", _changed_witness(entries)),
        ("another place in the log", _place(entries)),
        ("cut short", shown[2][:-1]),
        ("a byte too many", shown[2] + b"\0"),
        ("the log of another node", handed[0]),
        ("personal data in the log of another node", handed[-1]),
        ("personal data handled in an unknown way", _shown(READER, [_odd()], 0, None)),
        ("too many rows", _shown(READER, [_long()], 0, None)),
    ]
    for why, file in cases:
        try:
            access.verify(file, desk=desk)
        except (access.Refused, codec.Refused):
            continue
        raise AssertionError(f"not refused: {why}")
    return [{"why": why, "file": file} for why, file in cases]


def _odd():
    """An entry of a way to handle personal data that is none."""
    return access.entry(NOW, access.handled(access.handling("c", "house", 8, "", ROWS[:1])))


def _long():
    """An entry of a row too many."""
    made = access.handling("c", "house", access.MADE, "", ROWS)
    hashes = b"".join(access.row_hash(one) for one in ROWS)
    count = len(ROWS).to_bytes(2, "little")
    assert made.endswith(count + hashes)
    more = (len(ROWS) + 1).to_bytes(2, "little") + hashes + access.row_hash("f" * 32)
    return access.entry(NOW, access.handled(made[: -len(count + hashes)] + more))


def _changed_witness(entries):
    name = f"sudare/{world.NETWORK.hex()}/access/{READER.id.hex()}"
    witness = f"sudare/{world.NETWORK.hex()}/node/{WITNESS.id.hex()}"
    wrong = lambda body: flip(_sign(WITNESS, body), 3)
    signers = [(name, READER.id, lambda body: _sign(READER, body)), (witness, WITNESS.id, wrong)]
    return _shown(READER, entries, 0, None, signers)


def _place(entries):
    leaves = [tree.leaf_hash(one) for one in entries]
    name = f"sudare/{world.NETWORK.hex()}/access/{READER.id.hex()}"
    signers = [(name, READER.id, lambda body: _sign(READER, body))]
    text = tree.checkpoint(world.NETWORK, "access", READER.id, len(leaves), tree.root(leaves), signers)
    return access.file(access.logged(None, entries[0], 1, text, tree.inclusion(0, leaves)))
