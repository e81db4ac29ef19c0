"""The tests of rollout, and what they are run on."""
