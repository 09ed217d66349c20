"""Time until something happens: imports, help, the first run ever and the next."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from bench.report import Report, median_seconds


def _python(*arguments: str, **environment: str) -> None:
    subprocess.run(
        [sys.executable, *arguments],
        check=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, **environment},
    )


def run(report: Report) -> None:
    """Import, --help, first and second run of luminal_a_surgery."""
    report.section("start-up (wall time of whole processes)")
    bare = median_seconds(lambda: _python("-c", "pass"), 5)
    imported = median_seconds(lambda: _python("-c", "import metasim"), 5)
    report.line("import metasim, beyond bare Python", imported - bare, "s", 0.25)
    report.line(
        "metasim --help", median_seconds(lambda: _python("-m", "metasim", "--help"), 5), "s", 0.5
    )
    with tempfile.TemporaryDirectory() as folder:
        output = str(Path(folder) / "out")
        command = ("-m", "metasim", "run", "luminal_a_surgery", "--overwrite", "--output", output)

        def first() -> None:
            with tempfile.TemporaryDirectory() as cache:
                _python(*command, "--no-figures", XDG_CACHE_HOME=cache)

        report.line("first run ever of luminal_a_surgery, compiling included",
                    median_seconds(first, 1, warm_up=False), "s", 30.0)  # fmt: skip
        report.line("next run: 1,000 luminal_a_surgery patients, everything, table printed",
                    median_seconds(lambda: _python(*command, "--no-figures")), "s",
                    5.0)  # fmt: skip
        report.line("the same with all figures as PNG and PDF",
                    median_seconds(lambda: _python(*command), 1), "s", 30.0)  # fmt: skip
