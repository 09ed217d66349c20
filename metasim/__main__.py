"""`python -m metasim` is the command line."""

from metasim.cli import main

main()
