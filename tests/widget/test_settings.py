"""Settings are checked once, and a wrong one is named in a sentence."""

from __future__ import annotations

from datetime import timedelta

import pytest

from widget.settings import SettingRefused, Settings

ENOUGH = {
    "DATABASE_URL": "postgresql://vetslot:geheim@db.example/vetslot",
    "REDIS_URL": "redis://:geheim@cache.example:6379/0",
    "SECRET_KEY": "geheim" * 8,
}


def test_three_settings_are_enough() -> None:
    settings = Settings.from_environment(ENOUGH)
    assert settings.port == 8000
    assert settings.public_url == "http://localhost:8000"
    assert settings.mail_from == "no-reply@localhost"
    assert settings.smtp_url is None
    assert settings.sync_every == timedelta(seconds=15)
    assert not settings.dev_mailbox


def test_a_public_address_loses_its_last_slash() -> None:
    settings = Settings.from_environment(ENOUGH | {"PUBLIC_URL": "https://book.example/"})
    assert settings.public_url == "https://book.example"
    assert settings.mail_from == "no-reply@book.example"


@pytest.mark.parametrize("name", sorted(ENOUGH))
def test_a_missing_setting_is_named(name: str) -> None:
    with pytest.raises(SettingRefused, match=f"^{name} is not set: it must look like "):
        Settings.from_environment({key: value for key, value in ENOUGH.items() if key != name})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DATABASE_URL", "mysql://db.example"),
        ("DATABASE_URL", "postgresql://db.example:port/x"),
        ("REDIS_URL", "cache.example:6379"),
        ("PUBLIC_URL", "book.example"),
        ("SMTP_URL", "mail.example"),
        ("SECRET_KEY", "short"),
        ("PORT", "80a"),
        ("PORT", "0"),
        ("PORT", "65536"),
        ("SYNC_SECONDS", "-1"),
        ("DEV_MAILBOX", "perhaps"),
        ("LOG_LEVEL", "loud"),
        ("MAIL_FROM", "Riverside"),
    ],
)
def test_a_malformed_setting_is_refused_in_one_sentence(name: str, value: str) -> None:
    with pytest.raises(SettingRefused) as refused:
        Settings.from_environment(ENOUGH | {name: value})
    assert str(refused.value).startswith(name)
    assert str(refused.value).endswith(".")
    assert "\n" not in str(refused.value)


def test_no_secret_is_printed() -> None:
    assert "geheim" not in repr(Settings.from_environment(ENOUGH))
