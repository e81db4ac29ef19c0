"""The only door to the Kubernetes API.

Import the module that is needed, not this package: `client` loads the official client (about
half a second), while `errors` and `cluster` cost nothing and are what most code needs.
"""
