"""Write the dashboards as JSON: `python deploy/grafana/build.py [DIRECTORY]`, by default into `dashboards` beside this file.

They show what the alerts of deploy/prometheus go by, so whoever follows one into docs/runbook.md sees its story here.
"""

import json
import sys
from pathlib import Path

from ingress_dashboard import ingress
from processor_dashboard import processor

_HERE = Path(__file__).parent / "dashboards"


def main() -> None:
    """Write one file for each service."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else _HERE
    for name, made in (("ingress", ingress()), ("processor", processor())):
        (folder / f"{name}.json").write_text(json.dumps(made, indent=2) + "\n")


if __name__ == "__main__":
    main()
