"""gemini-agent: the sample service, an AI agent API that is small and behaves like a large one.

It is configured by the environment alone, keeps nothing on disk but a cache, shares limits and
answers between its pods through Redis, and shows what it does as Prometheus metrics. The model is
played, so that it runs anywhere and costs nothing: see `model.py`.
"""
