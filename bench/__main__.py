"""Print every benchmark: measured, the limit or goal, and their ratio, all from this run."""

import argparse

from bench import cells, colony, limit, peers, scale, startup
from bench.report import Report


def main() -> None:
    """Run the benchmarks named on the command line, or all."""
    suites = {"startup": startup.run, "colony": colony.run, "cells": cells.run,
              "limit": limit.run, "scale": scale.run, "peers": peers.run}  # fmt: skip
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument(
        "suite", nargs="*", choices=[*suites, []], metavar="SUITE", help="default: all"
    )
    parser.add_argument("--full", action="store_true", help="also a million patients, for real")
    report, asked = Report(), parser.parse_args()
    for name in asked.suite or suites:
        suites[name](report)
    if asked.full:
        scale.full(report)


main()
