"""What is asked: the scenario, its catalogue, and the reading of both from TOML files."""
