"""Incidents: what is wrong, who has it, what was done, what is owed; all of it a fold of the journal's records.

The engine opens and follows them, people's commands move them on by records of their own. Imports no driver; the Claude
SDK is loaded by `incidents/claude.py` alone, and nothing here but the command line imports that.
"""
