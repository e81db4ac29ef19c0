"""The loop around the decision: observe, plan, execute, record; and what wakes it."""
