"""Statements by two custodians, and the files that they send each other."""

import codec
import joint
import packet
import ristretto as group
import statement
from cases import world
from cases.common import Draw
from statement import CUSTODIAN

RECIPIENT = "Example Authority"


class Run:
    """Two custodians that hold alice and anna, and bob, in snapshot 1 of the log of statements."""

    def __init__(self, log, left=("alice",), right=("bob",), by=10, seed="joint", snapshot=1, **subject):
        self.log, self.by, self.draw = log, by, Draw(seed)
        self.subject = log.subject(**subject)
        self.agreed = statement.agreed(log.heading(snapshot), by)
        self.left, self.right = self.party(left), self.party(right)
        self.offer, self.own = joint.offer(self.subject, self.agreed, self.left, self.draw)

    def party(self, names, keys=None, **changes):
        made, openings = self.log.snapshots[1]["tree"], self.log.snapshots[1]["openings"]
        place = lambda name: statement.locator_of(
            CUSTODIAN, self.log.account(name), made.locators, made.shared(self.log.account(name))
        )
        held = [openings[name] for name in names if name in openings]
        return joint.Party(
            [self.log.located(name, 1, 0, **changes) for name in names], [place(name) for name in names],
            [(keys or self.log.keys)[name] for name in names], sum(v for v, _ in held),
            sum(r for _, r in held) % group.L,
        )  # fmt: skip

    def total(self):
        return group.commit(self.left.value, self.left.blinding)

    def answer(self, **lies):
        return joint.answer(self.offer, self.by, self.total(), lies.pop("party", self.right), self.draw, **lies)

    def close(self, answered):
        return joint.close(self.offer, answered, self.left.blinding, self.own)

    def statement(self):
        answered, other = self.answer()
        return joint.finish(self.offer, answered, self.close(answered), self.right.blinding, other)

    def parts(self):
        """(agreed, left, right, proof) of the statement, encoded."""
        reader = codec.Reader(self.statement()[len(statement.HEAD + self.subject.encode()) + 1 :])
        read = statement.Joint(reader)
        return read.agreed.encoded, read.left.encoded, read.right.encoded, read.proof


def accepted(log):
    yield "two custodians whose totals differ by 10", Run(log).statement()
    yield "a set against one", Run(log, ("alice", "anna"), ("bob",), 30).statement()
    yield "with one who holds nothing", Run(log, ("bob",), ("anna", "carl"), 40).statement()


def refused(log):
    run = Run(log)
    agreed, left, right, proof = run.parts()
    of = lambda agreed=agreed, left=left, right=right, proof=proof, subject=run.subject: statement.joint_file(
        subject, agreed, left, right, proof
    )
    other, wide = Run(log, seed="another"), Run(log, ("alice", "anna"), ("bob",), 30)
    yield "STM-1", "the proof of another run of the same with other parts", of(proof=other.parts()[3])
    yield "STM-1", "another run's part of the same accounts", of(left=other.parts()[1])
    yield "LOC-1", "a part of another statement", of(left=wide.parts()[1])
    yield "LOC-1", "another number than was agreed", of(agreed=statement.agreed(log.heading(1), 11))
    yield "LOC-1", "the parts exchanged", of(left=right, right=left)
    yield "LOC-1", "a part made for another reader", of(left=Run(log, recipient="Another Authority").parts()[1])
    yield "LOC-1", "a part made for another question", of(right=Run(log, nonce=bytes(32)).parts()[2])
    yield "JNT-1", "an account twice on a side", _part(run, ("alice", "alice"), of)
    yield "JNT-1", "an account on both sides", of(right=run.party(("alice",)).part(run.subject, agreed, 1, run.draw))
    yield "JNT-1", "nobody who has a leaf", _part(run, ("carl",), of)
    yield "JNT-1", "no account", of(left=statement.part([], []))
    yield "LOC-1", "without a proof of a place", of(left=statement.part(run.left.accounts, []))
    stolen = run.party(("alice",), keys={"alice": log.keys["bob"]})
    yield "LOC-1", "with another account's key", of(left=stolen.part(run.subject, agreed, 0, run.draw))
    moved = run.party(("alice",), at="bob")
    yield "SNP-5", "at another's leaf", of(left=moved.part(run.subject, agreed, 0, run.draw))
    elsewhere = statement.agreed(log.heading(1, entry=2), 10)
    yield "RST-1", "a snapshot in another entry", of(agreed=elsewhere)
    of_another = statement.agreed(log.heading(1, asset=bytes(32)), 10)
    yield "RST-1", "a snapshot of another asset", of(agreed=of_another)
    first = statement.agreed(log.heading(0), 10)
    yield "SNP-5", "another snapshot than the leaves'", of(agreed=first)


def _part(run, names, of):
    return of(left=run.party(names).part(run.subject, run.agreed, 0, run.draw))


def files(log):
    """What two custodians send each other, and answers and closings that get nothing."""
    run = Run(log)
    answered, other = run.answer()
    closing = run.close(answered)
    joint.check_offer(run.offer, world.ASSET)
    finish = lambda closing: joint.finish(run.offer, answered, closing, run.right.blinding, other)
    return {
        **_offered(run), "answer": answered, "closing": closing, "file": finish(closing),
        "right_blinding": group.scalar_encode(run.right.blinding), "right_nonce": group.scalar_encode(other),
        "answers": [_answer(*case) for case in _answers(log, run, answered)],
        "closings": [_closing(finish, *case) for case in _closings(closing)],
    }  # fmt: skip


def _offered(run):
    secrets = {"left_blinding": run.left.blinding, "left_nonce": run.own}
    return {"offer": run.offer, **{name: group.scalar_encode(value) for name, value in secrets.items()}}


def _answer(run, becomes, why, answered):
    try:
        closing = run.close(answered)
    except packet.Broken as error:
        assert error.rule == becomes, f"{why}: {error}"
    else:
        assert closing is None and becomes == "differ", why
    return {"becomes": becomes, "why": why, **_offered(run), "answer": answered}


def _answers(log, run, answered):
    """(the run, what becomes of the answer, why, the answer)."""
    richer = Run(log, by=11)
    yield richer, "differ", "a right answer to totals that are not so", richer.answer()[0]
    yield richer, "EQL-1", "another amount than its own, so that they seem so", richer.answer(value=70)[0]
    yield richer, "ENC-1", "masked with zero", richer.answer(mask=0)[0]
    proof = 2 + 4 * 32 + 2 + 3 * 32
    end = len(answered) - 32 - proof
    other = group.encode(Draw("another difference").point())
    yield run, "EQL-1", "another difference than was proved", answered[: end - 32] + other + answered[end:]
    yield run, "EQL-1", "another nonce than it was made with", answered[:-32] + other
    yield run, "JNT-1", "to another offer", Run(log, seed="another").answer()[0]
    thief = run.party(("bob",), keys={"bob": log.keys["alice"]})
    yield run, "LOC-1", "by who does not hold the accounts' keys", run.answer(party=thief)[0]
    yield run, "JNT-1", "with the other side's account", run.answer(party=run.party(("alice",)))[0]
    yield run, "JNT-1", "with nobody who has a leaf", run.answer(party=run.party(("carl",)))[0]
    yield run, "ENC-1", "cut short", answered[:-1]


def _closing(finish, rule, why, closing):
    try:
        statement.verify(finish(closing), RECIPIENT, Draw("statement").bytes32(), world.ASSET)
    except packet.Broken as error:
        assert error.rule == rule, f"{why}: {error}"
    else:
        raise AssertionError(f"accepted: {why}")
    return {"rule": rule, "why": why, "closing": closing}


def _closings(closing):
    other = group.encode(Draw("another nonce").point())
    yield "JNT-3", "another nonce than was offered", closing[:33] + other + closing[65:]
    yield "STM-1", "another share", closing[:-32] + group.scalar_encode(1)
    yield "JNT-1", "of another answer", closing[:1] + bytes(32) + closing[33:]
