"""What every room may know of the Hub without talking to it: how it may be asked, and what can go wrong.

Apart from `jobs.hub_http`, whose client takes longer to import than most commands take.
"""

from __future__ import annotations

from typing import ClassVar

from pydantic import BaseModel, ConfigDict, Field, field_validator

from warehouse.errors import LeadchangeError


class HubError(LeadchangeError):
    """The Hub could not be read."""

    exit_code: ClassVar[int] = 3


class UnreadableError(HubError):
    """One question that the Hub did not answer properly. `exhausted`: although it was asked again and again."""

    def __init__(self, reason: str, *, exhausted: bool = False) -> None:
        super().__init__(reason)
        self.exhausted = exhausted


class TokenRefusedError(HubError):
    """The Hub does not know the token it was shown."""

    def __init__(self) -> None:
        super().__init__("the Hub refused the token (401); public counts need none: mend or unset HF_TOKEN")


class WalkCancelled(HubError):  # noqa: N818  (it is not an error but an answer to `stop`)
    """The walk was told to stop."""


class HubSettings(BaseModel):
    """Where the Hub is, and how hard it may be asked."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True, allow_inf_nan=False)

    endpoint: str = Field("https://huggingface.co", description="The Hub, or a mirror that speaks its API.")
    quota_share: float = Field(0.5, gt=0, le=1, description="Share of the Hub's rate limit this monitor may use.")
    timeout_seconds: float = Field(30.0, gt=0, description="Longest that one request may take, to the last byte.")
    deadline_seconds: float = Field(900.0, gt=0, description="Longest that one look at all publishers may take.")
    concurrency: int = Field(8, ge=1, le=64, description="How many publishers are read at once.")
    page_size: int = Field(1000, ge=1, le=1000, description="Models asked for in one page.")
    attempts: int = Field(4, ge=1, le=20, description="How often a request is tried in all.")
    max_wait_seconds: float = Field(
        300.0, ge=0, description="Longest single wait for the rate limit; past it the publisher is given up."
    )
    count_tolerance: float = Field(
        0.0, ge=0, lt=1, description="Share by which a listing may differ from the Hub's own count of models."
    )

    census: bool = Field(default=False, description="Besides the families, read every model on the Hub once a day.")

    @field_validator("endpoint")
    @classmethod
    def _is_origin(cls, endpoint: str) -> str:
        from httpx import URL, InvalidURL  # noqa: PLC0415 needed where an endpoint is written only

        try:
            url = URL(endpoint)
        except InvalidURL as error:
            raise ValueError(f"not a URL: {error}") from None
        if url.scheme not in {"http", "https"} or not url.host or url.userinfo or url.query or url.fragment:
            raise ValueError("must be http(s)://host, without user, query or fragment")
        return endpoint.rstrip("/")
