"""What people do with the service of a Rollout, by track: look, follow, scale, enter, reach."""
