"""What a check found: as text, as JSON, and as SARIF 2.1.0 for code scanning."""

from __future__ import annotations

from collections.abc import Sequence

from lamina import __version__
from lamina.oci.strict_json import Json
from lamina.report.check.rules import RULES, Broken, Subject


def figures(subject: Subject) -> Json:
    """The figures for which a policy has budgets. `update` is null without an image or a lock to compare with."""
    contents = subject.contents
    cost = subject.update[0] if subject.update else None
    return {"size": contents.size, "layers": len(contents.layers), "update": cost}


def check_json(broken: Sequence[Broken], subject: Subject, policy: str) -> Json:
    """Shape: `{passed, policy, figures: {size, layers, update}, broken: [{rule, message, path, size}]}`."""
    items = [
        {"rule": item.rule, "message": item.message, "path": item.path or None, "size": item.size} for item in broken
    ]
    return {"passed": not broken, "policy": policy, "figures": figures(subject), "broken": items}


def sarif(broken: Sequence[Broken], policy: str) -> Json:
    """The results with the policy as their place, and the store path or file as a logical location."""
    names = list(RULES)
    driver = {
        "name": "lamina",
        "version": __version__,
        "rules": [{"id": name, "shortDescription": {"text": text}} for name, text in RULES.items()],
    }
    results = [_result(item, names.index(item.rule), policy) for item in broken]
    return {
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{"tool": {"driver": driver}, "columnKind": "unicodeCodePoints", "results": results}],
    }


def _result(item: Broken, index: int, policy: str) -> Json:
    place: Json = {"physicalLocation": {"artifactLocation": {"uri": policy}, "region": {"startLine": 1}}}
    if item.path:
        place["logicalLocations"] = [{"fullyQualifiedName": item.path, "kind": "resource"}]
    return {
        "ruleId": item.rule,
        "ruleIndex": index,
        "level": "error",
        "message": {"text": item.message},
        "locations": [place],
    }
