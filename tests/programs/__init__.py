"""Programs in Go that the tests run real parts from, built once per version of their sources.

This file stays empty of imports: builds run before the project's dependencies are installed, and
need the standard library only.
"""
