"""The command psnet. Each file here is one part of it: what can be typed, and the call of the room that does it."""

from psnet.cli.main import main, parser

__all__ = ["main", "parser"]
