"""WHO DRAWS: two engines that sample the same law (section 5 of docs/model) from the same arrays.

`metasim.engines.colonies` draws groups of identical cells with numba; `metasim.engines.cells`
draws every cell as a Mesa agent. Neither sees a scenario.
"""
