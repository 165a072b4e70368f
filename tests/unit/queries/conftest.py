"""Homes with a journal, and a ledger, for the tests of what is asked of them."""

from tests.support.journal_home import home, journal, ledger, settings

__all__ = ["home", "journal", "ledger", "settings"]
