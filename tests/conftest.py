"""For all tests: those that need what only Unix has are skipped elsewhere."""

import os

import pytest


def pytest_collection_modifyitems(items):
    if os.name == "nt":
        for item in items:
            if item.get_closest_marker("unix"):
                item.add_marker(pytest.mark.skip(reason="needs signals, devices or pipes of Unix"))
