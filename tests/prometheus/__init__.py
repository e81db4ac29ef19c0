"""A real Prometheus for tests: found on PATH, or unpacked from Debian's package once."""
