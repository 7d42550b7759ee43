"""Audits, accepted and refused."""

import audit
import codec
import policy
import tree
from cases import world
from cases.access import READER, WITNESS
from cases.common import Draw, Node, flip, hexed, point
from cases.world import ASSET, NETWORK, NOW, REGISTRAR

FILES = {"exceptions.csv": b"entry,exception,what\n", "register.csv": b"account,quantity,notes\n", "statement.txt": b"x" * 9}
NUMBERS = dict(
    entries=5, legs=4, minted=100, burned=20, supply=80, tags=3, notes=6, coverage=[4, 4, 4, 3, 4],
    live=3, sums=True, holders=2, false_memos=1, exceptions=2,
)  # fmt: skip


def audits():
    draw = Draw("audits")
    keys = sorted(point(draw.scalar()) for _ in range(3))
    account = point(draw.scalar())
    grant = draw.bytes32()
    scope = (
        ASSET + codec.u8(policy.AMOUNTS) + codec.bounded([account], 256)
        + codec.u32(0) + codec.u32(2) + codec.u64(NOW) + codec.u64(NOW + 9)
    )  # fmt: skip
    make = _Maker(keys, scope, grant, draw.bytes32())
    some = dict(NUMBERS, coverage=[1, 0, 0, 0, 1], live=None, sums=False, holders=None)
    accepted = [
        ("of everything", make.file(scope=None, reads=[])),
        ("under a grant, in two goes", make.file(numbers=some)),
        ("with no key", make.file(keys=[], scope=None, reads=[], numbers=dict(some, coverage=[0, 0, 0, 0, 1]))),
        ("of the largest sums", make.file(numbers=dict(NUMBERS, minted=2**128 - 1, burned=2**128 - 2**64, supply=2**64 - 1))),
    ]
    for why, file in accepted:
        audit.verify(file, READER.id, FILES)
    refused = list(_cases(make, accepted[0][1]))
    for why, file in refused:
        try:
            audit.verify(file, READER.id, FILES)
        except (audit.Refused, codec.Refused):
            continue
        raise AssertionError(f"accepted: {why}")
    return hexed({
        "reader": READER.id, "network": NETWORK, "asset": ASSET, "registrar": REGISTRAR.id,
        "statement": audit.verify(accepted[0][1], READER.id),
        "accepted": [{"why": why, "file": file} for why, file in accepted],
        "refused": [{"why": why, "file": file} for why, file in refused],
    })  # fmt: skip


class _Maker:
    def __init__(self, keys, scope, grant, root):
        self.keys, self.scope, self.grant, self.root = keys, scope, grant, root

    def checkpoint(self, size=5, kind="asset", key=REGISTRAR, witness=None):
        name = f"sudare/{NETWORK.hex()}/{kind}/{ASSET.hex()}"
        signers = [(name, key.id, lambda body: tree.ed25519.sign(key.seed, body))]
        own = f"sudare/{NETWORK.hex()}/node/{WITNESS.id.hex()}"
        sign = witness or (lambda body: tree.ed25519.sign(WITNESS.seed, body))
        signers.append((own, WITNESS.id, sign))
        return tree.checkpoint(NETWORK, kind, ASSET, size, self.root, signers)

    def file(self, keys=None, scope="own", reads=None, numbers=NUMBERS, files=None, reader=READER, by=READER, **more):
        keys = self.keys if keys is None else keys
        read = [audit.key_read(key, epoch, policy.AMOUNTS) for epoch, key in enumerate(keys)]
        reads = [3, 7] if reads is None else reads
        under = [audit.read_under(self.grant, entry) for entry in reads]
        listed = [audit.file_hash(name, data) for name, data in (FILES.items() if files is None else files)]
        body = audit.audit(
            NOW, reader.id, (NETWORK, ASSET, REGISTRAR.id), self.checkpoint(**more), read,
            self.scope if scope == "own" else scope, under, audit.figures(**numbers), "reference 1", listed,
        )  # fmt: skip
        return audit.signed(body, by)


def _cases(make, good):
    other = Node("another regulator")
    yield "by another node", make.file(reader=other, by=other)
    yield "signed by another node", make.file(by=other)
    yield "cut short", good[:-1]
    yield "a byte too many", good + b"\0"
    yield "another version", good[:17] + b"\2" + good[18:]
    for place in (20, 60, 100, 140, len(good) // 2, len(good) - 100, len(good) - 3):
        yield f"byte {place} changed", flip(good, place)
    yield "a checkpoint of another size", make.file(size=6)
    yield "a checkpoint of another kind of log", make.file(kind="notary")
    yield "a checkpoint by another node", make.file(key=other)
    yield "a witness's line that does not verify", make.file(witness=lambda body: flip(tree.ed25519.sign(WITNESS.seed, body), 1))
    changes = [
        ("a supply that is not the difference", dict(supply=81)),
        ("more burned than minted", dict(burned=101, supply=2**64 - 1)),
        ("as many legs as entries", dict(legs=5, coverage=[5, 5, 5, 5, 5])),
        ("more legs read than there are", dict(coverage=[4, 4, 5, 3, 4])),
        ("live notes without all links", dict(coverage=[4, 4, 4, 3, 3])),
        ("no live notes with all links", dict(live=None, sums=False, holders=None)),
        ("sums without all amounts", dict(coverage=[3, 4, 4, 3, 4], holders=None)),
        ("no sums with all amounts", dict(sums=False, holders=None)),
        ("holders without all parties", dict(coverage=[4, 3, 4, 3, 4])),
        ("more notes alive than made", dict(live=7)),
        ("fewer exceptions than false memos", dict(false_memos=3)),
    ]
    for why, change in changes:
        yield why, make.file(numbers=dict(NUMBERS, **change))
    yield "keys out of order", make.file(keys=make.keys[::-1])
    yield "a key twice", make.file(keys=[make.keys[0]] * 2)
    yield "reads out of order", make.file(reads=[7, 3])
    pairs = list(FILES.items())
    yield "files out of order", make.file(files=pairs[::-1])
    yield "a file twice", make.file(files=[pairs[0], pairs[0]])
    for name in ("../register.csv", "a/b", ".hidden", "", "a b", "レ"):
        yield f"a file called {name!r}", make.file(files=[(name, b"")])
