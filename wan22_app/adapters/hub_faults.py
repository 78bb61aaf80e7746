"""What a hub's errors mean to a person. Never the token, never a signed address."""

import contextlib
from collections.abc import Iterator

import httpx2
from huggingface_hub.errors import (
    EntryNotFoundError,
    GatedRepoError,
    HfHubHTTPError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

from wan22_app.domain.errors import Problem, UserError
from wan22_app.ports import HubTrouble

PASSING = frozenset({408, 416, 425, 429})
"""Answers that may be different in a moment, besides every fault of the server's own (5xx)."""
TOKEN_CURE = (
    "Sign in by: hf auth login. Or set HF_TOKEN to a token that may read it; start the app again."
)


@contextlib.contextmanager
def explained(repo: str) -> Iterator[None]:
    """Turn the library's errors into ours."""
    try:
        yield
    except OfflineModeIsEnabled as error:
        raise HubTrouble(_offline(repo)) from error
    except HfHubHTTPError as error:
        raise _answered(repo, error) from error
    except httpx2.HTTPError as error:
        raise HubTrouble(_unreachable(repo, error)) from error
    except (ValueError, KeyError, TypeError) as error:
        # The library reads an answer as it should be; a proxy's page is something else.
        raise HubTrouble(_odd(repo, error)) from error


def _answered(repo: str, error: HfHubHTTPError) -> UserError:
    """What an answer with an error in it means."""
    status = error.response.status_code
    evidence = f"HTTP {status}"
    if isinstance(error, GatedRepoError):
        return UserError(_gated(repo, evidence))
    if isinstance(error, RevisionNotFoundError | EntryNotFoundError):
        return UserError(_changed(repo, evidence))
    if isinstance(error, RepositoryNotFoundError) or status in (401, 403, 404):
        return UserError(_no_entry(repo, status, evidence))
    if status in PASSING or status >= 500:
        return HubTrouble(_busy(repo, status, evidence), _asked_wait(error))
    return UserError(
        Problem(code="hub_refused", what=f"The hub refuses to hand out {repo}.", evidence=evidence)
    )


def _asked_wait(error: HfHubHTTPError) -> float:
    try:
        return max(0.0, float(error.response.headers.get("Retry-After", "0")))
    except ValueError:
        return 0.0


def no_diffusers_folder(repo: str) -> Problem:
    """The repository holds something else."""
    return Problem(
        code="hub_no_folder",
        what=f"{repo} holds no diffusers folder.",
        cause="The hub, or the mirror that HF_ENDPOINT names, has other files there.",
        cure="Check HF_ENDPOINT, or put the folder under models/ by hand.",
    )


def _offline(repo: str) -> Problem:
    return Problem(
        code="hub_offline",
        what=f"{repo} cannot be fetched.",
        cause="HF_HUB_OFFLINE forbids every question to the hub, and the hub cache has not all.",
        cure="Unset HF_HUB_OFFLINE, or put the folder under models/ by hand.",
    )


def _unreachable(repo: str, error: Exception) -> Problem:
    return Problem(
        code="hub_unreachable",
        what=f"The hub that holds {repo} cannot be reached.",
        cause="This machine has no way to it, or the hub is down.",
        cure="Check the network (HF_ENDPOINT names a mirror) and try again; what came is kept. "
        "Or put the folder under models/ by hand.",
        evidence=f"{type(error).__name__}: {error}"[:300],
    )


def _odd(repo: str, error: Exception) -> Problem:
    return Problem(
        code="hub_odd",
        what=f"What answers for {repo} is not a hub.",
        cause="A proxy or a sign-in page may stand between, or HF_ENDPOINT names another server.",
        cure="Check the network and HF_ENDPOINT, then try again.",
        evidence=type(error).__name__,
    )


def _busy(repo: str, status: int, evidence: str) -> Problem:
    cause = "It asks to be asked less often." if status == 429 else "It has a fault of its own."
    return Problem(
        code="hub_busy",
        what=f"The hub does not hand out {repo} now.",
        cause=cause,
        cure="Try again later; what came is kept.",
        evidence=evidence,
    )


def _gated(repo: str, evidence: str) -> Problem:
    return Problem(
        code="hub_gated",
        what=f"{repo} is handed out only to people who accepted its terms.",
        cause="The terms were not accepted with the account of this token, or there is no token.",
        cure=f"Accept them on the page of {repo} at the hub. {TOKEN_CURE}",
        evidence=evidence,
    )


def _no_entry(repo: str, status: int, evidence: str) -> Problem:
    if status == 404:
        what, cause = f"The hub knows no {repo}.", "It was renamed, or HF_ENDPOINT names a mirror."
        cure = "Check HF_ENDPOINT, or put the folder under models/ by hand."
    else:
        what = f"The hub does not let this machine read {repo}."
        cause = "The token is missing, expired or not allowed to."
        cure = TOKEN_CURE
    return Problem(code=f"hub_{status}", what=what, cause=cause, cure=cure, evidence=evidence)


def _changed(repo: str, evidence: str) -> Problem:
    return Problem(
        code="hub_changed",
        what=f"{repo} has changed at the hub while it was fetched.",
        cure="Try again: files that are still the same are kept.",
        evidence=evidence,
    )
