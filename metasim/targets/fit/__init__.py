"""Fit: let published figures decide free keys of scenarios."""
