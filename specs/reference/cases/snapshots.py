"""Register snapshots: chains, leaves and roots, entries that hold and entries that don't."""

import dataclasses

import codec
import ristretto as group
import snapshot
from cases import world
from cases.common import Draw, hexed, point, scalar_hex

SUPPLY = 700 + 2**40


def snapshots():
    draw = Draw("snapshot")
    seed, rows, notes = draw.bytes32(), [], []
    for number, value in enumerate((700, 0, 2**40)):
        account = point(draw.scalar())
        note = draw.bytes32()
        events = [snapshot.received(1 + number, number, note)]
        if value == 0:
            events.append(snapshot.spent(5, 1, note))
        blinding = draw.scalar() if value else 0
        total = group.commit(value, blinding)
        rows.append((account, snapshot.chain(events), total))
        notes.append((events, value, blinding))
    tree = snapshot.Tree(seed, rows)
    live = sum(blinding for _, _, blinding in notes)
    sum_blinding = (tree.blinding + live) % group.L
    root = tree.root()
    assert root[32:64] == group.encode(group.commit(SUPPLY, sum_blinding))
    heading = snapshot.Heading(
        world.NETWORK, world.ASSET, world.terms().hash(), 0, 2, world.NOW, 4, SUPPLY + 90, SUPPLY, tree.locators, root,
        draw.bytes32(),
    )  # fmt: skip
    keys = snapshot.readers(world.epoch())
    made = lambda heading=heading, keys=keys, blinding=sum_blinding: snapshot.entry(
        heading, seed, blinding, keys, Draw("snapshot proofs")
    )
    accounts = []
    for (account, events, total), (listed, _, _) in zip(rows, notes, strict=True):
        leaf, place, path = tree.prove(account)
        assert snapshot.search_ends_at(leaf.node(), leaf.locator, place, path, 4, root)
        accounts.append({
            "account": account, "events": listed, "count": events[0], "head": events[1], "sum": group.encode(total),
            "leaf": leaf.encode(), "place": place, "path": path, "blinding": scalar_hex(snapshot.blinding(seed, account)),
        })  # fmt: skip
    return hexed({
        "network": world.NETWORK, "signed_terms": world.terms().signed(world.REGISTRAR.seed), "asset": world.ASSET,
        "seed": seed, "accounts": accounts, "root": root, "heading": heading.encode(), "heading_hash": heading.hash(),
        "searches": [_search(*case) for case in _searches(tree, draw)],
        "registrar": world.MASTER["registrar"], "entry": made(),
        "refused": [
            {"rule": rule, "why": why, "entry": entry} for rule, why, entry in _refused(heading, keys, sum_blinding, made)
        ],
    })  # fmt: skip


def _search(tree, why, account, node, place, path):
    """Whether the account's search ends at the leaf."""
    ends = snapshot.search_ends_at(node, tree.locator(account), place, path, 4, tree.root())
    return {
        "why": why, "account": account, "shared": tree.shared(account), "locator": tree.locator(account), "leaf": node,
        "place": place, "path": path, "root": tree.root(), "ends": ends,
    }  # fmt: skip


def _searches(tree, draw):
    """(tree, why, account, leaf, place, path), in the tree and in one that is not in order."""
    at = lambda tree, place: (tree.levels[0][place], place, tree.path(place))
    for leaf in tree.leaves:
        place = tree.prove(leaf.account)[1]
        yield tree, "an account that is there", leaf.account, *tree.search(leaf.account)
        yield tree, "beside it", leaf.account, *at(tree, place ^ 1)
    for _ in range(6):
        account = point(draw.scalar())
        for place in range(4):
            yield tree, "an account that is not there", account, *at(tree, place)
    wrong = tree.disordered()
    for place in range(2):
        for leaf in wrong.leaves:
            if leaf.node() == wrong.levels[0][place]:
                yield wrong, "a leaf out of order", leaf.account, *at(wrong, place)


def _refused(heading, keys, blinding, made):
    other = lambda **changes: dataclasses.replace(heading, **changes)
    yield "SNP-1", "another network", made(other(network=bytes(32)))
    yield "SNP-1", "another asset", made(other(asset=bytes(32)))
    yield "SNP-1", "under other terms", made(other(terms=bytes(32)))
    yield "SNP-1", "in an epoch that is not in force", made(other(epoch=1))
    yield "SNP-1", "leaves that are no power of two", made(other(leaves=3))
    yield "SNP-1", "too many leaves", made(other(leaves=2**25))
    yield "SNP-1", "sealed to another key", made(keys=[point(7)])
    yield "SNP-1", "sealed to a key too many", made(keys=[*keys, point(7)])
    yield "SNP-1", "sealed to nobody", _without_readers(made())
    yield "SNP-1", "another nonce than was proved", _flipped(heading, made())
    yield "SNP-4", "holdings that are not the supply", made(other(supply=SUPPLY + 1))
    yield "SNP-4", "a sum with another blinding", made(blinding=(blinding + 1) % group.L)


def _without_readers(entry):
    head = 1 + len(_heading(entry)) + 1 + 32
    return entry[:head] + codec.u16(0) + entry[head + 2 + 32 :]


def _flipped(heading, entry):
    changed = dataclasses.replace(heading, nonce=bytes(32))
    return entry[:1] + changed.encode() + entry[1 + len(changed.encode()) :]


def _heading(entry):
    return snapshot.read_heading(codec.Reader(entry[1:])).encode()
