"""A wrong answer ends a benchmark."""

from __future__ import annotations


class Wrong(Exception):
    """An answer was wrong; nothing that was measured counts."""
