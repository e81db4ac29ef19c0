"""Manifests of Argo Rollouts and of Flagger read, and ours written. Nothing is silently dropped."""
