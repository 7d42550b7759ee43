"""Legs of each purpose, their components, and legs that must be refused."""

import copy

import codec
import leg
import policy
import ristretto as group
import sections
from cases import world
from cases.common import Draw, flip, hexed, scalar_hex
from cases.world import ISSUE, REDEEM, TRANSFER

NAMES = {ISSUE: "issue", TRANSFER: "transfer", REDEEM: "redeem"}


def legs():
    accepted = [_written(purpose) for purpose in (ISSUE, TRANSFER, REDEEM)]
    refused = [
        {"rule": rule, "why": why, "leg": bad.encode() if isinstance(bad, leg.Leg) else bad}
        for rule, why, bad in _refused()
    ]
    return hexed({"signed_terms": world.terms().signed(world.REGISTRAR.seed), "accepted": accepted, "refused": refused})


def _written(purpose):
    made, spent, outputs = world.build(purpose)
    salt, number = world.LEG_SALT, purpose
    leaves = made.leaves(salt, number)
    components = [
        {"kind": kind, "index": index, "salt": leg.component_salt(salt, kind, index), "body": body, "leaf": leaf}
        for (kind, index, body), leaf in zip(made.items(), leaves, strict=True)
    ]
    wanted = [(leg.HEADER, 0), (leg.OUTPUT, 0), (leg.SECTION, 0), (leg.SECTION, len(outputs) + 1)]
    registrar = world.epoch().keys[0]
    written = {
        "name": NAMES[purpose], "leg": made.encode(), "salt": salt, "number": number, "components": components,
        "root": made.root(salt, number), "registrar_secret": scalar_hex(registrar.secret),
        "inputs": [
            {
                "note_id": note.note_id(), "owner": group.encode(note.slot.secrets.owner()),
                "commitment": note.commitment(), "tag": group.encode(note.slot.secrets.tag()),
                "account": group.encode(note.slot.secrets.account()),
            }
            for note in spent
        ],
        "outputs": [
            {
                "note_id": output.note_id(), "account": group.encode(output.slot.secrets.account()),
                "value": str(output.value), "blinding": scalar_hex(output.blinding),
                "secrets": {name: scalar_hex(value) for name, value in vars(output.slot.secrets).items()},
            }
            for output in outputs
        ],
        "sections": [
            {"kind": section.kind, "content": sections.unseal(section, made.header.encode(), 0, registrar.secret)}
            for section in made.sections
        ],
    }  # fmt: skip
    written["tear_off"] = leg.tear_off(made, salt, number, wanted) if outputs else None
    return written


# --- refused ----------------------------------------------------------------------------------------------------


def _refused():
    yield from _changed_parts()
    yield from _other_headers()
    yield from _false_movements()
    yield from _bad_sections()


def _changed_parts():
    """A good transfer with one part changed after it was proved."""
    good, _, _ = world.build(TRANSFER)
    yield "ENC-1", "a byte left over", good.encode() + b"\0"
    names = ("spend", "amount", "wrap", "balance", "range")
    for place, name in enumerate(names):
        changed = copy.copy(good)
        changed.proofs = list(good.proofs)
        # The lowest byte of the last scalar, of which every value is canonical.
        changed.proofs[place] = flip(good.proofs[place], len(good.proofs[place]) - 32)
        yield "TRN-1" if name != "range" else "RNG-1", f"a bit of the {name} proof flipped", changed
    for place, name in ((0, "spend"), (1, "amount"), (4, "range")):
        changed = copy.copy(good)
        changed.proofs = list(good.proofs)
        changed.proofs[place] = b"" if name == "range" else None
        yield "LEG", f"the {name} proof left out", changed
    header = copy.copy(good.header)
    header.nonce = bytes(32)
    changed = copy.copy(good)
    changed.header = header
    yield "TRN-1", "another nonce", changed
    for name in ("inputs", "outputs", "sections"):
        changed = copy.copy(good)
        setattr(changed, name, getattr(good, name)[::-1])
        yield "TRN-1", f"the {name} in another order", changed


def _other_headers():
    """Legs that were proved for other terms."""
    for name, value in (("network", bytes(32)), ("asset", bytes(32)), ("terms", bytes(32)), ("epoch", 1)):
        header = world.header(REDEEM, burn=700)
        setattr(header, name, value)
        yield "LEG-1", f"another {name}", _build(header, world.notes()[:1], [], f"another {name}")
    fewer = policy.Epoch(0, world.OPENED_AT, world.epoch().keys[:2])
    header = world.header(REDEEM, burn=700)
    yield "POL-6", "encrypted to fewer keys", _build(header, world.notes()[:1], [], "fewer keys", fewer)


def _false_movements():
    first, second = world.notes()
    pay = lambda name, value: leg.Paid(world.make_slot("receiver", "INVESTOR-R", name), value, Draw(name).scalar())
    build = lambda name, header, spent, paid: _build(header, spent, paid, name)
    yield "LEG-2", "a transfer that mints", build("mints", world.header(TRANSFER, mint=1), [first], [pay("p1", 701)])
    yield "LEG-2", "a transfer that burns", build("burns", world.header(TRANSFER, burn=1), [first], [pay("p1", 699)])
    yield "LEG-2", "a transfer without inputs", build("no inputs", world.header(TRANSFER), [], [pay("p1", 0)])
    yield "LEG-2", "an issue with inputs", build("inputs", world.header(ISSUE, mint=1), [first], [pay("p1", 701)])
    yield "LEG-2", "an issue of nothing", build("nothing", world.header(ISSUE), [], [pay("p1", 0)])
    yield "LEG-2", "an issue without outputs", build("no outputs", world.header(ISSUE, mint=1), [], [])
    yield "LEG-2", "a redemption of nothing", build("burn 0", world.header(REDEEM), [first], [pay("p1", 700)])
    twice = world.header(TRANSFER)
    yield "LEG-3", "a note spent twice", build("twice", twice, [first, _again(first)], [pay("p1", 1400)])
    yield "LEG-3", "a slot paid into twice", build("same slot", twice, [first], [pay("p1", 350), pay("p1", 350)])
    other = _again(second)
    other.fresh = first.fresh
    yield "LEG-3", "an ephemeral of two inputs", build("inputs", twice, [first, other], [pay("p1", 2**40 + 700)])
    paid = [pay("p1", 350), pay("p2", 350)]
    paid[1].blinding = paid[0].blinding
    yield "LEG-3", "an ephemeral of two outputs", build("outputs", twice, [first], paid)
    other = _again(first)
    paid = pay("p1", 700)
    other.fresh = paid.blinding
    yield "LEG-3", "an ephemeral of input and output", build("both", twice, [other], [paid])
    same = Draw("same ephemeral").scalar()
    sealed = _build(twice, [first], [pay("p1", 700)], "sections", draw=lambda: same)
    yield "LEG-3", "an ephemeral of two sections", sealed
    yield "BAL-1", "one unit more than was spent", build("gain", twice, [first], [pay("p1", 701)])
    yield "BAL-1", "one unit less than was spent", build("loss", twice, [first, second], [pay("p1", 2**40 + 699)])
    negative = Wrapped(pay("p1", 0).slot, group.L - 1, Draw("negative").scalar())
    yield "RNG-1", "an output below zero", build("negative", twice, [first], [negative, pay("p2", 701)])


class Wrapped(leg.Paid):
    """An output whose value is no u64; its section says what remains of it."""

    def opening(self):
        return codec.u64(self.value % 2**64) + codec.scalar_bytes(self.blinding)


def _again(note):
    draw = Draw("again")
    return leg.Spent(note.slot, note.value, note.blinding, draw.scalar(), draw.scalar())


def _bad_sections():
    _, spent, outputs = world.build(TRANSFER)
    full = lambda links: list(leg.contents(world.epoch(), outputs, "reference", world.TRADE, links))

    def build(name, change):
        return _build(world.header(TRANSFER), spent, outputs, name, contents=lambda links: change(full(links)))

    for place, name in enumerate(("opening 0", "opening 1", "parties", "trade", "links")):
        yield "SEC-1", f"no section {name}", build(name, lambda all: all[:place] + all[place + 1 :])
    yield "SEC-1", "a section twice", build("twice", lambda all: all + all[-1:])
    yield "SEC-1", "sections in another order", build("order", lambda all: all[1:2] + all[:1] + all[2:])
    first = lambda all, change: [(*all[0][:2], change(all[0][2]))] + all[1:]
    yield "SEC-1", "a reader left out", build("reader", lambda all: first(all, lambda keys: keys[:-1]))
    yield "SEC-1", "readers in another order", build("readers", lambda all: first(all, lambda keys: keys[::-1]))


def _build(header, spent, paid, name, epoch=None, contents=None, draw=None):
    values = Draw(f"refused leg {name}")
    if epoch is None:
        epoch = world.epoch()
    if contents is None:
        contents = lambda links: leg.contents(epoch, paid, "reference", world.TRADE, links)
    return leg.build(header, epoch, spent, paid, contents, draw or values.scalar, values.bytes32)
