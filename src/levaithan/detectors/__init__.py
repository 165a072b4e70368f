"""What is wrong, and since when: rules over metrics, and detectors that look at records and log lines.

One definition of the rules (rules.toml) becomes Prometheus' YAML and the evaluator in this process. What any of them
finds is a Signal. Detectors import no driver, and never the module that speaks to the Claude API.
"""
