"""What came out: tables, folders, the summary, figures. Knows no engine."""

from metasim.results.store import Results, open_results
from metasim.results.summary import render, summarise
from metasim.results.writers import FolderWriter, MemoryWriter, Writer

__all__ = [
    "FolderWriter",
    "MemoryWriter",
    "Results",
    "Writer",
    "open_results",
    "render",
    "summarise",
]
