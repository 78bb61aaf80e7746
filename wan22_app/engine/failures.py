"""What an exception means: whose fault it is, what to say, whether the process can go on."""

import errno
import traceback
from typing import Literal

import torch
from safetensors import SafetensorError

from wan22_app.domain.errors import Problem
from wan22_app.domain.events import Failed
from wan22_app.domain.work import Work
from wan22_app.engine.footage import BadVideo
from wan22_app.engine.loading import BadWeights
from wan22_app.engine.loras import BadLora
from wan22_app.engine.picture import BadImage

Kind = Literal["request", "memory", "device", "weights", "storage", "internal"]
STORAGE_ERRORS = {errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EROFS, errno.EIO, errno.ENOENT}
TAIL_LINES = 12


CARD_IS_FULL = (
    "CUDA out of memory", "CUBLAS_STATUS_ALLOC_FAILED", "CUDNN_STATUS_ALLOC_FAILED",
    "DEVICE_ALLOCATION_FAILED",
)  # fmt: skip
HOST_IS_FULL = (
    "DefaultCPUAllocator", "Cannot allocate memory", "paging file is too small",
    "HOST_ALLOCATION_FAILED",
)  # fmt: skip
NOT_ENOUGH = ("CUDA error: out of memory", "CUDA driver error: out of memory")
"""What asking for pinned pages ends with, which only block offload does; else the card could not
even be opened, because another program holds it."""
Shortage = Literal["vram", "ram"]


class BadNumbers(Exception):
    """Latents with infinities, or with what is no number."""


class NotSaved(Exception):
    """What a draft has computed did not reach the disk, and without that it is none."""


class Untried(Exception):
    """A way to compute has not passed its trial in this engine's life."""


class CannotWrite(Exception):
    """The staging folder refused a file; wraps the OSError."""


def failure(error: BaseException, work: Work, stage: str) -> Failed:
    """The verdict for a run that raised ``error`` during ``stage``."""
    kind, problem = _judge(error, work, stage)
    return Failed(job_id=work.job_id, kind=kind, problem=problem, fatal=_poisons(error, work))


def _judge(error: BaseException, work: Work, stage: str) -> tuple[Kind, Problem]:
    shortage = _shortage(error, work)
    if shortage is not None:
        return "memory", _out_of_memory(error, stage, shortage)
    if _poisons(error, work):
        return "device", _device_fault(error, stage)
    if isinstance(error, BadLora):
        return "request", _bad_lora(error, work)
    if isinstance(error, BadNumbers):
        return "request", _bad_numbers(error, work)
    if isinstance(error, BadImage):
        return "request", _bad_image(error)
    if isinstance(error, BadVideo):
        return "request", _bad_video(error)
    if isinstance(error, Untried):
        return "request", _untried(error)
    if isinstance(error, NotSaved):
        # As what may pass: tried twice more, and not for ever.
        return "device", _not_saved(error)
    if isinstance(error, CannotWrite):
        return "storage", _cannot_write(error)
    if stage == "loading" or isinstance(error, BadWeights | SafetensorError):
        return "weights", _bad_weights(error, work)
    return "internal", _our_fault(error, stage)


def _shortage(error: BaseException, work: Work) -> Shortage | None:
    """Which memory ran out, if that is what the error says.

    torch has no class of its own for main memory: what the CPU's allocator and the driver, asked
    for pinned pages, say is only in their words. A library on the card that could not allocate
    raises plain errors, too.
    """
    text = str(error)
    if isinstance(error, torch.OutOfMemoryError) or any(word in text for word in CARD_IS_FULL):
        return "vram"
    host = isinstance(error, MemoryError) or getattr(error, "errno", None) == errno.ENOMEM
    if host or any(word in text for word in HOST_IS_FULL):
        return "ram"
    pins = work.plan.offload == "block"
    return "ram" if pins and any(word in text for word in NOT_ENOUGH) else None


def _poisons(error: BaseException, work: Work) -> bool:
    """After a CUDA error other than out of memory the process can compute nothing any more."""
    words = ("CUDA error", "CUDA driver error")
    accelerator = isinstance(error, torch.AcceleratorError) or any(w in str(error) for w in words)
    return accelerator and _shortage(error, work) is None


def _out_of_memory(error: BaseException, stage: str, shortage: Shortage) -> Problem:
    cures = "smaller VAE tiles or more offload"
    if shortage == "ram":
        cures = "smaller VAE tiles or one part of the model in memory at a time"
    return Problem(
        code=f"out_of_{shortage}",
        what=f"{'The card' if shortage == 'vram' else 'The machine'} ran out of memory while "
        f"{stage or 'starting'}.",
        cause="The picture, the length or the tiles are too large for it.",
        cure=f"Choose a smaller size, fewer frames, {cures}.",
        evidence=_evidence(error),
    )


def _device_fault(error: BaseException, stage: str) -> Problem:
    return Problem(
        code="device_fault",
        what=f"The card stopped working while {stage or 'starting'}.",
        cause="A fault of the card or its driver, or another program holds it.",
        cure="Restart the machine, then try again.",
        evidence=_evidence(error),
    )


def _bad_lora(error: BaseException, work: Work) -> Problem:
    return Problem(
        code="lora_unusable",
        what=f"The LoRA {error} cannot be used with {work.entry.spec.name}.",
        cause="It was made for another model, or the file is damaged or gone.",
        cure="Choose a LoRA for this model.",
        evidence=_evidence(error.__cause__) if error.__cause__ else "",
        field="loras",
    )


def _bad_numbers(error: BaseException, work: Work) -> Problem:
    half = work.plan.precision == "fp16"
    return Problem(
        code="not_finite",
        what="The video came out as no picture: its numbers left their range.",
        cause="fp16 overflows in this model." if half else "A LoRA or a setting is too strong.",
        cure="Choose bf16." if half else "Lower the LoRA's strength, the guidance or the shift.",
        field="precision" if half else "",
        evidence=_evidence(error),
    )


def _untried(error: BaseException) -> Problem:
    return Problem(
        code="trial_failed",
        what=f"What was asked for does not work on this card any more: {error}.",
        cause="It was tried anew, as the versions of what computes have changed.",
        cure="Set attention to native and compilation to none; wan22 doctor says what was found.",
    )


def _not_saved(error: BaseException) -> Problem:
    return Problem(
        code="draft_unsaved",
        what="What the draft has computed could not be saved.",
        cause="The disk of the data folder is full, or the folder cannot be written.",
        cure="Make room there, then try again.",
        evidence=str(error),
    )


def _bad_video(error: BaseException) -> Problem:
    return Problem(
        code="video_gone",
        what="The video that it goes on from cannot be read any more.",
        cause="Its copy in the uploads folder was removed or damaged.",
        cure="Choose it again on Outputs, then queue the job once more.",
        evidence=str(error),
    )


def _bad_image(error: BaseException) -> Problem:
    return Problem(
        code="image_gone",
        what="The start image cannot be read any more.",
        cause="Its file was removed or damaged after the job was queued.",
        cure="Choose the image again.",
        field="image",
        evidence=_evidence(error),
    )


def _cannot_write(error: BaseException) -> Problem:
    return Problem(
        code="staging_unwritable",
        what="The video could not be written.",
        cause="The outputs folder is full or may not be written to.",
        cure="Make room, or correct the folder's rights. The job goes on by itself.",
        evidence=str(error),
    )


def _bad_weights(error: BaseException, work: Work) -> Problem:
    return Problem(
        code="weights_unreadable",
        what=f"The weights of {work.entry.spec.name} cannot be loaded.",
        cause="A file is missing, cut short or of another model.",
        cure="Fetch the model's folder again.",
        evidence=_evidence(error),
    )


def _our_fault(error: BaseException, stage: str) -> Problem:
    return Problem(
        code="engine_error",
        what=f"Something went wrong while {stage or 'starting'}.",
        cause="This is probably a fault of the app.",
        cure="Try again; if it comes back, report it with the lines below.",
        evidence="".join(traceback.format_exception(error)[-TAIL_LINES:])[-2000:],
    )


def _evidence(error: BaseException) -> str:
    return f"{type(error).__name__}: {str(error)[:500]}"
