"""Optimizations: the machine, defaults, models."""

FREED = "The card will be freed"
DEFAULTS = "Defaults"
DEFAULTS_HINT = (
    "For every new form and for the command line. The figures are for the default video of the "
    "model chosen above, with everything else as chosen."
)
COMPARED_MODEL = "Model for the figures"
CHOICE_GROUPS = {
    "precision": "Precision",
    "vae_precision": "Decoder precision",
    "quantization": "Quantization",
    "text_quantization": "Text encoder's quantization",
    "offload": "Offload",
    "keep": "Model in memory",
    "tile": "VAE tile",
    "chunk": "Chunk of tokens",
    "may_reduce": "If memory runs out",
}
CHOICES = {
    "precision": {
        "": ("The model's own ({own})", "What the model was made for."),
        "bf16": ("bf16", "Half the memory of fp32; the quality of Wan2.2's own scripts."),
        "fp16": ("fp16", "As small as bf16, for cards without bf16. Can overflow."),
        "fp32": ("fp32", "Twice the memory, slower, no better for Wan2.2."),
    },
    "vae_precision": {
        "fp32": ("fp32", "What the model was made for."),
        "bf16": ("bf16", "Decodes in half the memory and faster. Not quite the same picture."),
    },
    "quantization": {
        "none": ("None", "The weights as they are."),
        "int8": ("int8", "Half the memory. Lossy: hardly to be seen. Works everywhere."),
        "int8-dynamic": ("int8, dynamic", "Half the memory, computed in int8. A little lossier."),
        "fp8": ("fp8", "Half the memory. Lossier than int8."),
        "fp8-dynamic": ("fp8, dynamic", "Computed in fp8. Full rate on Hopper and newer."),
    },
    "text_quantization": {
        "none": ("None", "The text encoder as it is."),
        "int8": ("int8", "Two thirds of its memory. Lossy: prompts are read a little otherwise."),
    },
    "offload": {
        "auto": ("Automatic", "The fastest that fits."),
        "none": ("None", "Everything stays on the card. The fastest."),
        "model": ("Model", "One part on the card at a time. A little slower."),
        "block": ("Block", "A few layers on the card at a time. The least card memory."),
    },
    "keep": {
        "auto": ("Automatic", "All, unless main memory is too small."),
        "all": ("All of it", "Read from the disk once, then kept."),
        "one": ("One part at a time", "The least main memory. Each video waits for the disk."),
    },
    "tile": {
        "auto": ("Automatic", "256 pixels where nothing better is known."),
        "128": ("128 pixels", "The least memory while decoding; the slowest."),
        "256": ("256 pixels", "A good middle."),
        "512": ("512 pixels", "Faster decoding; needs the most memory."),
    },
    "chunk": {
        "auto": ("Automatic", "8,192 tokens: as fast as all at once."),
        "512": ("512 tokens", "The least card memory while denoising."),
        "2048": ("2,048 tokens", "Less card memory, hardly slower."),
    },
    "may_reduce": {
        "": ("Keep what was asked", "Smaller tiles and more offload are tried, nothing else."),
        "True": (
            "Also try smaller",
            "Then lower precision, eight-bit weights, smaller, shorter. The video says so.",
        ),
    },
}
PLAN = "Memory plan"
PLAN_HINT = (
    "How this model's default video can be placed on this machine, fastest first. The first that "
    "fits is taken. What was made here before corrects the estimates."
)
PLACED = {
    ("none", "all"): "All of it in memory, nothing is moved",
    ("model", "all"): "One part on the card, the others in main memory",
    ("block", "all"): "A few layers on the card, the others in main memory",
    ("none", "one"): "One part in memory, the others on the disk",
    ("model", "one"): "One part on the card, the others on the disk",
    ("block", "one"): "A few layers on the card, one part in main memory, the others on the disk",
}
IN_CHUNKS = "{label}, in chunks of {chunk} tokens"
WAYS = {
    "": "Taken.",
    "time": "Would fit, but takes longer.",
    "vram": "Too large for the card: {needed:.1f} of {available:.1f} GB.",
    "ram": "Too large for main memory: {needed:.1f} of {available:.1f} GB.",
}
CALIBRATED = {True: "measured here", False: "estimated"}
PRICE_CARD = "{vram:.1f} GB on the card, {ram:.0f} GB main memory"
PRICE_CPU = "{ram:.1f} GB main memory"
PRICE_TIME = ", {time}"
SAVES = ", saves {amount:.1f} GB"
COSTS = ", costs {amount:.1f} GB more"
NO_CARD_NO_PRICE = "Without a card it changes nothing here."
NO_PRICE = "Does not fit: {needed:.1f} of {available:.1f} GB"
PRESETS_EMPTY = "None yet. Save a form as a preset on the Generation page."
FOLDERS = "Folders"
FOLDERS_HINT = "Set by WAN22_ variables or config.json."
THIS_MACHINE = "This machine"
MODELS = "Models"
FREE_CARD = "Free the card"
FREE_CARD_HINT = "A warm model stays loaded for ten minutes after its last job."
READY = "ready"
MISSING = "not here"
DAMAGED = "damaged"
LEVELS = {"ok": "fine", "note": "note", "bad": "needs a hand"}
MODEL_STATES = {"ready": READY, "missing": MISSING, "damaged": DAMAGED}
DOWNLOAD_STATES = {"waiting": "waiting", "running": "on its way"}
MODEL_ON_DISK = "{amount} on the disk"
MODEL_TO_FETCH = "about {amount} to fetch"
MODEL_NEEDS = "Needs at least {vram} on the card and {ram} main memory, estimated."
MODEL_DEMO = "A toy that understands shapes, not Wan2.2. Runs on any machine."
MODEL_LICENCE = "Apache-2.0"
MODEL_GET = "Get"
MODEL_RETRY = "Try again"
MODEL_PROGRESS = "Progress of "
DOWNLOAD_ASKED = "Getting the weights"
DOWNLOAD_ASKING = "Asking the hub what there is"
DOWNLOAD_NEXT = "It starts as soon as the queue looks."
DOWNLOAD_AGAIN = "Trying again in {time}"
WEIGHTS_KEPT = "{amount} came before and are kept."
WEIGHTS_COMING = "The weights are on their way; the job waits for them."
