#!/usr/bin/env python3
"""Holds the Grafana dashboard, the alert rules and their tests to docs/metrics.md: every metric they name exists there, and every label they
select or group by belongs to it. Prints each offence as `file: expression: what`, exit 1 if there is any.

docs/metrics.md describes a metric in a table row whose first cell is its name in backticks; labels are the backticked words of the cell
below the heading `labels`. Histograms also have _bucket, _sum and _count. With --exposition FILE (the text of /metrics) the same is asked
of what a running connector exposes, as far as it has exposed the metric yet.
"""

import argparse
import json
import pathlib
import re
import sys

METRIC = re.compile(r"\bgenesys_kafka_[a-z0-9_]+")
SELECTOR = re.compile(r"\b(genesys_kafka_[a-z0-9_]+)\{([^}]*)\}")
MATCHER = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)\s*(?:=~|!~|!=|=)")
GROUPING = re.compile(r"\b(?:by|without|on|ignoring)\s*\(([^)]*)\)")
# Added by the scrape, by a histogram, by the alert itself.
FOREIGN_LABELS = {"instance", "job", "le", "alertname", "severity"}
HISTOGRAM_SUFFIXES = ("_bucket", "_sum", "_count")


def cells(line):
    return [cell.strip() for cell in line.strip().strip("|").split("|")]


def described_metrics(path):
    """Name → labels, with the series of histograms besides."""
    metrics = {}
    headings = []
    for line in path.read_text().splitlines():
        if not line.startswith("|"):
            headings = []
            continue
        row = cells(line)
        if not headings:
            headings = [cell.lower() for cell in row]
            continue
        name = re.fullmatch(r"`(genesys_kafka_[a-z0-9_]+)`", row[0])
        if not name:
            continue
        named = dict(zip(headings, row))
        labels = set(re.findall(r"`([a-z_]+)`", named.get("labels", "")))
        metrics[name[1]] = labels
        if "histogram" in named.get("type", "").lower():
            metrics.update({name[1] + suffix: labels for suffix in HISTOGRAM_SUFFIXES})
    return metrics


def exposed_metrics(path):
    metrics = {}
    for line in path.read_text().splitlines():
        sample = re.match(r"(genesys_kafka_[a-z0-9_]+)(?:\{(.*)\})?\s", line)
        if sample:
            metrics.setdefault(sample[1], set()).update(MATCHER.findall(sample[2] or ""))
    return metrics


def dashboard_expressions(node):
    if isinstance(node, dict):
        for key, value in node.items():
            if key in ("expr", "query", "definition") and isinstance(value, str):
                yield value
            else:
                yield from dashboard_expressions(value)
    elif isinstance(node, list):
        for value in node:
            yield from dashboard_expressions(value)


def rule_expressions(text):
    """Expressions of a rules file or its test: no YAML parser in the standard library, and none needed to find names."""
    for line in text.splitlines():
        code = line.split(" #")[0]
        if METRIC.search(code):
            yield code.strip()


def offences(expression, metrics):
    used = set(METRIC.findall(expression))
    for name in sorted(used - metrics.keys()):
        yield f"{name} is no metric"
    for name, selector in SELECTOR.findall(expression):
        for label in MATCHER.findall(re.sub(r'"[^"]*"', '""', selector)):
            if name in metrics and label not in metrics[name] | FOREIGN_LABELS:
                yield f"{name} has no label {label}"
    known = FOREIGN_LABELS.union(*(metrics.get(name, set()) for name in used)) if used else FOREIGN_LABELS
    for group in GROUPING.findall(expression):
        for label in filter(None, (label.strip() for label in group.split(","))):
            if label not in known:
                yield f"groups by {label}, which none of its metrics has"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--metrics", type=pathlib.Path, required=True, help="docs/metrics.md")
    parser.add_argument("--dashboard", type=pathlib.Path, action="append", default=[])
    parser.add_argument("--rules", type=pathlib.Path, action="append", default=[], help="rules, or their unit tests")
    parser.add_argument("--exposition", type=pathlib.Path, help="what a running connector serves: must be described, labels included")
    arguments = parser.parse_args()

    metrics = described_metrics(arguments.metrics)
    if not metrics:
        sys.exit(f"{arguments.metrics}: no table describes a metric")
    found = []
    expressions = 0
    for path in arguments.dashboard + arguments.rules:
        texts = dashboard_expressions(json.loads(path.read_text())) if path.suffix == ".json" else rule_expressions(path.read_text())
        for expression in texts:
            expressions += 1
            found += [f"{path}: {expression}: {offence}" for offence in offences(expression, metrics)]
    if arguments.exposition:
        for name, labels in exposed_metrics(arguments.exposition).items():
            if name not in metrics:
                found.append(f"{arguments.exposition}: {name} is not described in {arguments.metrics}")
            elif extra := labels - metrics[name] - FOREIGN_LABELS:
                found.append(f"{arguments.exposition}: {name}: {', '.join(sorted(extra))} not described in {arguments.metrics}")
    print("\n".join(found) if found else f"{expressions} expressions use metrics of {len(metrics)} described series")
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
