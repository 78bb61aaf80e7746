"""The base of every domain value."""

from pydantic import BaseModel, ConfigDict


class Value(BaseModel):
    """Frozen and strict about its fields: a typo in a stored row must not vanish silently.

    Strings of JSON are not kept for later: each job's id would stay in pydantic's cache.
    """

    model_config = ConfigDict(
        frozen=True, extra="forbid", allow_inf_nan=False, cache_strings="keys"
    )
