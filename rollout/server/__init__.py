"""The HTTP face: what the command line can do, for programs and pages, under the cluster's rights.

Reads come from the daemon's caches, changes go through `rollout.commands`; who asks, and whether
they may, is the cluster's own answer (TokenReview, SubjectAccessReview).
"""
