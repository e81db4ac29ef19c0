"""Whole sequences on real processes and real traffic."""
