"""Watching one patient's cells as they pass, or fail, the seven stages: live table and movie."""

from metasim.watching.patient import model_of
from metasim.watching.show import watch

__all__ = ["model_of", "watch"]
