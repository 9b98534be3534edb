"""What is wrong with an engine."""


class EngineError(ValueError):
    """An engine cannot be had, or cannot compute what is asked. The message says which, and what to do."""
