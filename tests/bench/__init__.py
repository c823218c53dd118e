"""Figures beside a peer in the same run: `python -m tests.bench`. Never part of the tests."""
