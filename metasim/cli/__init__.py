"""The command line: a thin shell over the public names."""

# the order in which help lists the commands
from metasim.cli import running, validating, fitting, making, exploring, looking  # isort: skip
from metasim.cli.shell import app, main

__all__ = ["app", "exploring", "fitting", "looking", "main", "making", "running", "validating"]
