"""The loop around the decision: wake, observe, plan, execute, record, and wake again.

Nothing here decides anything about a release. It brings the decision what it needs, carries it
out in order, and writes down what came of it, also when it failed.
"""
