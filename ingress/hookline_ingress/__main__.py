"""`python -m hookline_ingress`."""

import os
import sys

if __name__ == "__main__":
    if sys.path[0] == os.getcwd():  # noqa: PTH109 - the user's folder may have modules of any name, a pathlib.py too
        del sys.path[0]

    from hookline_shared.lifecycle.import_path import defer_python_path

    defer_python_path()

    from hookline_shared.lifecycle.lean_imports import import_lean
    from hookline_shared.lifecycle.process_start import prepare_process

    prepare_process()
    import_lean()

    from hookline_ingress.main import main

    sys.exit(main())
