"""LevAIthan: the flight recorder and control tower of Claude Code."""

__version__ = "0.1.0"
