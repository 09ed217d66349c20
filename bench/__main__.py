"""Print every benchmark: measured, the limit or goal, and their ratio, all from this run."""

import argparse
from functools import partial

from bench import cells, colony, fit, growth, limit, mechanisms, peers, scale, startup
from bench.report import Report


def main() -> None:
    """Run the benchmarks named on the command line, or all."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument(
        "--patients",
        type=int,
        default=None,
        help="of the largest cohort of `scale` (a million), of each cohort of `mechanisms` (3,000)",
    )
    names = ("startup", "colony", "limit", "cells", "growth", "scale", "fit", "mechanisms",
             "peers")  # fmt: skip
    parser.add_argument(
        "suite", nargs="*", choices=[*names, []], metavar="SUITE", help=f"of {', '.join(names)}"
    )
    asked, report = parser.parse_args(), Report()
    if asked.patients is not None and asked.patients < 1:
        parser.error(f"--patients {asked.patients}: at least 1 is needed")
    of_scale, of_each = asked.patients or scale.MILLION, asked.patients or mechanisms.PATIENTS
    suites = {"startup": startup.run, "colony": colony.run, "limit": limit.run, "cells": cells.run,
              "growth": growth.run, "scale": partial(scale.run, patients=of_scale), "fit": fit.run,
              "mechanisms": partial(mechanisms.run, patients=of_each),
              "peers": peers.run}  # fmt: skip
    for name in asked.suite or names:
        suites[name](report)


main()
