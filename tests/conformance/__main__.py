"""The real command line with the suite's kinds of tasks: `python -m tests.conformance serve`."""

from __future__ import annotations

import os
import sys


def main() -> None:
    if sys.argv[1] == "worker":
        # Whether metrics are shared they find out when they are imported, as they are here already.
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = "to be made"
    from service import kinds
    from service.__main__ import main as command_line
    from tests.conformance.kinds import KINDS

    kinds.KINDS = (*kinds.KINDS, *KINDS)
    command_line()


if __name__ == "__main__":
    main()
