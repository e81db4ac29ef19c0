"""How a controller fares with many releases at once: `python -m tests.bench.fleet`."""
