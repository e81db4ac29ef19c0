"""The practice cluster's parts, each alone and all together."""
