"""The Generation page."""

from collections.abc import Mapping

MODEL = "Model"
DEMO_NOTE = (
    "Demo: a toy that understands shapes, not Wan2.2. It draws one or two coloured shapes that "
    "move on a simple background."
)
PROMPT = "What should happen?"
PROMPT_HINT = "A red ball rolls to the left across a wooden floor, soft morning light"
NEGATIVE = "What to avoid"
NEGATIVE_HINT = "Nothing to avoid"
START_IMAGE = "Start image"
LAST_IMAGE = "Last image"
LAST_IMAGE_HINT = "Optional: drop the picture that the video ends with, or click to choose it."
LAST_IMAGE_ALT = "The last image as the model will see it"
REMOVE_LAST_IMAGE = "Remove the last image"
IMAGE_OPTIONAL = "Drop an image here, or click to choose one. Optional."
IMAGE_REQUIRED = "Drop an image here, or click to choose one. This model starts from it."
IMAGE_TYPES = "PNG, JPEG, WebP, AVIF, GIF, BMP or TIFF, up to 30 MB"
IMAGE_EXAMPLE = "Use an example image"
IMAGE_ALT = "The chosen start image"
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
SPEED = "Speed"
SPEEDS = {"exact": "Exact", "balanced": "Balanced", "fast": "Fast", "turbo": "Turbo"}
SPEED_HINTS = {
    "balanced": "Balanced is lossy: the model computes in eight bits. ",
    "fast": "Fast is lossy: eight bits, and steps that would hardly change are skipped. ",
    "turbo": "Turbo is lossy: 4 steps without guidance, about a twentieth of the work. Motion is "
    "slower, and seeds differ less.",
}
SPEED_MEASURED = "Measured here: {psnr:.0f} dB beside Exact."
SPEED_UNMEASURED = "How near it comes to Exact was not measured on this card."
TURBO_LACKS = "It needs a distilled 4-step LoRA for this model on the list below."
STEPS = "Steps"
GUIDANCE = "Guidance"
GUIDANCE_HIGH = "Guidance, high noise"
GUIDANCE_LOW = "Guidance, low noise"
SHIFT = "Shift"
SAMPLER = "Sampler"
STEP_CACHE = "Step cache"
PRECISION = "Precision"
OFFLOAD = "Offload"
TILE = "VAE tile"
VAE_PRECISION = "Decoder precision"
QUANTIZATION = "Quantization"
TEXT_QUANTIZATION = "Text encoder"
ATTENTION = "Attention"
COMPILATION = "Compilation"
PARTS_KEPT = "Model in memory"
CHUNK = "Chunk of tokens"
LORA = "LoRA"
LORAS = "LoRAs"
LORA_ADD = "Add a LoRA"
LORA_NONE_HERE = "The LoRA folder is empty."
LORA_STRENGTH = "Strength"
LORA_REMOVE = "Take off"
LORA_PARTLY = "Use what fits of it"
HINTS = {
    "width": "pixels",
    "height": "pixels",
    "frames": "how many pictures",
    "fps": "pictures per second",
    "steps": "more is slower and finer",
    "guidance": "how closely the prompt is followed; 1 is off",
    "guidance_low": "for the second expert",
    "shift": "higher spends more steps on motion",
    "sampler": "euler is for 4-step models and LoRAs",
    "quantization": "weights in eight bits: lossy",
    "text_quantization": "weights in eight bits: lossy",
    "attention": "others than native are tried first; sage is lossy",
    "compilation": "small operations in one: faster, tried first",
    "step_cache": "0 is off; 0.1 skips what hardly changes: lossy",
    "tile": "auto, or pixels: smaller needs less memory",
    "chunk": "auto, or tokens: fewer need less memory",
    "count": "each its own seed",
    "loras": "strength 1 is as it was trained, 0 is off, -4 to 4",
}
MAY_REDUCE = "If memory runs out, also try smaller"
MAY_REDUCE_HINT = (
    "Off: only smaller tiles and more offload are tried. On: then also lower precision, eight-bit "
    "weights, a smaller picture and a shorter video, one after the other. The video says what was "
    "changed."
)
DRAFTS_FIRST_HINT = (
    "Each stops after a quarter of its steps and shows a preview. What you keep goes on, and ends "
    "as if it had never stopped."
)
RUN_FIRST = "Run before my other waiting jobs"
ADD_FIRST = "Add to queue (next of mine)"
RESET = "Use the model's defaults"
GENERATE = "Generate"
ADD = "Add to queue ({place})"
FITS_CARD = "Fits: about {needed:.1f} of {total:.1f} GB on the card"
MEASURED = "{fits}, as measured here"
FITS_CPU = "Runs here, on the processor"
STARTS_NOW = "It starts at once."
STARTS_RESUMED = "It starts when the queue is resumed."
HELD_BY_QUEUE = "Queue paused"
STARTS_NEXT = "It starts after the job at work."
STARTS_LATER = "It starts after {count} others."
FIX_FIELDS = "Something above needs a change first."
SAY_SOMETHING = "Say what should happen, and this is ready."
MADE = "Made at {made}, cropped to {asked}."
MADE_FRAMES = "Made with {made} frames, {asked} are kept."
QUEUED = "Queued"
QUEUED_ALL = "{count} videos queued"
COUNT = "Videos"
SENT_CANCEL = "Cancelling"
PRESETS = "Presets"
PRESET_HINT = "Keeps everything but prompt, image and seed."
PRESET_NAME = "Name"
PRESET_SAVED = "Preset saved"
PRESET_APPLIED = "{name} applied"
STEPS_COUNT = "{count} steps"
STAGE_EMPTY = "Your video will play here"
STAGE_EMPTY_HINT = "Write a prompt and press Generate. Closing the page does not stop a job."
CONTINUES_TITLE = "Goes on from"
CONTINUES = "a video of {length}, {size}"
CONTINUES_ALT = "The last picture of the video that it goes on from"
CONTINUES_HINT = (
    "The new video begins with that one, unchanged, and goes on for the length below, less the "
    "frames that are given. More of them carry the motion on; size and rate stay."
)
TAIL = "Last frames given"
DROP_VIDEO = "Begin anew"
DRAFTS = "Drafts"
DRAFTS_HINT = "A quarter of the steps is done. Keep those that you like; they go on from there."
DRAFT_DONE = "A draft is done. Keep it below, and it goes on to its video."
DRAFT_KEEP = "Keep"
DRAFT_KEEP_NAMED = "Keep the draft with seed {seed}"
DRAFT_DISCARD = "Discard"
DRAFT_DISCARD_NAMED = "Discard the draft with seed {seed}"
DRAFT_LABEL = "Draft with seed {seed}: {prompt}"
DRAFT_KEPT = "Queued: it goes on from its draft"
DRAFT_DISCARDED = "Draft discarded"
DRAFT_GOES_ON = "Goes on"
DRAFTS_FIRST = "Drafts first"
LAST_RESULTS = "Last results"
USE_SETTINGS = "Use these settings"
PLAY = "Play: {prompt}"
ELAPSED = "elapsed"
LEFT = "left"
JOB_PROGRESS = "Progress of the running job"
PREVIEW_LABEL = "Preview of the video that is being made"
VIDEO_LABEL = "The finished video"


def speed_note(speed: str, measured: Mapping[str, float]) -> str:
    """What a lossy speed costs; empty for Exact and for something of one's own."""
    said = SPEED_HINTS.get(speed, "")
    if not said or speed == "turbo":
        return said
    psnr = measured.get(speed)
    return said + (SPEED_UNMEASURED if psnr is None else SPEED_MEASURED.format(psnr=psnr))


def place(number: int) -> str:
    """``1st``, ``2nd``, ``3rd``."""
    if number % 100 in (11, 12, 13):
        return f"{number}th"
    return f"{number}{ {1: 'st', 2: 'nd', 3: 'rd'}.get(number % 10, 'th') }"


IMAGE_READING = "Reading the image"
IMAGE_SCALED = "Scaled down from {size}."
IMAGE_FIRST = "The file holds several pictures; this is the first."
ONE_IMAGE = "Those are several files. Drop one image at a time."
BACKGROUND = "Behind what is transparent"
BACKGROUNDS = {"black": "Black", "white": "White"}
CROP = "Part to keep"
CROP_ACROSS = ("Left", "Centre", "Right")
CROP_DOWN = ("Top", "Centre", "Bottom")
CROP_MOVE = "Move the part to keep"
CROP_HINT = "The video starts from what this frame shows."
ENHANCE = "Enhance"
ENHANCE_HINT = "Suggest words of camera, light and motion that the prompt leaves open"
EXAMPLES_BUTTON = "Examples"
UNDO_PROMPT = "Undo"
UNDO_PROMPT_HINT = "Bring back your own prompt"
SUGGESTION = "Suggested prompt"
ACCEPT = "Accept"
ACCEPTED = "Accepted"
EDIT = "Edit"
EDIT_HINT = "Put it into the field and go on typing"
DISCARD = "Discard"
CLOSE_NOTES = "Close"
LOOK = "Worth a look: "
COUNTED = {"tokens": "{used} / {limit} tokens", "characters": "{used} / {limit} characters"}
EXAMPLES = {
    "text": (
        "A fox trots through fresh snow at dawn and leaves a line of prints behind",
        "An old fisherman mends a net on a wooden pier while gulls circle above him",
        "A paper boat drifts down a rain-filled gutter past parked bicycles",
        "Steam rises from a bowl of noodles as chopsticks lift them slowly",
        "A lighthouse beam sweeps over a dark, heaving sea at night",
    ),
    "image": (
        "The person turns the head slowly and begins to smile, camera pushes in",
        "Leaves and hair move in a light wind, the camera stays still",
        "The camera circles slowly while everything in the picture stays calm",
        "The clouds drift to the left and their shadows cross the ground",
    ),
    "demo": (
        "A red circle moving left",
        "A red circle moving left and a blue square moving right",
        "Crimson ball drifting to the left in the sky",
        "A yellow star bouncing on a checkered background",
        "A green triangle growing on a white background",
        "A purple square circling on stripes",
    ),
    "demo-image": (
        "A red circle moving right",
        "A red circle moving up",
        "A red circle growing",
        "A red circle bouncing",
    ),
}
