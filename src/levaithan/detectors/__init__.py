"""What is wrong, and since when: rules over metrics, and detectors that look at records and log lines.

One definition of the rules (rules.toml) becomes Prometheus' YAML and the evaluator in this process. What any of them
finds is a Signal. Detectors import no driver, and never the module that speaks to the Claude API.

Whoever runs them gives every record to Watch.take at its own time, and every 15 seconds (of the records' time while
old ones are read, else of the clock) the tally's series to Evaluator.observe, then asks Evaluator.evaluate and
Watch.signals for signals of that time, and keeps both dumps beside the journal's cursor.
"""
