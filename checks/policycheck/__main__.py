"""The command `policycheck`, and `python -m policycheck`."""

from __future__ import annotations

import gc


def main() -> None:
    """Import the command line and start it. Nothing of what is imported is garbage, so none is looked for."""
    gc.disable()
    from policycheck.cli import start

    gc.freeze()
    gc.enable()
    start()


if __name__ == "__main__":
    main()
