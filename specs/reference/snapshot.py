"""Register snapshots (specs/snapshot.md)."""

from dataclasses import dataclass

import codec
import policy
import relations
import ristretto as group
import sections
from codec import u8, u32, u64, u128

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
    locator: bytes

    def encode(self):
        counted = u64(self.chain[0]) + self.chain[1]
        return VERSION + self.salt + self.account + counted + self.holding + self.locator

    def node(self):
        return codec.digest("sudare/snapshot-leaf/v1", self.encode()) + self.holding + self.locator


class Tree:
    """The leaves under a seed; `rows` are (account, chain, sum of the live notes' commitments as a point)."""

    def __init__(self, seed, rows):
        size = 1
        while size < len(rows):
            size *= 2
        self.leaves, nodes, self.blinding, self.x = [], [], 0, codec.scalar(seed, "snapshot locators", b"")
        self.locators = group.encode(group.mul(self.x, group.BASE))
        for account, events, total in rows:
            own = blinding(seed, account)
            holding = group.encode(group.add(total, group.mul(own, group.BLINDING_BASE)))
            salt = codec.child(seed, "snapshot salt", account)
            self.leaves.append(Leaf(salt, account, events, holding, self.locator(account)))
            nodes.append(self.leaves[-1].node())
            self.blinding += own
        for number in range(len(rows), size):
            own = codec.scalar(seed, "snapshot padding blinding", u32(number))
            point = group.encode(group.mul(own, group.BLINDING_BASE))
            first = codec.child(seed, "snapshot padding locator", u32(number))
            nodes.append(codec.child(seed, "snapshot padding", u32(number)) + point + first)
            self.blinding += own
        self.blinding %= group.L
        self._build(sorted(nodes, key=lambda node: node[64:]))

    def _build(self, nodes):
        self.levels = [nodes]
        while len(self.levels[-1]) > 1:
            level = self.levels[-1]
            self.levels.append([_above(level[i], level[i + 1]) for i in range(0, len(level), 2)])

    def root(self):
        return self.levels[-1][0]

    def disordered(self):
        """The same leaves with the first two exchanged, as no registrar may put them."""
        other = object.__new__(Tree)
        other.__dict__.update(self.__dict__)
        first, second, *rest = self.levels[0]
        other._build([second, first, *rest])
        return other

    def shared(self, account):
        """x*A."""
        return group.encode(group.mul(self.x, group.decode(account)))

    def locator(self, account):
        return locator(account, self.shared(account))

    def path(self, place):
        path = []
        for level in self.levels[:-1]:
            path.append(level[place ^ 1])
            place //= 2
        return path

    def prove(self, account):
        """(leaf, place, path)."""
        leaf = next(leaf for leaf in self.leaves if leaf.account == account)
        place = self.levels[0].index(leaf.node())
        return leaf, place, self.path(place)

    def search(self, account):
        """(node, place, path) where the account's search ends, whether it has a leaf or not."""
        return self.search_locator(self.locator(account))

    def search_locator(self, own):
        level, place = len(self.levels) - 1, 0
        while level:
            level -= 1
            place = 2 * place + (own >= self.levels[level][2 * place + 1][64:])
        return self.levels[0][place], place, self.path(place)

    def beside(self, places, level=None, at=0):
        """The highest nodes below one without any of these leaves, from left to right."""
        level = len(self.levels) - 1 if level is None else level
        if not any(place >> level == at for place in places):
            return [self.levels[level][at]]
        if level == 0:
            return []
        return self.beside(places, level - 1, 2 * at) + self.beside(places, level - 1, 2 * at + 1)


def locator(account, shared):
    return codec.digest("sudare/snapshot-locator/v1", account, shared)


def blinding(seed, account):
    return codec.scalar(seed, "snapshot blinding", account)


def search_ends_at(node, own, place, path, leaves, root):
    """Whether the search for the locator `own` ends at this leaf."""
    if leaves != 1 << len(path) or place >= leaves:
        return False
    for beside in path:
        left, right = (beside, node) if place % 2 else (node, beside)
        if (own >= right[64:]) != bool(place % 2):
            return False
        node = _above(left, right)
        place //= 2
    return node == root


def _above(left, right):
    total = group.add(group.decode(left[32:64]), group.decode(right[32:64]))
    return codec.digest("sudare/snapshot-node/v1", left, right) + group.encode(total) + left[64:]


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
    minted: int
    supply: int
    locators: bytes
    root: bytes
    nonce: bytes

    def encode(self):
        return b"".join((
            VERSION, self.network, self.asset, self.terms, u32(self.epoch), u32(self.number), u64(self.at),
            u32(self.leaves), u128(self.minted), u64(self.supply), self.locators, self.root, self.nonce,
        ))  # fmt: skip

    def hash(self):
        return codec.digest("sudare/snapshot/v1", self.encode())

    def sums(self):
        return relations.statement("Differ", [self.supply], ([self.root[32:64]], 0), ([], 0), [])


def read_heading(reader):
    reader.version(1)
    network, asset, terms = reader.take(32), reader.take(32), reader.take(32)
    epoch, number, at = reader.number(4), reader.number(4), reader.number(8)
    leaves, minted, supply, locators = reader.number(4), reader.number(16), reader.number(8), reader.point()
    return Heading(
        network, asset, terms, epoch, number, at, leaves, minted, supply, locators, read_node(reader), reader.take(32)
    )


def read_node(reader):
    """The bytes of a SumNode."""
    return reader.take(32) + reader.point() + reader.take(32)


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


def root_over(leaves, shown, beside):
    """The root that leaves (place, node) and the nodes beside them give; None unless each stands where its search ends."""
    if leaves & (leaves - 1) or not 0 < leaves <= 2**24:
        return None
    shown, beside = list(shown), list(beside)
    found = _reached(leaves.bit_length() - 1, 0, shown, beside)
    return None if found is None or shown or beside else found[0]


def _reached(level, place, shown, beside):
    """(node, the locators shown below it), taken from what is left of both lists."""
    if not shown or shown[0][0] >= (place + 1) << level:
        if not beside:
            return None
        group.decode(beside[0][32:64])
        return beside.pop(0), []
    if level == 0:
        at, node = shown.pop(0)
        group.decode(node[32:64])
        return (node, [node[64:]]) if at == place else None
    left = _reached(level - 1, 2 * place, shown, beside)
    right = left and _reached(level - 1, 2 * place + 1, shown, beside)
    if not right:
        return None
    first = right[0][64:]
    if any(own >= first for own in left[1]) or any(own < first for own in right[1]):
        return None
    return _above(left[0], right[0]), left[1] + right[1]
