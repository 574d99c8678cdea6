"""What an administrator sets: read from the environment once, checked, and passed on by the composition roots."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from ipaddress import ip_network
from typing import Literal, get_args
from urllib.parse import urlsplit

from msgspec import Struct

LogLevel = Literal["debug", "info", "warning", "error"]
LOG_LEVELS: tuple[LogLevel, ...] = get_args(LogLevel)
SHORTEST_SECRET = 32
LAST_PORT = 65_535
ON, OFF = ("1", "true", "yes", "on"), ("", "0", "false", "no", "off")


class SettingRefused(ValueError):
    """A setting is missing or malformed; the message is one sentence that names it and never repeats a secret."""


class Settings(Struct, frozen=True, kw_only=True):
    """Everything `serve` and `work` need to know, each named as its variable in lower case unless said otherwise."""

    database_url: str
    redis_url: str
    host: str
    port: int
    public_url: str
    """The address clients see, without a slash at the end; links in messages and the widget begin with it."""
    secret_key: bytes
    smtp_url: str | None
    """None: messages are not sent."""
    mail_from: str
    texts_per_day: int
    """So many codes may be sent as texts, over all practices; each practice has a ceiling of its own below that."""
    dev_mailbox: bool
    """Show every message on `/dev/mailbox`: for demos only, as it shows them to everyone."""
    sync_every: timedelta
    """From SYNC_SECONDS: what a PIMS lets be read often is read at least so often."""
    trusted_proxies: list[str]
    """Addresses or networks whose `X-Forwarded-For` is believed; else the limits count the proxy as one client."""
    log_level: LogLevel

    @staticmethod
    def from_environment(environ: Mapping[str, str]) -> Settings:
        """Read and check every setting; the first that is wrong is refused."""
        port = _number(environ, "PORT", default=8000, largest=LAST_PORT)
        public_url = _url(environ, "PUBLIC_URL", ("http", "https"), default=f"http://localhost:{port}").rstrip("/")
        return Settings(
            database_url=database_url(environ),
            redis_url=_url(environ, "REDIS_URL", ("redis", "rediss")),
            host=environ.get("HOST") or "127.0.0.1",
            port=port,
            public_url=public_url,
            secret_key=_secret(environ, "SECRET_KEY"),
            smtp_url=_url(environ, "SMTP_URL", ("smtp", "smtps")) if environ.get("SMTP_URL") else None,
            mail_from=_sender(environ, f"no-reply@{urlsplit(public_url).hostname}"),
            texts_per_day=_number(environ, "TEXTS_PER_DAY", default=5_000, largest=10_000_000),
            dev_mailbox=_switch(environ, "DEV_MAILBOX"),
            sync_every=timedelta(seconds=_number(environ, "SYNC_SECONDS", default=15, largest=86_400)),
            trusted_proxies=_networks(environ, "TRUSTED_PROXIES"),
            log_level=_log_level(environ),
        )

    def __repr__(self) -> str:
        """Show nothing secret, wherever a traceback prints it."""
        return f"Settings(host={self.host!r}, port={self.port}, public_url={self.public_url!r})"


def database_url(environ: Mapping[str, str]) -> str:
    """Return the one setting that `migrate` needs."""
    return _url(environ, "DATABASE_URL", ("postgresql", "postgres"))


def _required(environ: Mapping[str, str], name: str, example: str) -> str:
    value = environ.get(name, "").strip()
    if not value:
        raise SettingRefused(f"{name} is not set: it must look like {example}.")
    return value


def _url(environ: Mapping[str, str], name: str, schemes: tuple[str, ...], *, default: str = "") -> str:
    example = f"{schemes[0]}://host.example"
    value = default if default and not environ.get(name) else _required(environ, name, example)
    try:
        parts = urlsplit(value)
        valid = parts.scheme in schemes and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        valid = False
    if not valid:
        raise SettingRefused(f"{name} is not an address that starts with {schemes[0]}:// and names a host.")
    return value


def _secret(environ: Mapping[str, str], name: str) -> bytes:
    value = _required(environ, name, "64 random characters, as `openssl rand -hex 32` prints them")
    if len(value) < SHORTEST_SECRET:
        raise SettingRefused(f"{name} is too short: use {SHORTEST_SECRET} random characters or more.")
    return value.encode()


def _number(environ: Mapping[str, str], name: str, *, default: int, largest: int) -> int:
    text = environ.get(name) or str(default)
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= largest):
        raise SettingRefused(f"{name} is {text!r}: it must be a whole number from 1 to {largest}.")
    return int(text)


def _networks(environ: Mapping[str, str], name: str) -> list[str]:
    networks = [one.strip() for one in environ.get(name, "").split(",") if one.strip()]
    for one in networks:
        try:
            ip_network(one)
        except ValueError:
            raise SettingRefused(f"{name} has {one!r}: it must list addresses or networks, as in 10.0.0.0/8.") from None
    return networks


def _sender(environ: Mapping[str, str], default: str) -> str:
    value = environ.get("MAIL_FROM") or default
    if "@" not in value or not value.isprintable():
        raise SettingRefused(
            "MAIL_FROM is not an email address: it must look like Riverside <front@riverside.example>."
        )
    return value


def _switch(environ: Mapping[str, str], name: str) -> bool:
    value = environ.get(name, "").strip().lower()
    if value not in ON + OFF:
        raise SettingRefused(f"{name} is {value!r}: it must be 1 or 0.")
    return value in ON


def _log_level(environ: Mapping[str, str]) -> LogLevel:
    value = (environ.get("LOG_LEVEL") or "info").strip().lower()
    for level in LOG_LEVELS:
        if level == value:
            return level
    raise SettingRefused(f"LOG_LEVEL is {value!r}: it must be one of {', '.join(LOG_LEVELS)}.")
