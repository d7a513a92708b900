"""`python -m kubelog` and the `kubelog` command."""

import sys


def main() -> int:
    """Run the command line."""
    from kubelog.cli import run

    return run(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
