"""A real Kubernetes control plane for the tests, without Docker.

It is the oracle for everything else: the practice cluster answers as this one does, and the
scenarios hold on both. This file stays empty of imports: `python -m tests.controlplane.build`
runs before the project's dependencies are installed.
"""
