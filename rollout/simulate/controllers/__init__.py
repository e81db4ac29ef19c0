"""The control loops that a release rests on, as functions from a key to writes.

They follow the real controllers of Kubernetes 1.37 step by step, without their queues, caches and
threads: `manager.py` calls them until nothing changes.
"""
