"""The rules for Prometheus in deploy/prometheus."""

from pathlib import Path
from typing import Any, Final

import yaml

PROMETHEUS: Final = Path(__file__).parents[3] / "deploy" / "prometheus"
RULE_FILES: Final = sorted((PROMETHEUS / "rules").glob("*.yml"))
RULE_TESTS: Final = sorted((PROMETHEUS / "tests").glob("*.yml"))


def every_rule() -> list[dict[str, Any]]:
    """Return all rules, as in the files."""
    return [rule for path in RULE_FILES for group in yaml.safe_load(path.read_text())["groups"] for rule in group["rules"]]


def alerts() -> list[dict[str, Any]]:
    """Return the rules that alert."""
    return [rule for rule in every_rule() if "alert" in rule]


def recordings() -> dict[str, str]:
    """Return the queries of the rules that record, by the name of the series."""
    return {rule["record"]: rule["expr"] for rule in every_rule() if "record" in rule}
