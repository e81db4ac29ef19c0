"""What is said of a release that was just started."""


def on_its_way(release: str) -> str:
    """Say that it was created, and how to follow it."""
    return f"release {release} is on its way: `rollout watch` follows it"
