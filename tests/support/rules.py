"""The rules for Prometheus in deploy/prometheus."""

from pathlib import Path
from typing import Any, Final

import yaml

PROMETHEUS: Final = Path(__file__).parents[2] / "deploy" / "prometheus"
RULE_FILES: Final = sorted((PROMETHEUS / "rules").glob("*.yml"))
RULE_TESTS: Final = sorted((PROMETHEUS / "tests").glob("*.yml"))


def every_rule() -> list[dict[str, Any]]:
    """Give all of them, as they stand in the files."""
    return [rule for path in RULE_FILES for group in yaml.safe_load(path.read_text())["groups"] for rule in group["rules"]]


def alerts() -> list[dict[str, Any]]:
    """Give those that alert."""
    return [rule for rule in every_rule() if "alert" in rule]


def recordings() -> dict[str, str]:
    """Give the queries of those that record, by the name of what they make."""
    return {rule["record"]: rule["expr"] for rule in every_rule() if "record" in rule}
