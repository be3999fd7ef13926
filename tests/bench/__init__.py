"""Measurements: commands that print figures and ratios, never tests. ``python -m tests.bench.sync --tasks 20000``."""
