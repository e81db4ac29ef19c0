"""What the controller rests on, taken away: the API server, its answers, and the leader itself."""
