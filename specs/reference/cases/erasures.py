"""Certificates of erasures, accepted and refused."""

import codec
import erasure
from cases.common import Draw, Node, flip, hexed
from cases.world import NETWORK, NOW

HOUSE = Node("custodian of erasures")
FIELDS = dict(
    network=NETWORK, house=HOUSE.id, row="019b7a3c2d4e7f5061728394a5b6c7d8", institution="custodian-a",
    reason="asked for by the person, case 2031-7", approval="019b7a3d00007f5061728394a5b6c7d8",
    approved_at=NOW, destroyed_at=NOW + 4, root=12, items=7, accounts=2,
)  # fmt: skip


def erasures():
    key = Draw("erasures").bytes32()
    make = lambda by=HOUSE, **changes: erasure.signed(erasure.erasure(**{"key": key, **FIELDS, **changes}), by)
    accepted = [
        ("of somebody with accounts", make()),
        ("of somebody without", make(accounts=0, items=0)),
        ("in one ms, with the longest reason", make(destroyed_at=NOW, reason="消" * 66)),
    ]
    for why, file in accepted:
        assert erasure.verify(file, HOUSE.id) == (FIELDS["row"], key), why
    other, good = Node("another house"), accepted[0][1]
    refused = [
        ("by another node", make(by=other, house=other.id)),
        ("signed by another node", make(by=other)),
        ("cut short", good[:-1]),
        ("a byte too many", good + b"\0"),
        ("another version", good[:17] + b"\2" + good[18:]),
        ("destroyed before that was approved", make(destroyed_at=NOW - 1)),
        ("a row that is no id", make(row="Planted Person")),
        ("an id with a capital", make(row=FIELDS["row"].upper())),
        ("no approval", make(approval="")),
    ] + [(f"byte {place} changed", flip(good, place)) for place in range(18, len(good), 11)]
    for why, file in refused:
        try:
            erasure.verify(file, HOUSE.id)
        except (erasure.Refused, codec.Refused):
            continue
        raise AssertionError(f"accepted: {why}")
    return hexed({
        "house": HOUSE.id, "key": key, "row": FIELDS["row"],
        "accepted": [{"why": why, "file": file} for why, file in accepted],
        "refused": [{"why": why, "file": file} for why, file in refused],
    })  # fmt: skip
