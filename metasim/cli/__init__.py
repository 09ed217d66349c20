"""The command line: a thin shell over the public names."""

from metasim.cli import running, looking  # isort: skip - the order in which help lists the commands
from metasim.cli.shell import app, main

__all__ = ["app", "looking", "main", "running"]
