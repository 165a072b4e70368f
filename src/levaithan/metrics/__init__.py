"""Metrics: journal and stores as counters, gauges and histograms, under the names that `families.py` lists.

The journal is folded (`records.py`) into a `Tally`; what no record tells is looked at every few seconds (`gauges.py`).
Above stores, projector and cost, below the detectors. psutil, prometheus_client and OpenTelemetry are loaded by
the few modules that say so, so that a plain command loads none of them.
"""
