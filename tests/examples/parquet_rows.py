"""What the files of docs/examples/parquet hold, one JSON object a record, for the test that compares them with the topic."""

import json
import pathlib
import sys

import pyarrow.parquet

for file in sorted(pathlib.Path(sys.argv[1]).glob("partition=*/*.parquet")):
    first, last = (int(offset) for offset in file.stem.split("-"))
    # The file itself, not what a reader makes of its folder's name.
    with file.open("rb") as stream:
        rows = pyarrow.parquet.read_table(stream).to_pylist()
    offsets = [row["offset"] for row in rows]
    if not offsets or (offsets[0], offsets[-1]) != (first, last) or offsets != sorted(set(offsets)):
        sys.exit(f"{file} does not hold what its name says")
    for row in rows:
        if row["deleted"] != (row["value"] is None):
            sys.exit(f"{file}: offset {row['offset']} is deleted and has a value, or the other way round")
        print(json.dumps({"partition": int(file.parent.name.removeprefix("partition=")), "offset": row["offset"], "key": row["key"],
                          "value": row["value"], "form": row["form"]}))
