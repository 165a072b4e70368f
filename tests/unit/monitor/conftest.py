"""Fixtures of the monitor's tests."""

from tests.support.journal_home import home, journal, settings

__all__ = ["home", "journal", "settings"]
