"""What the real Kubernetes API answers, recorded, so that our own imitation is held to it."""
