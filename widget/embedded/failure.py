"""The one way in which an embedded server fails."""


class EmbeddedServerFailed(RuntimeError):
    """A server could not be found, started or stopped; the message is one sentence that says what to do."""
