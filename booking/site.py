"""Site: what the use cases need to know of this installation."""

from __future__ import annotations

from msgspec import Struct


class Site(Struct, frozen=True, kw_only=True):
    """The settings of an administrator that reach further than starting a server.

    `public_url` is the address clients see, without a slash at the end. `texts`, `emails`: whether a message of that
    kind can leave at all. `texts_per_day`: so many codes may be sent as texts, over all practices. `private_webhooks`
    lets webhooks go to private addresses: for demos and tests only.
    """

    public_url: str
    secret_key: bytes
    texts: bool = True
    emails: bool = True
    texts_per_day: int = 5_000
    private_webhooks: bool = False

    def __repr__(self) -> str:
        """Show nothing secret, wherever a traceback prints it."""
        return f"Site(public_url={self.public_url!r})"
