"""The monitor: a child of the service that turns the journal into metrics, signals, incidents and actions.

A process of its own, so that what Claude Code waits for never feels it. `python -m levaithan.monitor --home H`.
"""
