"""Benchmarks: `make bench`. Figures are printed as ratios, nothing is asserted."""
