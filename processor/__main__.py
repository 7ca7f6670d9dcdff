"""`python -m processor`."""

import sys

from shared.early_signals import leave_at_once

if __name__ == "__main__":
    leave_at_once()
    from processor.main import main

    sys.exit(main())
