"""Counts in words."""

from __future__ import annotations


def amount(count: int, noun: str, nouns: str = "") -> str:
    """`1 day`, `1,095 days`; `noun` is in the singular, `nouns` the plural where an s does not make it."""
    return f"{count:,} {noun if count == 1 else nouns or f'{noun}s'}"
