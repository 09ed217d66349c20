"""WHAT HOLDS: the law of the cascade as pure functions of numbers and arrays, without randomness.

`metasim.law.arrays` names the arrays that engines draw from; `metasim.parameters` fills them.
"""
