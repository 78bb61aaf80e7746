"""The engine process: the only place that imports torch. Nothing imports this package.

Executors start ``python -m wan22_app.engine.child`` and speak with it over its pipes.
"""
