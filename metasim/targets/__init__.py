"""Targets: published figures, how a run is held against them, and how they decide parameters.

`read_targets` reads a file of published figures, `validate` simulates what they speak of and
scores each, `fit` lets them decide free keys of a scenario.
"""
