"""What is wrong with a field of a request, in words that name the field, the limit, the cure."""

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from wan22_app.domain.errors import Problem

MAX_LORAS = 16
"""Files of one request: eight pairs, which is more than keeps a picture sound."""
MOST_STRENGTH = 4.0
"""Of a LoRA, either way."""
LONGEST_NAME = 200
"""Characters of a LoRA file's name."""
MORE_LORAS = (f"That is more than {MAX_LORAS} LoRA files.", "Take some off the list.")

FIELD_NAMES = {
    "prompt": "Prompt",
    "negative_prompt": "Negative prompt",
    "width": "Width",
    "height": "Height",
    "frames": "Frames",
    "fps": "Frames per second",
    "steps": "Steps",
    "guidance": "Guidance",
    "guidance_low": "Guidance, low noise",
    "shift": "Shift",
    "sampler": "Sampler",
    "step_cache": "Step cache",
    "seed": "Seed",
    "precision": "Precision",
    "vae_precision": "Decoder precision",
    "quantization": "Quantization",
    "text_quantization": "Text encoder's quantization",
    "attention": "Attention",
    "compilation": "Compilation",
    "offload": "Offload",
    "keep": "Model in memory",
    "tile": "VAE tile size",
    "chunk": "Chunk of tokens",
    "may_reduce": "Smaller if memory runs out",
    "image": "Start image",
    "last_image": "Last image",
    "continues": "Video to go on from",
    "loras": "LoRAs",
}

_CURES = {
    "greater_than": "Use more than {gt}.",
    "greater_than_equal": "Use {ge} or more.",
    "less_than_equal": "Use {le} or less.",
    "multiple_of": "Use a multiple of {multiple_of}.",
    "too_long": "Shorten it to {max_length} characters.",
    "string_too_long": "Shorten it to {max_length} characters.",
    "finite_number": "Use an ordinary number.",
    "int_parsing": "Use a whole number.",
    "int_parsing_size": "Use a smaller number.",
    "int_from_float": "Use a whole number.",
    "int_type": "Use a whole number.",
    "float_parsing": "Use a number.",
    "float_type": "Use a number.",
    "string_type": "Use plain text.",
    "string_unicode": "Type that part again.",
    "literal_error": "Choose {expected}.",
    "extra_forbidden": "Leave it out.",
}
_FIELD_CURES = {
    "prompt": "Say in a sentence what should happen.",
    "tile": "Use auto, or a multiple of 16 from 64 to 1024.",
    "chunk": "Use auto, or a number from 256 to 65536.",
    "may_reduce": "Use true or false.",
    "image": "Choose the image again.",
    "last_image": "Choose the image again.",
    "loras": "Choose the LoRA again.",
}
_ANY_CURE = "Use another value."
_TOO_LONG = ("string_too_long", "too_long")


def problems_of(error: ValidationError) -> list[Problem]:
    """One problem for each field: a union reports each of its halves; people want one reason."""
    seen: dict[str, Problem] = {}
    for detail in error.errors(include_url=False):
        problem = _problem_of(detail)
        seen.setdefault(problem.field, problem)
    return list(seen.values())


def _problem_of(detail: ErrorDetails) -> Problem:
    """Turn one of pydantic's error details into words that name the field, the limit, the cure."""
    field = shown(detail["loc"][0]) if detail["loc"] else ""
    kind, limits = detail["type"], detail.get("ctx", {})
    name = FIELD_NAMES.get(field, field) or "The form"
    if kind == "value_error":
        return _text_problem(field, name, str(limits.get("error", "")))
    cure = _CURES[kind].format_map(limits) if kind in _CURES else _ANY_CURE
    if kind == "extra_forbidden":
        what = f"There is no field “{field}”."
    elif field == "loras" and kind == "too_long":
        what, cure = MORE_LORAS
    elif kind in _TOO_LONG:
        what = f"{name} is too long."
    else:
        empty = field == "prompt" and kind in ("too_short", "string_too_short")
        what = "The prompt is empty." if empty else f"{name} cannot be “{shown(detail['input'])}”."
        cure = _FIELD_CURES.get(field, cure)
    return Problem(code=f"bad_{field or 'request'}", what=what, cure=cure, field=field)


def shown(value: object) -> str:
    """A refused value, short and free of what no page can show."""
    try:
        text = str(value)[:40]
    except (ValueError, RecursionError):
        text = "…"  # a number of thousands of digits, say
    return "".join(char if char.isprintable() else "?" for char in text)


def _text_problem(field: str, name: str, reason: str) -> Problem:
    """What this module's own validators refused: a control character, or true for a number."""
    if reason.startswith("control character"):
        return Problem(
            code="control_character",
            what=f"{name} holds a {reason}.",
            cause="It probably came along with copied text.",
            cure="Type that part again.",
            field=field,
        )
    return Problem(code=f"bad_{field}", what=f"{name} {reason}.", cure="Use a number.", field=field)
