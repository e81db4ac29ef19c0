"""The schema of what people write: Rollout, Release, RolloutPolicy, and the words on objects."""
