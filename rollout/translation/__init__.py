"""Between Kubernetes objects and the decision: objects to a snapshot, actions to writes; pure."""
