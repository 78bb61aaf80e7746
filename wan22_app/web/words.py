"""Every text of the pages, in one place, so that it can be translated."""

from wan22_app.domain.catalog import CATALOG
from wan22_app.domain.events import Stage
from wan22_app.domain.job import HoldReason, JobState

MODEL_NAMES = {key: spec.name for key, spec in CATALOG.items()}

APP = "wan22"
GENERATION = "Generation"
OPTIMIZATIONS = "Optimizations"
QUEUE = "Queue & Stats"
OUTPUTS = "Outputs"

STATES = {
    JobState.QUEUED: "Waiting",
    JobState.RUNNING: "Running",
    JobState.SUCCEEDED: "Finished",
    JobState.FAILED: "Failed",
    JobState.CANCELLED: "Cancelled",
    JobState.QUARANTINED: "Set aside",
}
NEXT = "Next in line"
AHEAD = "Waiting behind {count}"
CANCELLING = "Cancelling"
HOLDS = {
    HoldReason.NONE: "Waiting",
    HoldReason.PAUSED: "Paused",
    HoldReason.WEIGHTS: "Waiting for the model's weights",
    HoldReason.SPACE: "Waiting for disk space",
}
STAGES = {
    Stage.LOADING: "Loading the model",
    Stage.TEXT: "Reading the prompt",
    Stage.IMAGE: "Reading the image",
    Stage.DENOISING: "Denoising",
    Stage.DECODING: "Decoding the picture",
    Stage.ENCODING: "Writing the video",
}
SHORT_STAGES = {
    Stage.LOADING: "Load",
    Stage.TEXT: "Text",
    Stage.IMAGE: "Image",
    Stage.DENOISING: "Denoise",
    Stage.DECODING: "Decode",
    Stage.ENCODING: "Save",
}
STARTING = "Starting"
EXPERTS = {"": "", "high": "high noise", "low": "low noise"}

MODEL = "Model"
DEMO_NOTE = "Demo: a toy with random weights that shows how the app works. It is not Wan2.2."
PROMPT = "What should happen?"
PROMPT_HINT = "A red ball rolls to the left across a wooden floor, soft morning light"
NEGATIVE = "What to avoid"
NEGATIVE_HINT = "Nothing to avoid"
START_IMAGE = "Start image"
IMAGE_OPTIONAL = "Drop an image here, or click to choose one. Optional."
IMAGE_REQUIRED = "Drop an image here, or click to choose one. This model starts from it."
IMAGE_TYPES = "PNG, JPEG or WebP, up to 30 MB"
IMAGE_ALT = "The chosen start image"
REPLACE = "Replace"
REMOVE_IMAGE = "Remove image"
SHAPE = "Shape"
QUALITY = "Quality"
LENGTH = "Length"
SEED = "Seed"
SEED_HINT = "random"
DICE = "Choose a seed"
ADVANCED = "Advanced"
WIDTH = "Width"
HEIGHT = "Height"
FRAMES = "Frames"
FPS = "Frames per second"
STEPS = "Steps"
GUIDANCE = "Guidance"
GUIDANCE_HIGH = "Guidance, high noise"
GUIDANCE_LOW = "Guidance, low noise"
SHIFT = "Shift"
PRECISION = "Precision"
OFFLOAD = "Offload"
TILE = "VAE tile"
LORA = "LoRA"
LORA_NONE = "none"
STRENGTH = "LoRA strength"
HINTS = {
    "width": "pixels",
    "height": "pixels",
    "frames": "how many pictures",
    "fps": "pictures per second",
    "steps": "more is slower and finer",
    "guidance": "how closely the prompt is followed; 1 is off",
    "guidance_low": "for the second expert",
    "shift": "higher spends more steps on motion",
    "tile": "auto, or pixels: smaller needs less memory",
    "lora_strength": "-4 to 4",
}
RESET = "Use the model's defaults"
GENERATE = "Generate"
ADD = "Add to queue ({place})"
CHECKING = "Checking"
FITS_CARD = "Fits: about {needed:.1f} of {total:.1f} GB on the card"
FITS_CPU = "Runs here, on the processor"
STARTS_NOW = "It starts at once."
STARTS_NEXT = "It starts after the job at work."
STARTS_LATER = "It starts after {count} others."
FIX_FIELDS = "Something above needs a change first."
SAY_SOMETHING = "Say what should happen, and this is ready."
MADE = "Made at {made}, cropped to {asked}."
MADE_FRAMES = "Made with {made} frames, {asked} are kept."
QUEUED = "Queued"
SENT_CANCEL = "Cancelling"
REMOVED = "Removed"
FREED = "The card will be freed"

STAGE_EMPTY = "Your video will play here"
STAGE_EMPTY_HINT = "Write a prompt and press Generate. Closing the page does not stop a job."
LAST_RESULTS = "Last results"
CANCEL = "Cancel"
RETRY = "Retry"
REMOVE = "Remove"
DOWNLOAD = "Download"
USE_SETTINGS = "Use these settings"
EVIDENCE = "Details"
PLAY = "Play: {prompt}"
ELAPSED = "elapsed"
LEFT = "left"
JOB_PROGRESS = "Progress of the running job"
VIDEO_LABEL = "The finished video"

RUNNING = "Running"
WAITING = "Waiting"
ENDED = "Ended"
QUEUE_EMPTY = "Nothing waits and nothing runs."
ENDED_EMPTY = "Nothing has ended yet."
OUTPUTS_EMPTY = "No videos yet. The first one will appear here."
THIS_MACHINE = "This machine"
MODELS = "Models"
FREE_CARD = "Free the card"
FREE_CARD_HINT = "A warm model stays loaded for ten minutes after its last job."
READY = "ready"
MISSING = "not here"
DAMAGED = "damaged"
LEVELS = {"ok": "fine", "note": "note", "bad": "needs a hand"}
NO_DISPATCHER = "The queue is starting."
LOADING = "Loading"
TOGGLE_MODE = "Light or dark"
OFFLINE = "No connection to the app. Your jobs go on; this page comes back by itself."


def place(number: int) -> str:
    """``1st``, ``2nd``, ``3rd``."""
    if number % 100 in (11, 12, 13):
        return f"{number}th"
    return f"{number}{ {1: 'st', 2: 'nd', 3: 'rd'}.get(number % 10, 'th') }"
