"""Register snapshots (specs/snapshot.md)."""

from dataclasses import dataclass

import codec
import policy
import relations
import ristretto as group
import sections
from codec import u8, u32, u64

VERSION = u8(1)
KIND = u8(4)
READERS = policy.PARTIES | policy.LINKS


def received(entry, output, note):
    """encode(AccountEvent) of a note that came."""
    return u8(0) + u64(entry) + u8(output) + note


def spent(entry, position, note):
    """encode(AccountEvent) of a note that went."""
    return u8(1) + u64(entry) + u8(position) + note


def chain(events, after=(0, bytes(32))):
    """(count, head) after more events."""
    count, head = after
    for event in events:
        count, head = count + 1, codec.digest("sudare/account-chain/v1", head, event)
    return count, head


@dataclass
class Leaf:
    """A SnapshotLeaf; `chain` is (count, head)."""

    salt: bytes
    account: bytes
    chain: tuple
    holding: bytes

    def encode(self):
        return VERSION + self.salt + self.account + u64(self.chain[0]) + self.chain[1] + self.holding

    def node(self):
        return codec.digest("sudare/snapshot-leaf/v1", self.encode()) + self.holding


class Tree:
    """The leaves under a seed; `rows` are (account, chain, sum of the live notes' commitments as a point)."""

    def __init__(self, seed, rows):
        size = 1
        while size < len(rows):
            size *= 2
        self.leaves, nodes, self.blinding = [], [], 0
        for account, events, total in rows:
            own = blinding(seed, account)
            holding = group.encode(group.add(total, group.mul(own, group.BLINDING_BASE)))
            self.leaves.append(Leaf(codec.child(seed, "snapshot salt", account), account, events, holding))
            nodes.append(self.leaves[-1].node())
            self.blinding += own
        for number in range(len(rows), size):
            own = codec.scalar(seed, "snapshot padding blinding", u32(number))
            point = group.encode(group.mul(own, group.BLINDING_BASE))
            nodes.append(codec.child(seed, "snapshot padding", u32(number)) + point)
            self.blinding += own
        self.blinding %= group.L
        self.levels = [sorted(nodes)]
        while len(self.levels[-1]) > 1:
            level = self.levels[-1]
            self.levels.append([_above(level[i], level[i + 1]) for i in range(0, len(level), 2)])

    def root(self):
        return self.levels[-1][0]

    def prove(self, account):
        """(leaf, place, path)."""
        leaf = next(leaf for leaf in self.leaves if leaf.account == account)
        place = at = self.levels[0].index(leaf.node())
        path = []
        for level in self.levels[:-1]:
            path.append(level[at ^ 1])
            at //= 2
        return leaf, place, path


def blinding(seed, account):
    return codec.scalar(seed, "snapshot blinding", account)


def is_in_tree(node, place, path, leaves, root):
    if leaves != 1 << len(path) or place >= leaves:
        return False
    for beside in path:
        node = _above(beside, node) if place % 2 else _above(node, beside)
        place //= 2
    return node == root


def _above(left, right):
    total = group.add(group.decode(left[32:]), group.decode(right[32:]))
    return codec.digest("sudare/snapshot-node/v1", left, right) + group.encode(total)


@dataclass
class Heading:
    """What a snapshot says."""

    network: bytes
    asset: bytes
    terms: bytes
    epoch: int
    number: int
    at: int
    leaves: int
    supply: int
    root: bytes
    nonce: bytes

    def encode(self):
        return b"".join((
            VERSION, self.network, self.asset, self.terms, u32(self.epoch), u32(self.number), u64(self.at),
            u32(self.leaves), u64(self.supply), self.root, self.nonce,
        ))  # fmt: skip

    def hash(self):
        return codec.digest("sudare/snapshot/v1", self.encode())

    def sums(self):
        return relations.statement("Differ", [self.supply], ([self.root[32:]], 0), ([], 0), [])


def read_heading(reader):
    reader.version(1)
    network, asset, terms = reader.take(32), reader.take(32), reader.take(32)
    epoch, number, at = reader.number(4), reader.number(4), reader.number(8)
    leaves, supply = reader.number(4), reader.number(8)
    return Heading(
        network, asset, terms, epoch, number, at, leaves, supply, reader.take(32) + reader.point(), reader.take(32)
    )


def readers(epoch):
    return [key.point for key in epoch.keys if key.fields & READERS == READERS]


def entry(heading, seed, sum_blinding, keys, draw):
    """encode(Entry) of a snapshot whose seed is sealed to `keys`; `sum_blinding` is that of the root's sum."""
    m, w = draw.scalar(), draw.scalar()
    section = sections.seal(KIND, heading.encode(), seed, keys, m, w)
    on = relations.transcript("sudare/snapshot/v1", heading.encode())
    on.append_message(b"sealed", section.encode())
    wrapped = relations.wrap([(section.ephemeral, section.wraps, keys)])
    proof, _ = wrapped.prove(on, [w], draw.bytes32())
    sums, _ = heading.sums().prove(on, [sum_blinding], draw.bytes32())
    return u8(2) + heading.encode() + section.encode() + proof + sums
