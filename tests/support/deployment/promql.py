"""What a query of Prometheus asks for, as far as it can be wrong about Hookline: names of metrics, and of their labels."""

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple

from prometheus_client import REGISTRY, Metric

import hookline_ingress.metrics  # noqa: F401 - importing them is what registers their metrics
import hookline_processor.ledger.metrics
import hookline_processor.metrics  # noqa: F401

FROM_SCRAPING: Final = frozenset({"job", "instance"})
"""Labels that Prometheus itself gives to whatever it scrapes."""

_SELECTOR: Final = re.compile(r"(?<![\w:])((?:[a-z_]+:)?hookline[\w:]*|up)\b(?:\{([^}]*)\})?")
_MATCHER: Final = re.compile(r'(\w+)\s*(?:=~|!~|!=|=)\s*"')
_GROUPING: Final = re.compile(r"\b(?:by|on)\s*\(([^)]*)\)")
_SUFFIXES: Final = {"counter": ["_total"], "gauge": [""], "histogram": ["_bucket", "_sum", "_count"]}

Labels = Mapping[str, frozenset[str]]
"""The labels of each series, by its name."""


class Asked(NamedTuple):
    """A name that a query asks for, and the labels that it names with it."""

    name: str
    labels: frozenset[str]


def shown_by_services() -> dict[str, frozenset[str]]:
    """Return every series that ingress or the processor shows at `/metrics`, with its labels."""
    return {
        family.name + suffix: frozenset([*_labels(collector, family), *(["le"] if suffix == "_bucket" else [])])
        for collector, names in REGISTRY._collector_to_names.items()
        if any(name.startswith("hookline") for name in names)
        for family in _families(collector)
        for suffix in _SUFFIXES[family.type]
    }


def asked(query: str) -> list[Asked]:
    """Return what `query` asks for."""
    found = [(match[1], frozenset(_MATCHER.findall(match[2] or ""))) for match in _SELECTOR.finditer(query)]
    return [Asked(name, labels) for name, labels in found]


def groups_by(query: str) -> frozenset[str]:
    """Return the labels by which `query` groups or joins."""
    return frozenset(label.strip() for listed in _GROUPING.findall(query) for label in listed.split(",") if label.strip())


def mistakes(query: str, series: Labels) -> list[str]:
    """Return what `query` asks for that is not among `series`."""
    found = [f"nothing shows {one.name}" for one in asked(query) if one.name not in series]
    known = [(one, series[one.name] | FROM_SCRAPING) for one in asked(query) if one.name in series]
    found += [f"{one.name} has no label {label}" for one, labels in known for label in sorted(one.labels - labels)]
    every = frozenset().union(*(labels for _, labels in known))
    return found + [f"nothing that is asked for has the label {label}" for label in sorted(groups_by(query) - every)]


def recorded(rules: Mapping[str, str]) -> dict[str, frozenset[str]]:
    """Return the series that recording `rules`, queries by name, make: they have the labels by which they group."""
    return {name: groups_by(query) - {"le"} for name, query in rules.items()}


def _families(collector: Any) -> Iterable[Metric]:
    found: Iterable[Metric] = collector.describe()
    return found


def _labels(collector: object, family: object) -> list[str]:
    return list(getattr(collector, "_labelnames", ()) or getattr(family, "_labelnames", ()))
