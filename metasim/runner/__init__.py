"""HOW MANY: random streams, one patient, a cohort; engines draw, results keep."""
