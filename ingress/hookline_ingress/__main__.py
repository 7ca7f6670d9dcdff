"""`python -m hookline_ingress`."""

import sys

from hookline_shared.early_signals import leave_at_once

if __name__ == "__main__":
    leave_at_once()
    from hookline_ingress.main import main

    sys.exit(main())
