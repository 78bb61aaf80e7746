"""The machine's clock and randomness."""

import secrets
import time
from datetime import UTC, datetime

from wan22_app.domain.generation import MAX_SEED


class SystemClock:
    """Wall time in UTC and the monotonic clock."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()


class SystemSecrets:
    """The operating system's randomness."""

    def seed(self) -> int:
        return secrets.randbelow(MAX_SEED + 1)

    def new_id(self) -> str:
        return secrets.token_hex(16)
