"""Reads a replay's tables with DuckDB in all three formats, says whether they hold the same rows, and what is in them.

Usage: tables.py FOLDER. Prints one JSON object, by table.
"""

import json
import pathlib
import sys

import duckdb

folder = pathlib.Path(sys.argv[1])
found = {}
for table in ("register", "movements", "exceptions"):
    parquet = duckdb.read_parquet(str(folder / f"{table}.parquet"))
    names, types = parquet.columns, [str(kind) for kind in parquet.types]
    rows = parquet.fetchall()
    as_text = [tuple(None if cell is None else str(cell) for cell in row) for row in rows]
    lines = json.loads((folder / f"{table}.json").read_text())
    assert [tuple(line.get(name) for name in names) for line in lines] == as_text, f"{table}.json"
    assert all(set(line) == set(names) for line in lines), f"{table}.json"
    csv = duckdb.read_csv(str(folder / f"{table}.csv"), header=True, all_varchar=True, delimiter=",", quotechar='"')
    assert csv.columns == names, f"{table}.csv"
    # An empty text and no text are one in CSV.
    empty = lambda row: tuple(cell or None for cell in row)
    assert [empty(row) for row in csv.fetchall()] == [empty(row) for row in as_text], f"{table}.csv"
    found[table] = {"rows": len(rows), "types": dict(zip(names, types))}
    if table == "register":
        found[table]["sum"] = str(sum(row[1] for row in rows))
    if table == "movements":
        sides = {"minted": 1, "spent": 1, "received": -1, "burned": -1}
        sums = {}
        for row in rows:
            line = dict(zip(names, row))
            sums[line["entry"]] = sums.get(line["entry"], 0) + sides[line["movement"]] * line["quantity"]
        found[table]["unbalanced"] = sum(1 for total in sums.values() if total != 0)
print(json.dumps(found))
