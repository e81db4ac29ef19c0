"""Counts to verdict: pure functions of values, without clock, client or thread."""
