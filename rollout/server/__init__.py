"""The HTTP face: what people and pipelines ask and do without kubectl; served by the daemon."""
