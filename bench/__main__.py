"""Print every benchmark: measured, the limit or goal, and their ratio, all from this run."""

import argparse
from functools import partial

from bench import cells, colony, fit, growth, limit, peers, scale, startup
from bench.report import Report


def main() -> None:
    """Run the benchmarks named on the command line, or all."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument(
        "--patients", type=int, default=scale.MILLION, help="of the largest cohort of `scale`"
    )
    names = ("startup", "colony", "limit", "cells", "growth", "scale", "fit", "peers")
    parser.add_argument(
        "suite", nargs="*", choices=[*names, []], metavar="SUITE", help=f"of {', '.join(names)}"
    )
    asked, report = parser.parse_args(), Report()
    if asked.patients < 1:
        parser.error(f"--patients {asked.patients}: at least 1 is needed")
    suites = {"startup": startup.run, "colony": colony.run, "limit": limit.run, "cells": cells.run,
              "growth": growth.run, "scale": partial(scale.run, patients=asked.patients),
              "fit": fit.run, "peers": peers.run}  # fmt: skip
    for name in asked.suite or names:
        suites[name](report)


main()
