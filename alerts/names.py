"""What entities are called where people read it: a country by its name, everything else as it calls itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from alerts.text import plain
from warehouse.records import Alert

COUNTRIES = {
    "AE": "United Arab Emirates",
    "CA": "Canada",
    "CH": "Switzerland",
    "CN": "China",
    "DE": "Germany",
    "FR": "France",
    "GB": "United Kingdom",
    "IL": "Israel",
    "IN": "India",
    "JP": "Japan",
    "KR": "South Korea",
    "PL": "Poland",
    "PT": "Portugal",
    "RU": "Russia",
    "SA": "Saudi Arabia",
    "SG": "Singapore",
    "TH": "Thailand",
    "TW": "Taiwan",
    "US": "United States",
    "VN": "Vietnam",
}
"""ISO 3166 codes that the registry uses, for people."""

_WITH_ARTICLE = frozenset({"AE", "GB", "US"})


def entity_name(kind: str, name: str) -> str:
    """An entity in a table or a picture; `kind` is what its board ranks."""
    return plain(COUNTRIES.get(name, name) if kind == "country" else name, 80)


def spoken(kind: str, name: str) -> str:
    """An entity in the middle of a sentence: `China passes the United States`."""
    the = "the " if kind == "country" and name in _WITH_ARTICLE else ""
    return f"{the}{entity_name(kind, name)}"


_NAMED = ("entity", "rival")


def with_names(row: Mapping[str, Any], kind: str | None) -> Mapping[str, Any]:
    """A row of a table for people; programs get it as it is. `kind` is what its board ranks."""
    if kind != "country":
        return row
    return {**row, **{who: entity_name(kind, row[who]) for who in _NAMED if isinstance(row.get(who), str)}}


def country_code(name: str) -> str:
    """The code of a country that is called by its name or its code, whatever the case; any other name as it is."""
    wanted = name.lower().removeprefix("the ")
    return next((code for code, country in COUNTRIES.items() if wanted in (code.lower(), country.lower())), name)


def in_words(alert: Alert) -> Alert:
    """The alert with its entities as they are spoken of; programs get it as it is."""
    kind = alert.entity_kind
    return replace(alert, entity=spoken(kind, alert.entity), rival=spoken(kind, alert.rival))
