"""The frame of every page, and words that several pages share."""

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
DRAFT = "Draft"
NEXT = "Next in line"
AHEAD = "Waiting behind {count}"
CANCELLING = "Cancelling"
HOLDS = {
    HoldReason.NONE: "Waiting",
    HoldReason.PAUSED: "Paused",
    HoldReason.WEIGHTS: "Waiting for the model's weights",
    HoldReason.SPACE: "Waiting for disk space",
    HoldReason.MINUTES: "Waiting: the minutes for 24 hours are used up",
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
STARTING = "Starting the engine; the first time takes a while"
EXPERTS = {"": "", "high": "high noise", "low": "low noise"}
REMOVED = "Removed"
SAVED = "Saved"
SAVE = "Save"
CANCEL = "Cancel"
RETRY = "Try again"
REMOVE = "Remove"
DOWNLOAD = "Download"
EVIDENCE = "Details"
FREE = "{free:.0f} GB free"
FOLDER_GONE = "not there"
LOADING = "Loading"
TOGGLE_MODE = "Light or dark"
