"""Homes with a journal, for the tests of what reads it."""

from tests.support.journal_home import home, journal, settings

__all__ = ["home", "journal", "settings"]
