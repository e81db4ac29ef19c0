"""The practice cluster: an API server, a node agent, an edge and a load generator, no Docker.

Its parts meet only at the Kubernetes API over HTTP, so agent, edge and load run unchanged against
a real control plane.
"""
