"""What a placement needs, by arithmetic: an upper bound for memory, a guess for time.

Figures come from counts on meta tensors (activations, tiles) and from the checkpoints' sizes; none
was measured on a card. What a machine's own jobs took corrects them, see ``measured``.
"""

from typing import NamedTuple

from wan22_app.domain.cards import Card, card_of
from wan22_app.domain.catalog import GB, Costs, ModelSpec
from wan22_app.domain.effort import operations
from wan22_app.domain.events import Stage
from wan22_app.domain.generation import GenerationRequest, Geometry, geometry
from wan22_app.domain.plan import CHUNK, Device, Keep, MemoryPlan, Offload
from wan22_app.domain.quantization import KINDS, SHARE, TEXT_SHARE

DEFAULT_TILE = 256
LARGE_TILES = (1024, 768, 640, 512, 384)
"""Sides in pixels that are used where a card has the room."""
MOST_OVERLAP = 64
"""A tile overlaps its neighbour by a quarter, and by so many pixels at most: at diffusers' own
default of 256 that is its stride of 192, and a larger tile has no wider seams to hide."""
TILE_SHARE = 0.75
"""Of a card's memory that large tiles may bring the peak to."""
CONTEXT_BYTES = int(0.7 * GB)
"""CUDA context, workspaces and the allocator's slack."""
FRAGMENTATION = 1.06
BYTES_PER_WEIGHT = {"bf16": 2, "fp16": 2, "fp32": 4}
PROCESS_BYTES = int(0.9 * GB)
"""Resident memory of an engine process with torch and diffusers imported and nothing loaded."""
UNPACKING = 4 * 2
"""Bytes for each number of a packed matrix while it is unpacked: its bits, scaled halves, and the
type that it computes in."""
VISITING_BLOCKS = 3
"""With block offload: the one at work, the next one on its way, and the one whose memory the card
gives back when it has caught up."""


DENOISING_SHARE = 0.7
"""Of the peak that a transformer reaches."""
DECODING_SHARE = 0.25
"""Of the peak that the VAE reaches: published runs lie three to five times above its floor."""


def foresee(
    spec: ModelSpec, request: GenerationRequest, device: Device, offload: Offload, keep: Keep
) -> MemoryPlan:
    """The request with this placement: the tiles it would get, peaks and seconds."""
    spec = as_loaded(spec, request)
    costs, made = spec.costs, geometry(spec, request)
    held = _held(spec, offload, keep)
    tokens = spec.tokens(made.width, made.height, made.frames)
    chunk = CHUNK if request.chunk == "auto" else request.chunk
    work = scale_of(request) * _activations(costs, tokens, chunk)
    work += _eight_bit_bytes(spec, request, min(chunk, tokens))
    given = _given_bytes(spec, request, made)
    room = max(held.denoising + work, _roomy(device)) - held.pictures - given
    tile = _tile(request, device, made, costs, room)
    decode = given + _decode_bytes(costs, request, made, tile)
    most = max(held.text, held.denoising + work, held.pictures + decode)
    on_cpu = device.kind == "cpu"
    ram = PROCESS_BYTES + _ram_weights(costs, device, offload, keep)
    return MemoryPlan(
        device=device.torch_name,
        precision=request.precision,
        vae_precision=request.vae_precision,
        quantization=request.quantization,
        text_quantization=request.text_quantization,
        attention=request.attention,
        compilation=request.compilation,
        offload=offload,
        keep=keep,
        tile=tile,
        chunk=chunk,
        peak_vram_bytes=0 if on_cpu else CONTEXT_BYTES + int(FRAGMENTATION * most),
        peak_ram_bytes=int(ram + (max(work, decode) if on_cpu else 0)) + _picture_bytes(made, tile),
        seconds=_seconds(card_of(device.name), spec, request, tile),
    )


def as_loaded(spec: ModelSpec, request: GenerationRequest) -> ModelSpec:
    """The model with the bytes that it has in memory: in the request's types, with its LoRAs.

    Those lie in its blocks and go wherever they go; they are not quantized. Only matrices of blocks
    are.
    """
    costs, scale = spec.costs, scale_of(request)
    numbers = max(
        sum(ref.weights for ref in request.loras if ref.expert in ("both", expert))
        for expert in ("high", "low")
    )
    rest = max(0, costs.transformer_bytes - spec.blocks * costs.block_bytes)
    share = 1.0 if request.quantization == "none" else SHARE
    # A packed file's bytes are what they are, whatever they are unpacked to.
    weights = 1.0 if spec.packed else scale
    block = weights * share * costs.block_bytes + scale * 2 * numbers / spec.blocks
    text = scale * (1.0 if request.text_quantization == "none" else TEXT_SHARE)
    actual = costs.model_copy(
        update={
            "transformer_bytes": int(spec.blocks * block + weights * rest),
            "block_bytes": int(block),
            "text_bytes": int(text * costs.text_bytes),
        }
    )
    return spec.model_copy(update={"costs": actual})


def scale_of(request: GenerationRequest) -> float:
    """Bytes of a number beside the two that the catalogue's figures are for."""
    return BYTES_PER_WEIGHT[request.precision] / 2


def _eight_bit_bytes(spec: ModelSpec, request: GenerationRequest, chunk: int) -> int:
    """What products of quantized matrices need beside activations, at a block's widest layer.

    The matrix in bf16 and on its way there; where it is not unpacked, its inputs in eight bits and
    sums in 32.
    """
    if spec.packed:
        return UNPACKING * spec.attention_width * spec.feed_forward
    if request.quantization == "none":
        return 0
    if KINDS[request.quantization].dynamic:
        return chunk * 5 * spec.feed_forward
    return 2 * 2 * spec.attention_width * spec.feed_forward


def overlap(tile: int) -> int:
    """Pixels that a tile of this side shares with its neighbour."""
    return min(tile // 4, MOST_OVERLAP)


def _roomy(device: Device) -> float:
    """Bytes that tiles may fill, with their share of the slack: beyond that, and beyond what
    denoising takes anyway, other programs on the card would be squeezed for little."""
    return TILE_SHARE * device.total_bytes / FRAGMENTATION - CONTEXT_BYTES


def _activations(costs: Costs, tokens: int, chunk: int) -> float:
    """Bytes in bf16: what lives for the whole sequence, and one chunk of it."""
    at_once = costs.activation_bytes_per_chunk_token * min(chunk, tokens)
    return costs.activation_bytes_per_token * tokens + at_once


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
            if _decode_bytes(costs, request, made, tile) <= room:
                return tile
    return DEFAULT_TILE if longest > DEFAULT_TILE else None


class _Held(NamedTuple):
    """Bytes of weights on the device in each stage; in the last beside the VAE's own."""

    text: float
    denoising: float
    pictures: float


def _held(spec: ModelSpec, offload: Offload, keep: Keep) -> _Held:
    costs = spec.costs
    text, expert = costs.text_bytes, costs.transformer_bytes
    if offload == "model":
        return _Held(text, expert, 0.0)
    if offload == "block":
        # What is in no block, embeddings and the last projection, stays for the whole forward.
        rest = max(0, costs.transformer_bytes - spec.blocks * costs.block_bytes)
        visiting = VISITING_BLOCKS * costs.block_bytes + rest
        return _Held(visiting, visiting, 0.0)
    if keep == "one":
        return _Held(text + costs.vae_bytes, expert + costs.vae_bytes, 0.0)
    both = expert * costs.experts + text
    return _Held(both + costs.vae_bytes, both + costs.vae_bytes, both)


def _ram_weights(costs: Costs, device: Device, offload: Offload, keep: Keep) -> int:
    """Bytes of weights in main memory. What belongs on the card passes through part by part."""
    text, expert = costs.text_bytes, costs.transformer_bytes
    if keep == "one":
        return max(text, expert) + costs.vae_bytes
    if offload == "none" and device.kind != "cpu":
        return max(text, expert)
    return text + expert * costs.experts + costs.vae_bytes


def _decode_bytes(
    costs: Costs, request: GenerationRequest, made: Geometry, tile: int | None
) -> float:
    """On the device: frames leave it as soon as they are final. An image is encoded in fp32."""
    half = request.vae_precision == "bf16" and not request.begins_with_pictures
    pixels = made.width * made.height
    if tile is not None:
        pixels = min(tile, made.width) * min(tile, made.height)
    return costs.vae_bytes + costs.vae_bytes_per_tile_pixel * pixels / (2 if half else 1)


def _given_bytes(spec: ModelSpec, request: GenerationRequest, made: Geometry) -> float:
    """A14B encodes as many frames as it makes, nearly all of them grey: they lie there in fp32, and
    once more on their way through."""
    if not request.begins_with_pictures or spec.boundary is None:
        return 0.0
    return 2 * 4 * 3 * made.width * made.height * made.frames


def _picture_bytes(made: Geometry, tile: int | None) -> int:
    """In main memory: all frames as bytes, and two rows of tiles in fp32; without tiles next to
    nothing, as each frame is encoded at once."""
    if tile is None:
        return 0
    row = made.width * made.frames * min(tile, made.height)
    return 3 * (made.width * made.height * made.frames + 2 * 4 * row)


def _seconds(
    card: Card | None, spec: ModelSpec, request: GenerationRequest, tile: int | None
) -> dict[str, float]:
    """By the stages' names; nothing for a card that is not listed."""
    spent = seconds_on(card, spec, request, tile) if card else {}
    return {str(stage): seconds for stage, seconds in spent.items()}


def seconds_on(
    card: Card, spec: ModelSpec, request: GenerationRequest, tile: int | None
) -> dict[Stage, float]:
    """Denoising and decoding with a realistic share of the card's peak."""
    made = geometry(spec, request)
    decoding = spec.costs.vae_flops_per_pixel * made.width * made.height * made.frames
    if tile is not None:
        decoding *= (tile / (tile - overlap(tile))) ** 2
    decoder = card.bf16 if request.vae_precision == "bf16" else card.tf32
    return {
        Stage.DENOISING: operations(spec, request) / (card.bf16 * 1e12 * DENOISING_SHARE),
        Stage.DECODING: decoding / (decoder * 1e12 * DECODING_SHARE),
    }
