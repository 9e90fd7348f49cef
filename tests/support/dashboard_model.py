#!/usr/bin/env python3
"""Loads a Grafana dashboard into the data model of Grafana's own SDK (grafana-foundation-sdk) and compares what comes back: a key that the
model does not know, and Grafana would ignore, is an offence. Also holds panels to a few rules of our own: an id each, a description, a
data source, no overlap, within 24 columns. Exit 1 if there is any offence.
"""

import json
import pathlib
import sys

from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models.dashboard import Dashboard

COLUMNS = 24


def without_nulls(node):
    """The model's reader fails on some nulls; a threshold's null stands for minus infinity and comes back as it was."""
    if isinstance(node, dict):
        return {key: without_nulls(value) for key, value in node.items() if value is not None}
    if isinstance(node, list):
        return [without_nulls(value) for value in node]
    return node


def unknown_keys(written, understood, path=""):
    if isinstance(written, dict):
        if not isinstance(understood, dict):
            yield path
            return
        for key, value in written.items():
            if key not in understood:
                yield f"{path}/{key}"
            else:
                yield from unknown_keys(value, understood[key], f"{path}/{key}")
    elif isinstance(written, list):
        if not isinstance(understood, list) or len(understood) != len(written):
            yield path
            return
        for index, value in enumerate(written):
            yield from unknown_keys(value, understood[index], f"{path}/{index}")
    elif written != understood:
        yield f"{path}: {written!r} is understood as {understood!r}"


def cells_of(panel):
    place = panel["gridPos"]
    return {(x, y) for x in range(place["x"], place["x"] + place["w"]) for y in range(place["y"], place["y"] + place["h"])}


def panel_offences(panels):
    ids = set()
    taken = {}
    for panel in panels:
        title = panel.get("title", "?")
        if panel["id"] in ids:
            yield f"{title}: id {panel['id']} is used twice"
        ids.add(panel["id"])
        if panel["gridPos"]["x"] + panel["gridPos"]["w"] > COLUMNS:
            yield f"{title}: wider than the page"
        for cell in cells_of(panel):
            if cell in taken:
                yield f"{title}: lies over {taken[cell]}"
                break
            taken[cell] = title
        if panel["type"] != "row" and not (panel.get("description") and panel.get("targets") and "datasource" in panel):
            yield f"{title}: needs description, targets and datasource"


def main():
    path = pathlib.Path(sys.argv[1])
    dashboard = without_nulls(json.loads(path.read_text()))
    register_default_plugins()
    understood = without_nulls(json.loads(JSONEncoder().encode(Dashboard.from_json(dashboard))))
    found = [f"not understood: {where}" for where in unknown_keys(dashboard, understood)] + list(panel_offences(dashboard["panels"]))
    print("\n".join(found) if found else f"{len(dashboard['panels'])} panels understood")
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
