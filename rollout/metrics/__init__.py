"""Signals in: raw counters of both tracks, from Prometheus or straight from the pods."""
