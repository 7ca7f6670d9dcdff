"""`python -m ingress`."""

import sys

from shared.early_signals import leave_at_once

if __name__ == "__main__":
    leave_at_once()
    from ingress.main import main

    sys.exit(main())
