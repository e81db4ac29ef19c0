"""Taking rollout out of a cluster, in an order in which every service goes on serving.

A running release, and a Rollout that holds its Deployment, carry a finalizer that only the
controller takes off. So what they hold is given back first, while it still runs; then it goes,
and its rights and kinds after it.
"""
