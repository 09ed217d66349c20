"""Print every benchmark: measured, the limit or goal, and their ratio, all from this run."""

import argparse

from bench import cells, colony, startup
from bench.report import Report


def main() -> None:
    """Run the benchmarks named on the command line, or all."""
    suites = {"startup": startup.run, "colony": colony.run, "cells": cells.run}
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument(
        "suite", nargs="*", choices=[*suites, []], metavar="SUITE", help="default: all"
    )
    report = Report()
    for name in parser.parse_args().suite or suites:
        suites[name](report)


main()
