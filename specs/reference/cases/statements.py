"""Files of statements, accepted and refused."""

import dataclasses

import codec
import ed25519
import leg
import relations
import ristretto as group
import snapshot
import statement
import tree
from cases import joints, world
from cases.common import Draw, Node, flip, hexed, point
from cases.world import LEG_SALT, NETWORK, NOW, REGISTRAR
from statement import CUSTODIAN
from statement import REGISTRAR as BY_REGISTRAR

RECIPIENT = "Example Authority"
SUPPLY, MINTED = 150, 190


def statements():
    log = _Log()
    made = [*_of_notes(log), *_of_registers(log), *_of_holdings(log), *joints.accepted(log)]
    accepted = [_accepted(*case) for case in made]
    bad = [*_bad_files(log), *_bad_notes(log), *_bad_registers(log), *_bad_holdings(log), *joints.refused(log)]
    refused = [_refused(*case) for case in bad]
    return hexed({
        "asset": world.ASSET, "recipient": RECIPIENT, "nonce": log.nonce, "accepted": accepted, "refused": refused,
        "joint": joints.files(log),
    })  # fmt: skip


def _accepted(why, file):
    return {"why": why, "file": file, "shows": statement.verify(file, RECIPIENT, Draw("statement").bytes32(), world.ASSET)}


def _refused(rule, why, file):
    try:
        statement.verify(file, RECIPIENT, Draw("statement").bytes32(), world.ASSET)
    except statement.Broken as error:
        assert error.rule == rule, f"{why}: {error}"
    else:
        raise AssertionError(f"accepted: {why}")
    return {"rule": rule, "why": why, "file": file}


class _Log:
    """A log of 6: snapshots in entries 1 and 3, a transfer in 2.

    In snapshot 0 alice holds 150, in snapshot 1 alice 70, anna 20 and bob 60; carl never had anything.
    """

    def __init__(self):
        self.nonce = Draw("statement").bytes32()
        draw = Draw("statement log")
        self.keys = {name: draw.scalar() for name in ("alice", "anna", "bob", "carl")}
        self.tx, _, _ = world.settled()
        self.made, _, self.paid = world.build(world.TRANSFER)
        self.leg_body = draw.bytes32()
        leaf = b"\1" + self.tx.id() + codec.u8(0) + self.tx.legs[0][1] + self.leg_body
        self.leaves = [tree.leaf_hash(f"statement entry {i}".encode()) for i in range(6)]
        self.leaves[2] = tree.leaf_hash(leaf)
        rows = ({"alice": 150}, {"alice": 70, "anna": 20, "bob": 60})
        self.snapshots = [self._snapshot(draw, number, held) for number, held in enumerate(rows)]

    def _snapshot(self, draw, number, held):
        seed, entry, body = draw.bytes32(), 1 + 2 * number, draw.bytes32()
        openings = {name: (value, draw.scalar()) for name, value in held.items()}
        row = lambda name: (self.account(name), snapshot.chain([]), group.commit(*openings[name]))
        made = snapshot.Tree(seed, [row(name) for name in held])
        total = SUPPLY, (sum(r for _, r in openings.values()) + made.blinding) % group.L
        for name, (value, blinding) in openings.items():
            own = blinding + snapshot.blinding(seed, self.account(name))
            openings[name] = value, own % group.L
        heading = snapshot.Heading(
            NETWORK, world.ASSET, world.terms().hash(), 0, number, NOW + number, len(made.levels[0]), MINTED, SUPPLY,
            made.locators, made.root(), draw.bytes32(),
        )  # fmt: skip
        assert made.root()[32:64] == group.encode(group.commit(*total))
        self.leaves[entry] = tree.leaf_hash(b"\2" + heading.hash() + body)
        return {"heading": heading, "entry": entry, "body": body, "tree": made, "openings": openings, "total": total}

    def account(self, name):
        return point(self.keys[name])

    def subject(self, recipient=RECIPIENT, core=None, signer=REGISTRAR, nonce=None):
        name = f"sudare/{NETWORK.hex()}/asset/{world.ASSET.hex()}"
        sign = (name, signer.id, lambda text: ed25519.sign(signer.seed, text))
        text = tree.checkpoint(NETWORK, "asset", world.ASSET, 6, tree.root(self.leaves), [sign])
        return statement.Subject((core or world.core()).encode(), text, recipient, nonce or self.nonce)

    def heading(self, number, entry=None, **changes):
        own = self.snapshots[number]
        path = tree.inclusion(own["entry"], self.leaves)
        changed = dataclasses.replace(own["heading"], **changes)
        return statement.shown_heading(changed, own["entry"] if entry is None else entry, own["body"], path)

    def located(self, name, of, here, at=None, **changes):
        """encode(Located) of an account where its search ends, or at the leaf where that of `at` does."""
        made = self.snapshots[of]["tree"]
        node, place, path = made.search(self.account(at or name))
        parts = {"shared": made.shared(self.account(name)), "leaf": node, "number": place, "path": path, **changes}
        return statement.located(here, self.account(name), **parts)

    def output(self, number, entry=2, of=None):
        components = leg.tear_off(self.made, LEG_SALT, 0, [(leg.OUTPUT, number)])
        path = tree.inclusion(2, self.leaves)
        return statement.shown(entry, self.leg_body, path, self.tx.id(), 0, self.tx.legs[0][1], components)

    # --- files

    def notes(self, kind, numbers, left, right=(), clear=(0, 0), account=None, claim=None, **subject):
        """A file about outputs of the transfer; `claim` are other numbers than proved, `account` whose notes are left."""
        draw, about = Draw(f"notes {kind} {numbers} {left} {right}"), self.subject(**subject)
        sides = [statement.side([self.output(i) for i in side], number) for side, number in zip((left, right), clear)]
        whose = None if account is None else group.encode(account)
        on = relations.transcript(statement.NOTES_PROTOCOL, statement.notes_context(about, whose, *sides))
        opened = lambda side: [(self.paid[i].value, self.paid[i].blinding) for i in side]
        totals = [(opened(side), number) for side, number in zip((left, right), clear)]
        proof = statement.prove_totals(on, kind, numbers, *totals, draw)
        holder = None
        if whose is not None:
            secrets = [self.paid[i].slot.secrets for i in left]
            relation, rho = relations.holder(on, whose, [self.paid[i].slot.owner for i in left])
            witness = relations.holder_witness(rho, [one.t for one in secrets], [one.s for one in secrets])
            holder, _ = relation.prove(on, witness, draw.bytes32())
        said = statement.kind_bytes(kind, claim or numbers)
        return statement.notes_file(about, whose, said, *sides, proof, holder)

    def register(self, maker, kind, numbers, left, right=(), clear=(0, 0), shown=(0, 1), headings=None, **other):
        """A file about two totals; terms are ("alice", 1), "register" or "supply", of the last of `shown`."""
        draw, about = Draw(f"register {maker} {kind} {numbers} {left} {right}"), self.subject(**other.pop("about", {}))
        found, totals, sides, last = [], [], [], len(shown) - 1
        for terms, number in zip((left, right), clear):
            encoded, openings, plain = [], [], number
            for term in terms:
                of = self.snapshots[shown[last]]
                if term == "supply":
                    encoded.append(statement.supply_term(last))
                    plain += of["heading"].supply
                elif term == "register":
                    encoded.append(statement.register_term(last))
                    openings.append(of["total"])
                else:
                    name, at = term
                    here = shown.index(at)
                    found.append((name, here))
                    encoded.append(statement.account_term(other.get("moved") or self.located(name, at, here)))
                    held = self.snapshots[at]["openings"].get(name)
                    openings += [held] if held else []
            sides.append(statement.total(encoded, number))
            totals.append((openings, plain % 2**64))
        if headings is None:
            headings = [self.heading(number) for number in shown]
        context = statement.totals_context(about, maker, headings, *sides)
        on = relations.transcript(statement.REGISTER_PROTOCOL, context)
        locators = self.locators(on, maker, found, shown, draw, other.get("keys"))
        proof = statement.prove_totals(on, kind, numbers, *totals, draw)
        said = statement.kind_bytes(kind, other.get("claim") or numbers)
        says = statement.totals_says(said, *sides, proof)
        return statement.register_file(about, maker, headings, says, other.get("locators", locators))

    def absent(self, maker, names, number, **other):
        draw, about = Draw(f"absent {maker} {names} {number}"), self.subject()
        accounts = other.get("accounts") or [self.located(name, number, 0) for name in names]
        headings = [self.heading(number)]
        context = statement.absent_context(about, maker, headings, accounts)
        on = relations.transcript(statement.REGISTER_PROTOCOL, context)
        locators = self.locators(on, maker, [(name, 0) for name in names], [number], draw, other.get("keys"))
        return statement.register_file(about, maker, headings, statement.absent_says(accounts), locators)

    def holdings(self, names, number, claim=None, **other):
        """A file of what accounts hold in a snapshot; `claim` are other quantities than proved."""
        draw, about = Draw(f"holdings {names} {number}"), self.subject()
        own, made = self.snapshots[number], self.snapshots[number]["tree"]
        found = sorted((made.search(self.account(name))[1], name) for name in names)
        line = lambda place, name, quantity: statement.held_line(
            place, made.levels[0][place], self.account(name), made.shared(self.account(name)), quantity
        )  # fmt: skip
        held = [own["openings"][name] for _, name in found]
        quantities = [value for value, _ in held] if claim is None else claim
        lines = [line(*one, quantity) for one, quantity in zip(found, quantities, strict=True)]
        lines = other.get("lines", lambda same: same)(lines)
        beside = other.get("beside", lambda same: same)(made.beside([place for place, _ in found]))
        shown = other.get("shown") or self.heading(number)
        on = relations.transcript(statement.HOLDINGS_PROTOCOL, statement.holdings_context(about, shown, lines, beside))
        read = [codec.decode(one, statement._read_line) for one in lines]
        public = [(account, shared, holding, quantity) for _, _, holding, account, shared, quantity in read]
        relation, rho = relations.holdings(on, made.locators, public, made.root()[32:64], SUPPLY)
        blindings = [blinding for _, blinding in held] + [own["total"][1]]
        witness = relations.holdings_witness(rho, other.get("x", made.x), blindings)
        proof, _ = relation.prove(on, witness, draw.bytes32())
        return statement.holdings_file(about, shown, lines, beside, proof)

    def locators(self, on, maker, found, shown, draw, keys=None):
        proofs = []
        for name, here in found:
            made = self.snapshots[shown[here]]["tree"]
            relation = statement.locator_of(maker, self.account(name), made.locators, made.shared(self.account(name)))
            secret = (keys or self.keys)[name] if maker == CUSTODIAN else made.x
            proofs.append(relation.prove(on, [secret], draw.bytes32())[0])
        return proofs


def _of_notes(log):
    first = log.paid[0].value
    account = log.paid[0].slot.secrets.account()
    yield "a note is worth at least", log.notes("AtLeast", [first], [0], account=account)
    yield "at most", log.notes("AtMost", [first], [0], account=account)
    yield "between", log.notes("Between", [1, 2**41], [0])
    yield "a share of a number in clear", log.notes("Share", [1, 20], [0], clear=(0, 20 * first))
    yield "a share of another note", log.notes("Share", [1, 1], [0], [1])
    yield "two notes differ", log.notes("Differ", [first - 699], [0], [1])
    yield "two notes less a number in clear", log.notes("AtLeast", [first], [0, 1], clear=(0, 699))


def _of_registers(log):
    alice, anna, bob = (("alice", 1), ("anna", 1), ("bob", 1))
    before = ("alice", 0)
    of = lambda *case, **more: log.register(CUSTODIAN, *case, **more)
    yield "holds at least", of("AtLeast", [70], [alice], shown=(1,))
    yield "holds at most", of("AtMost", [70], [alice], shown=(1,))
    yield "holds between", of("Between", [60, 80], [alice], shown=(1,))
    yield "holds a share of the supply", of("Share", [7, 15], [alice], ["supply"], shown=(1,))
    yield "a set holds a share of the supply", of("Share", [3, 5], [alice, anna], ["supply"], shown=(1,))
    yield "a set holds exactly", of("Differ", [150], [alice, anna, bob], shown=(1,))
    yield "one of a set holds nothing", of("Differ", [70], [alice, ("carl", 1)], shown=(1,))
    yield "two are equal but for a number", of("Differ", [0], [alice], [anna], clear=(0, 50), shown=(1,))
    yield "a change of at most 80", of("AtMost", [80], [before], [alice])
    yield "a change since nothing was held", of("Between", [20, 20], [anna], [("anna", 0)])
    yield "nobody of these is a holder", log.absent(CUSTODIAN, ["carl"], 1)
    yield "three were not before", log.absent(CUSTODIAN, ["anna", "bob", "carl"], 0)
    of = lambda *case, **more: log.register(BY_REGISTRAR, *case, **more)
    yield "the registrar says it", of("Share", [7, 15], [alice], ["supply"], shown=(1,))
    yield "it says a change", of("Differ", [80], [before], [alice])
    yield "it says who is no holder", log.absent(BY_REGISTRAR, ["carl"], 1)
    yield "the register is the supply", of("Differ", [0], ["register"], ["supply"], shown=(1,))


def _of_holdings(log):
    yield "the whole register", log.holdings(["alice", "anna", "bob"], 1)
    yield "one of three accounts", log.holdings(["anna"], 1)
    yield "two of three accounts", log.holdings(["alice", "bob"], 1)
    yield "the only account", log.holdings(["alice"], 0)


def _bad_holdings(log):
    whole = ["alice", "anna", "bob"]
    exchange = lambda same: [same[1], same[0], *same[2:]]
    yield "HDG-1", "another quantity", log.holdings(["anna"], 1, claim=[21])
    found = sorted((log.snapshots[1]["tree"].search(log.account(name))[1], name) for name in whole)
    held = [log.snapshots[1]["openings"][name][0] for _, name in found]
    yield "HDG-1", "a unit of one booked on another", log.holdings(whole, 1, claim=[held[0] + 1, held[1] - 1, held[2]])
    yield "HDG-3", "more than the supply", log.holdings(whole, 1, claim=[held[0] + 1, *held[1:]])
    yield "HDG-1", "without the snapshot's key", log.holdings(["anna"], 1, x=5)
    yield "HDG-2", "a node is missing", log.holdings(["anna"], 1, beside=lambda same: same[:-1])
    yield "HDG-2", "a node too many", log.holdings(["anna"], 1, beside=lambda same: [*same, same[-1]])
    yield "HDG-2", "nodes exchanged", log.holdings(["anna"], 1, beside=exchange)
    yield "HDG-2", "lines out of order", log.holdings(whole, 1, lines=exchange)
    yield "HDG-2", "a line twice", log.holdings(whole, 1, lines=lambda same: [same[0], same[0], *same[2:]])
    moved = lambda same: [codec.u32(int.from_bytes(same[0][:4], "little") ^ 1) + same[0][4:]]
    yield "HDG-2", "at another place", log.holdings(["anna"], 1, lines=moved)
    named = lambda same: [same[0][:68] + log.account("carl") + same[0][100:]]
    yield "HDG-2", "under another account", log.holdings(["anna"], 1, lines=named)
    yield "RST-1", "in another entry", log.holdings(["anna"], 1, shown=log.heading(1, entry=2))
    yield "RST-1", "of another asset", log.holdings(["anna"], 1, shown=log.heading(1, asset=bytes(32)))


def _bad_files(log):
    good = log.register(CUSTODIAN, "Differ", [70], [("alice", 1)], shown=(1,))
    yield "ENC-1", "cut short", good[:-1]
    yield "ENC-1", "a byte too many", good + b"\0"
    yield "ENC-1", "another version of the subject", flip(good, 17)
    yield "ENC-1", "of another kind", good[:16] + codec.u8(0) + good[17:]
    yield "STM-6", "for another recipient", log.notes("Differ", [log.paid[0].value], [0], recipient="Another Authority")
    yield "STM-6", "for another nonce", log.notes("Differ", [log.paid[0].value], [0], nonce=bytes(32))
    yield "STM-4", "about another asset", log.notes("Differ", [log.paid[0].value], [0], core=world.core("cash"))
    yield "STM-4", "under a checkpoint of another signer", log.notes("Differ", [log.paid[0].value], [0], signer=Node("stranger"))
    other = log.notes("AtLeast", [1], [0], recipient="Exemple Authority")
    yield "STM-1", "made for another recipient", other.replace(b"Exemple", b"Example")
    other = log.register(CUSTODIAN, "Differ", [70], [("alice", 1)], shown=(1,), about={"nonce": bytes(32)})
    at = other.index(RECIPIENT.encode()) + len(RECIPIENT)
    yield "LOC-1", "made for another nonce", other[:at] + log.nonce + other[at + 32 :]


def _bad_notes(log):
    first = log.paid[0].value
    account, other = (log.paid[i].slot.secrets.account() for i in (0, 1))
    yield "STM-1", "one unit more than it is worth", log.notes("AtLeast", [first], [0], claim=[first + 1])
    yield "STM-1", "proved with a limb below zero", log.notes("AtLeast", [first + 1], [0])
    yield "STM-1", "a larger share", log.notes("Share", [1, 20], [0], clear=(0, 20 * first), claim=[1, 19])
    yield "STM-1", "another difference", log.notes("Differ", [first - 699], [0], [1], claim=[first - 698])
    yield "STM-3", "low above high", log.notes("Between", [1, 2**41], [0], claim=[2**41, 1])
    yield "STM-3", "more than all", log.notes("Share", [1, 1], [0], [1], claim=[2, 1])
    yield "STM-4", "a note twice", log.notes("AtLeast", [1], [0, 0])
    yield "HLD-1", "another's note", log.notes("AtLeast", [1], [0], account=other)
    moved = log.notes("AtLeast", [1], [0], account=account)
    place = moved.index(log.output(0)[:40])
    yield "STM-4", "another place in the log", flip(moved, place)
    root = moved.index(log.tx.legs[0][1], place)
    yield "STM-4", "another leg", flip(moved, root)


def _bad_registers(log):
    alice, before = ("alice", 1), ("alice", 0)
    of = lambda *case, **more: log.register(CUSTODIAN, *case, **more)
    yield "STM-1", "one unit more than is held", of("AtLeast", [70], [alice], shown=(1,), claim=[71])
    yield "STM-1", "proved with a limb below zero", of("AtLeast", [71], [alice], shown=(1,))
    yield "STM-1", "a larger share of the supply", of("Share", [7, 15], [alice], ["supply"], shown=(1,), claim=[7, 14])
    yield "STM-1", "a larger change", of("AtMost", [80], [before], [alice], claim=[79])
    yield "RST-2", "an account twice", of("Differ", [140], [alice, alice], shown=(1,))
    yield "RST-2", "the supply twice", of("Differ", [0], [alice], ["supply", "supply"], shown=(1,))
    yield "RST-2", "numbers beyond 64 bits", of("Differ", [0], [alice], ["supply"], clear=(0, 2**64 - 1), shown=(1,))
    yield "LOC-1", "with another key", of("Differ", [70], [alice], shown=(1,), keys={"alice": log.keys["bob"]})
    yield "LOC-1", "without a proof of the locator", of("Differ", [70], [alice], shown=(1,), locators=[])
    swapped = log.located("alice", 1, 0, shared=log.snapshots[1]["tree"].shared(log.account("bob")), at="bob")
    yield "SNP-5", "at another's leaf", of("Differ", [70], [alice], shown=(1,), moved=log.located("alice", 1, 0, at="bob"))
    yield "SNP-5", "with another's shared point", of("Differ", [70], [alice], shown=(1,), moved=swapped)
    yield "SNP-5", "at another place", of("Differ", [70], [alice], shown=(1,), moved=log.located("alice", 1, 0, number=7))
    other = point(5)
    altered = log.snapshots[1]["tree"].search(log.account("alice"))[0]
    altered = altered[:32] + other + altered[64:]
    moved = log.located("alice", 1, 0, leaf=altered)
    yield "SNP-5", "a leaf with another holding", of("Differ", [70], [alice], shown=(1,), moved=moved)
    moved = log.located("alice", 1, 1)
    yield "RST-1", "of a snapshot that is not shown", of("Differ", [70], [alice], shown=(1,), moved=moved)
    yield "RST-1", "no snapshots", of("Differ", [70], [alice], shown=(1,), headings=[])
    turned = [log.heading(1), log.heading(0)]
    yield "RST-1", "snapshots out of order", of("Differ", [80], [before], [alice], headings=turned)
    for why, heading in (
        ("of another asset", log.heading(1, asset=bytes(32))),
        ("of another network", log.heading(1, network=bytes(32))),
        ("with another time", log.heading(1, at=NOW)),
        ("with another supply", log.heading(1, supply=140)),
        ("in another entry", log.heading(1, entry=2)),
    ):
        yield "RST-1", f"a snapshot {why}", of("Differ", [70], [alice], shown=(1,), headings=[heading])
    yield "RST-3", "a holder is said to be absent", log.absent(CUSTODIAN, ["anna"], 1)
    yield "RST-3", "one of several", log.absent(CUSTODIAN, ["carl", "anna"], 1)
    yield "RST-3", "nobody is said to be absent", log.absent(CUSTODIAN, [], 1)
    elsewhere = [log.located("anna", 1, 0, at="bob")]
    yield "SNP-5", "a holder at another leaf", log.absent(CUSTODIAN, ["anna"], 1, accounts=elsewhere)
    astray = log.absent(CUSTODIAN, ["anna"], 1, accounts=[_astray(log, "anna")])
    yield "LOC-1", "a holder with another shared point", astray
    yield "LOC-1", "absent without the key", log.absent(CUSTODIAN, ["carl"], 1, keys={"carl": log.keys["bob"]})
    supply = lambda **more: log.register(BY_REGISTRAR, "Differ", [0], ["register"], ["supply"], shown=(1,), **more)
    yield "STM-1", "another supply than the register's", supply(claim=[1])


def _astray(log, name):
    """A holder where the search for another locator than its own ends."""
    made, account = log.snapshots[1]["tree"], log.account(name)
    shared = group.encode(Draw("astray").point())
    own = snapshot.locator(account, shared)
    node, place, path = made.search_locator(own)
    return statement.located(0, account, shared, node, place, path)
