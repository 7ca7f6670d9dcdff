"""`python -m hookline_processor`."""

import os
import sys

if __name__ == "__main__":
    if sys.path[0] == os.getcwd():  # noqa: PTH109 - the user's folder may have modules of any name, a pathlib.py too
        del sys.path[0]

    from hookline_shared.lifecycle.early_signals import exit_on_signal

    exit_on_signal()

    from hookline_processor.main import main

    sys.exit(main())
