"""The resident service: it decides, records and answers hook events, and brings the stores along.

`python -m levaithan.service --home H` serves in the foreground; `lifecycle` starts and stops it from outside. Imports
nothing here, so that asking whether it runs stays cheap.
"""
