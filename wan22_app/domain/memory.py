"""How a request fits into memory: a first plan from tables.

Figures come from counts on meta tensors (activations, tiles) and from the checkpoints' sizes; none
was measured on a card yet, so every plan is an estimate and says so on the page.
"""

from typing import Literal, NamedTuple

from wan22_app.domain.catalog import GB, Costs, ModelSpec, Precision
from wan22_app.domain.generation import GenerationRequest, Geometry, geometry
from wan22_app.domain.values import Value

Offload = Literal["none", "model", "block"]
Keep = Literal["all", "one"]
DEFAULT_TILE = 256
LARGE_TILES = (1024, 768, 640, 512, 384)
"""Sides in pixels that are used where a card has the room."""
TILE_SHARE = 0.75
"""Of a card's memory that large tiles may bring the peak to."""
CHUNK = 8192
"""Tokens that a transformer's block works on at a time; a block of fewer is as fast, with less."""
CONTEXT_BYTES = int(0.7 * GB)
"""CUDA context, workspaces and the allocator's slack."""
FRAGMENTATION = 1.06
BYTES_PER_WEIGHT = {"bf16": 2, "fp16": 2, "fp32": 4}
PROCESS_BYTES = int(0.9 * GB)
"""Resident memory of an engine process with torch and diffusers imported and nothing loaded."""
RESIDENT_BLOCKS = 2
RESERVE_BYTES = 2 * GB
RESERVE_SHARE = 0.15
"""Of main memory, whichever is less: what the system, the web and the dispatcher need. A run that
took it would swap, or be killed."""

PEAK_TFLOPS = (
    ("RTX 4080", 97.4),
    ("RTX 4090", 165.2),
    ("H100", 989.0),
    ("H200", 989.0),
)
"""Dense bf16 peaks with fp32 accumulation; a card that is not listed gets no time estimate."""
REALISTIC_SHARE = 0.7


class Device(Value):
    """Where a run computes. Bytes, not GiB; a CPU has no memory of its own."""

    kind: Literal["cpu", "cuda"]
    name: str
    index: int = 0
    total_bytes: int = 0
    free_bytes: int = 0

    @property
    def torch_name(self) -> str:
        """The name that torch knows it by."""
        return "cpu" if self.kind == "cpu" else f"cuda:{self.index}"


class Host(Value):
    """Main memory and cores of the machine that runs the engine."""

    total_bytes: int
    available_bytes: int
    cores: int


class MemoryPlan(Value):
    """Decided placement of one run, with what it is predicted to need.

    ``keep`` is what lies in memory between its turns: ``all`` of the model, or the ``one`` part at
    work, which is read from the disk each time. ``tile`` is the side of a VAE tile in pixels,
    ``None`` for one piece; ``chunk`` the tokens that the transformer works on at a time.
    ``seconds`` is the predicted denoising time, ``None`` where nothing is known about the device.
    """

    device: str
    precision: Precision
    vae_precision: Precision = "fp32"
    offload: Offload
    keep: Keep = "all"
    tile: int | None
    chunk: int = CHUNK
    peak_vram_bytes: int
    peak_ram_bytes: int
    seconds: float | None = None


class WontFit(Value):
    """No plan fits: what is short, and the cheapest change that would fit."""

    short_of: Literal["vram", "ram"]
    needed_bytes: int
    available_bytes: int
    cure: str


def plan_memory(
    spec: ModelSpec, request: GenerationRequest, device: Device, host: Host
) -> MemoryPlan | WontFit:
    """The fastest plan that fits, or what is missing. Pure and total.

    The request's choices bind: a chosen offload is not changed, ``auto`` takes the first of none,
    model, block that fits. Parts are read from the disk in their turn only where main memory is too
    small for all of them, since each job then waits for the disk.
    """
    budget = ram_budget(host)
    plans = [
        _plan(spec, request, device, offload, keep)
        for keep in ("all", "one")
        for offload in _choices(request, device)
    ]
    on_device = [plan for plan in plans if plan.peak_vram_bytes <= device.total_bytes]
    for plan in on_device:
        if plan.peak_ram_bytes <= budget:
            return plan
    if on_device:
        return WontFit(
            short_of="ram",
            needed_bytes=min(plan.peak_ram_bytes for plan in on_device),
            available_bytes=budget,
            cure="Choose TI2V-5B or a machine with more main memory.",
        )
    return WontFit(
        short_of="vram",
        needed_bytes=min(plan.peak_vram_bytes for plan in plans),
        available_bytes=device.total_bytes,
        cure=_vram_cure(spec, request),
    )


def leanest(spec: ModelSpec, request: GenerationRequest, device: Device) -> MemoryPlan:
    """The plan that takes least, whatever it costs in time."""
    return _plan(spec, request, device, "block", "one")


def ram_budget(host: Host) -> int:
    """Bytes of main memory that a run may take."""
    return host.total_bytes - int(min(RESERVE_BYTES, RESERVE_SHARE * host.total_bytes))


def _choices(request: GenerationRequest, device: Device) -> tuple[Offload, ...]:
    if device.kind == "cpu":
        # Nowhere to offload to: every choice is the same plan.
        return ("none",)
    return ("none", "model", "block") if request.offload == "auto" else (request.offload,)


def _vram_cure(spec: ModelSpec, request: GenerationRequest) -> str:
    if request.offload in ("none", "model"):
        return "Set offload to automatic."
    if request.tile == "auto" or request.tile > 128:
        return "Choose a smaller size, fewer frames, or a VAE tile size of 128."
    return f"Choose a smaller size or fewer frames than {request.frames}."


def _plan(
    spec: ModelSpec, request: GenerationRequest, device: Device, offload: Offload, keep: Keep
) -> MemoryPlan:
    costs, made = spec.costs, geometry(spec, request)
    scale = BYTES_PER_WEIGHT[request.precision] / 2
    held = _held(costs, offload, keep, scale)
    tokens = spec.tokens(made.width, made.height, made.frames)
    work = scale * _activations(costs, tokens)
    given = _given_bytes(spec, request, made)
    room = max(held.denoising + work, _roomy(device)) - held.pictures - given
    tile = _tile(request, device, made, costs, room)
    decode = given + _decode_bytes(costs, made, tile)
    most = max(held.text, held.denoising + work, held.pictures + decode)
    on_cpu = device.kind == "cpu"
    ram = PROCESS_BYTES + _ram_weights(costs, device, offload, keep, scale)
    return MemoryPlan(
        device=device.torch_name,
        precision=request.precision,
        offload=offload,
        keep=keep,
        tile=tile,
        peak_vram_bytes=0 if on_cpu else CONTEXT_BYTES + int(FRAGMENTATION * most),
        peak_ram_bytes=int(ram + (max(work, decode) if on_cpu else 0)) + _picture_bytes(made, tile),
        seconds=_seconds(spec, request, device),
    )


def _roomy(device: Device) -> float:
    """Bytes that tiles may fill, with their share of the slack: beyond that, and beyond what
    denoising takes anyway, other programs on the card would be squeezed for little."""
    return TILE_SHARE * device.total_bytes / FRAGMENTATION - CONTEXT_BYTES


def _activations(costs: Costs, tokens: int) -> float:
    """Bytes in bf16: what lives for the whole sequence, and one chunk of it."""
    chunk = costs.activation_bytes_per_chunk_token * min(CHUNK, tokens)
    return costs.activation_bytes_per_token * tokens + chunk


def _tile(
    request: GenerationRequest, device: Device, made: Geometry, costs: Costs, room: float
) -> int | None:
    """The side of the tiles, None for one piece; by itself the largest that fits into ``room``.

    Tiles overlap, so fewer of them are less work. Tiling starts only where a side exceeds the tile,
    as in diffusers.
    """
    longest = max(made.width, made.height)
    if request.tile != "auto":
        return request.tile if longest > request.tile else None
    if device.kind == "cuda":
        for side in (longest, *(tile for tile in LARGE_TILES if tile < longest)):
            tile = None if side == longest else side
            if _decode_bytes(costs, made, tile) <= room:
                return tile
    return DEFAULT_TILE if longest > DEFAULT_TILE else None


class _Held(NamedTuple):
    """Bytes of weights on the device in each stage; in the last beside the VAE's own."""

    text: float
    denoising: float
    pictures: float


def _held(costs: Costs, offload: Offload, keep: Keep, scale: float) -> _Held:
    text, expert = scale * costs.text_bytes, scale * costs.transformer_bytes
    if offload == "model":
        return _Held(text, expert, 0.0)
    if offload == "block":
        visiting = scale * RESIDENT_BLOCKS * costs.block_bytes
        return _Held(visiting + costs.vae_bytes, visiting + costs.vae_bytes, 0.0)
    if keep == "one":
        return _Held(text + costs.vae_bytes, expert + costs.vae_bytes, 0.0)
    both = expert * costs.experts + text
    return _Held(both + costs.vae_bytes, both + costs.vae_bytes, both)


def _ram_weights(costs: Costs, device: Device, offload: Offload, keep: Keep, scale: float) -> float:
    """Bytes of weights in main memory. What belongs on the card passes through part by part."""
    text, expert = scale * costs.text_bytes, scale * costs.transformer_bytes
    if keep == "one":
        return max(text, expert) + costs.vae_bytes
    if offload == "none" and device.kind != "cpu":
        return max(text, expert)
    return text + expert * costs.experts + costs.vae_bytes


def _decode_bytes(costs: Costs, made: Geometry, tile: int | None) -> float:
    """On the device: frames leave it as soon as they are final."""
    pixels = made.width * made.height
    if tile is not None:
        pixels = min(tile, made.width) * min(tile, made.height)
    return costs.vae_bytes + costs.vae_bytes_per_tile_pixel * pixels


def _given_bytes(spec: ModelSpec, request: GenerationRequest, made: Geometry) -> float:
    """A14B encodes as many frames as it makes, nearly all of them grey: they lie there in fp32, and
    once more on their way through."""
    if request.image is None or spec.boundary is None:
        return 0.0
    return 2 * 4 * 3 * made.width * made.height * made.frames


def _picture_bytes(made: Geometry, tile: int | None) -> int:
    """In main memory: all frames as bytes, and two rows of tiles in fp32; without tiles next to
    nothing, as each frame is encoded at once."""
    if tile is None:
        return 0
    row = made.width * made.frames * min(tile, made.height)
    return 3 * (made.width * made.height * made.frames + 2 * 4 * row)


def _seconds(spec: ModelSpec, request: GenerationRequest, device: Device) -> float | None:
    """Denoising seconds at a realistic share of the card's peak; unknown cards get none."""
    peak = next((tflops for name, tflops in PEAK_TFLOPS if name in device.name), None)
    if peak is None:
        return None
    made = geometry(spec, request)
    tokens = spec.tokens(made.width, made.height, made.frames)
    flops = tokens * (spec.costs.flops_per_token + spec.costs.flops_per_token_squared * tokens)
    forwards = 2 if request.guidance > 1 else 1
    return flops * forwards * request.steps / (peak * 1e12 * REALISTIC_SHARE)
