"""What an exception means: whose fault it is, what to say, whether the process can go on."""

import errno
import traceback
from typing import Literal

import torch
from safetensors import SafetensorError

from wan22_app.domain.errors import Problem
from wan22_app.domain.events import Failed
from wan22_app.domain.work import Work
from wan22_app.engine.loading import BadWeights
from wan22_app.engine.loras import UselessLora

Kind = Literal["request", "memory", "device", "weights", "storage", "internal"]
STORAGE_ERRORS = {errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EROFS, errno.EIO, errno.ENOENT}
TAIL_LINES = 12


class CannotWrite(Exception):
    """The staging folder refused a file; wraps the OSError."""


def failure(error: BaseException, work: Work, stage: str) -> Failed:
    """The verdict for a run that raised ``error`` during ``stage``."""
    kind, problem = _judge(error, work, stage)
    return Failed(job_id=work.job_id, kind=kind, problem=problem, fatal=_poisons(error))


def _judge(error: BaseException, work: Work, stage: str) -> tuple[Kind, Problem]:
    name = work.entry.spec.name
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return "memory", _out_of_memory(error, stage)
    if _poisons(error):
        return "device", Problem(
            code="device_fault",
            what=f"The card stopped working while {stage or 'starting'}.",
            cause="A fault of the card or its driver, or another program holds it.",
            cure="Restart the machine, then try again.",
            evidence=f"{type(error).__name__}: {str(error)[:500]}",
        )
    if isinstance(error, UselessLora):
        return "request", Problem(
            code="lora_matched_nothing",
            what=f"The LoRA {error} matched nothing in {name}.",
            cause="It was probably made for another model.",
            cure="Choose a LoRA for this model.",
            field="loras",
        )
    if isinstance(error, CannotWrite):
        return "storage", Problem(
            code="staging_unwritable",
            what="The video could not be written.",
            cause="The outputs folder is full or may not be written to.",
            cure="Make room, or correct the folder's rights. The job goes on by itself.",
            evidence=str(error),
        )
    if stage == "loading" or isinstance(error, BadWeights | SafetensorError):
        return "weights", Problem(
            code="weights_unreadable",
            what=f"The weights of {name} cannot be loaded.",
            cause="A file is missing, cut short or of another model.",
            cure="Fetch the model's folder again.",
            evidence=f"{type(error).__name__}: {str(error)[:500]}",
        )
    return "internal", Problem(
        code="engine_error",
        what=f"Something went wrong while {stage or 'starting'}.",
        cause="This is probably a fault of the app.",
        cure="Try again; if it comes back, report it with the lines below.",
        evidence="".join(traceback.format_exception(error)[-TAIL_LINES:])[-2000:],
    )


def _out_of_memory(error: BaseException, stage: str) -> Problem:
    card = isinstance(error, torch.OutOfMemoryError)
    return Problem(
        code="out_of_vram" if card else "out_of_ram",
        what=f"{'The card' if card else 'The machine'} ran out of memory while {stage}.",
        cause="The picture, the length or the tiles are too large for it.",
        cure="Choose a smaller size, fewer frames, smaller VAE tiles or more offload.",
        evidence=str(error)[:500],
    )


def _poisons(error: BaseException) -> bool:
    """After a CUDA error other than out of memory the process can compute nothing any more."""
    accelerator = isinstance(error, torch.AcceleratorError) or "CUDA error" in str(error)
    return accelerator and not isinstance(error, torch.OutOfMemoryError)
