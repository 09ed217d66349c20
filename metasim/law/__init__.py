"""WHAT HOLDS: the law of the cascade as pure functions of arrays, without randomness.

`metasim.law.rates.law_of` turns a scenario into the frozen arrays that both engines draw from.
Arrays carry a leading patient axis of length 1 (all patients alike) or n (one entry each).
"""
