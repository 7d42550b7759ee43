"""Writes specs/vectors/*.json, always the same bytes.

With --check it writes nothing and exits with 1 if a file differs.

Further arguments name the files to write; without them it is all.
"""

import json
import pathlib
import sys

from cases import access, audits, documents, encoding, erasures, legs, officers, packets, proofs, range_proof, settlement, sign_offs, snapshots, statements

VECTORS = pathlib.Path(__file__).parent.parent / "vectors"


def main():
    check_only = "--check" in sys.argv[1:]
    wanted = [name for name in sys.argv[1:] if name != "--check"] or FILES
    differing = 0
    for name in wanted:
        build = FILES[name]
        path = VECTORS / f"{name}.json"
        text = json.dumps(build(), indent=1, ensure_ascii=False) + "\n"
        same = path.exists() and path.read_text() == text
        if check_only:
            differing += not same
        elif not same:
            VECTORS.mkdir(exist_ok=True)
            path.write_text(text)
        print(f"{path.name}: {'unchanged' if same else 'differs' if check_only else 'written'}")
    sys.exit(1 if differing else 0)


FILES = {
    "range_proof": range_proof.range_proofs,
    "encoding": encoding.encodings,
    "hash": encoding.hashes,
    "signature": encoding.signatures,
    "transcript": encoding.transcripts,
    "proofs": proofs.proofs,
    "sections": documents.sealed_sections,
    "policy": documents.policies,
    "threshold": officers.threshold_keys,
    "note": documents.notes,
    "slot": documents.slots,
    "leg": legs.legs,
    "transaction": settlement.transactions,
    "log": settlement.logs,
    "snapshot": snapshots.snapshots,
    "statement": statements.statements,
    "packet": packets.packets,
    "access": access.accesses,
    "audit": audits.audits,
    "erasure": erasures.erasures,
    "sign_off": sign_offs.sign_offs,
}

if __name__ == "__main__":
    main()
