"""The models that the app knows: sizes, limits, official defaults.

Defaults and sizes of the real entries are the official Wan2.2 configurations (``wan/configs`` of
Wan-Video/Wan2.2); parameter counts were computed on meta tensors of diffusers' own modules.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Literal, NamedTuple

from pydantic import Field

from wan22_app.domain.values import Value

Precision = Literal["bf16", "fp16", "fp32"]
VaePrecision = Literal["fp32", "bf16"]
Quantization = Literal["none", "int8", "int8-dynamic", "fp8", "fp8-dynamic"]
"""Of the transformers' matrices; see ``quantization``."""
TextQuantization = Literal["none", "int8"]
Attention = Literal["native", "cudnn", "flash", "flash3", "xformers", "sage"]
"""How self-attention is computed; see ``attention``."""
Compilation = Literal["none", "regional"]
"""Of what stands between a block's matrices; see ``compilation``."""
GIB = 1024**3
GB = 1000**3

OFFICIAL_NEGATIVE_PROMPT = (
    "色调艳丽，过曝，静态，细节模糊不清，字幕，风格，作品，画作，画面，静止，整体发灰，最差质量，"
    "低质量，JPEG压缩残留，丑陋的，残缺的，多余的手指，画得不好的手部，画得不好的脸部，畸形的，"
    "毁容的，形态畸形的肢体，手指融合，静止不动的画面，杂乱的背景，三条腿，背景人很多，倒着走"
)
"""``sample_neg_prompt`` of Wan2.2's shared configuration: the models were tuned with this text."""


class Task(StrEnum):
    """Kind of generation. Never a queued job."""

    T2V = "t2v"
    I2V = "i2v"
    TI2V = "ti2v"


class ImageUse(StrEnum):
    """Whether a model takes a start image."""

    NONE = "none"
    OPTIONAL = "optional"
    REQUIRED = "required"


class Size(Value):
    """Width and height in pixels."""

    width: int
    height: int

    @property
    def pixels(self) -> int:
        """Area in pixels."""
        return self.width * self.height

    def turned(self) -> "Size":
        """The portrait twin of a landscape size, and the other way round."""
        return Size(width=self.height, height=self.width)

    def __str__(self) -> str:
        return f"{self.width}×{self.height}"


class Costs(Value):
    """What a layout needs, for the memory plan.

    ``transformer_bytes`` is one expert in bf16. Activations are those of the engine's own forward,
    per token of the sequence and per token of a chunk (``python -m tools.count_memory``); FLOPs
    those of one forward, per token and per squared token (attention), fitted to counts on meta
    tensors; the VAE figures are its fp32 weights and the working set per pixel of a tile, counted
    as the activations are.
    """

    transformer_bytes: int
    experts: int
    block_bytes: int
    text_bytes: int
    vae_bytes: int
    activation_bytes_per_token: float
    activation_bytes_per_chunk_token: float
    flops_per_token: float
    flops_per_token_squared: float
    vae_bytes_per_tile_pixel: float
    vae_flops_per_pixel: float
    """Of decoding one pixel of one frame."""


class ModelSpec(Value):
    """Catalogue entry of a checkpoint layout with its defaults and limits."""

    key: str = Field(pattern=r"^[a-z0-9][a-z0-9._-]*$")
    name: str
    task: Task
    demo: bool = False
    repo: str = ""
    image: ImageUse
    experts: Literal[1, 2]
    boundary: float | None = None
    spatial: int
    """Pixels per latent cell along one side."""
    temporal: int = 4
    """Frames per latent frame after the first."""
    patch: int = 2
    """Latent cells per token along one side."""
    steps: int
    shift: float
    guidance: float
    guidance_low: float | None = None
    """Guidance of the low-noise expert; ``None`` where there is one expert."""
    frames: int
    fps: int
    sizes: tuple[Size, ...]
    min_side: int
    max_side: int
    max_pixels: int
    max_frames: int
    text_length: int = 512
    """Tokens of padded text; the padding takes part in attention, so it belongs to the model."""
    negative_prompt: str
    precision: Precision
    attention_width: int
    feed_forward: int
    """Width inside a block's feed-forward."""
    blocks: int
    costs: Costs
    packed: str = ""
    """What the matrices of a GGUF file are packed in, such as Q5_K_M; empty for safetensors. Then
    the bytes of the transformer are those of its file, whatever it computes in."""

    @property
    def takes_last_image(self) -> bool:
        """Whether a video can be told how to end: the conditioning by channels alone can."""
        return self.image is ImageUse.REQUIRED

    @property
    def multiple(self) -> int:
        """Width and height that the model makes are multiples of this many pixels."""
        return self.spatial * self.patch

    @property
    def size(self) -> Size:
        """Default size: the first official one."""
        return self.sizes[0]

    def tokens(self, width: int, height: int, frames: int) -> int:
        """Sequence length of the transformer for made (legal) dimensions."""
        latent_frames = (frames - 1) // self.temporal + 1
        return latent_frames * (height // self.multiple) * (width // self.multiple)


def _pairs(*sizes: tuple[int, int]) -> tuple[Size, ...]:
    """Each size and its portrait twin, in the order given."""
    landscape = [Size(width=width, height=height) for width, height in sizes]
    return tuple(size for wide in landscape for size in (wide, wide.turned()))


_A14B_COSTS = Costs(
    transformer_bytes=int(28.6 * GB),
    experts=2,
    block_bytes=703_000_000,
    text_bytes=int(11.4 * GB),
    vae_bytes=int(0.51 * GB),
    activation_bytes_per_token=31_744,
    activation_bytes_per_chunk_token=81_924,
    flops_per_token=2.441e10,
    flops_per_token_squared=8.184e5,
    vae_bytes_per_tile_pixel=19_500,
    vae_flops_per_pixel=8.56e6,
)
_5B_COSTS = Costs(
    transformer_bytes=int(10.0 * GB),
    experts=1,
    block_bytes=327_000_000,
    text_bytes=int(11.4 * GB),
    vae_bytes=int(2.82 * GB),
    activation_bytes_per_token=19_456,
    activation_bytes_per_chunk_token=49_156,
    flops_per_token=8.98e9,
    flops_per_token_squared=3.655e5,
    vae_bytes_per_tile_pixel=21_600,
    vae_flops_per_pixel=1.845e7,
)

T2V_A14B = ModelSpec(
    key="t2v-a14b",
    name="T2V-A14B",
    task=Task.T2V,
    repo="Wan-AI/Wan2.2-T2V-A14B-Diffusers",
    image=ImageUse.NONE,
    experts=2,
    boundary=0.875,
    spatial=8,
    steps=40,
    shift=12.0,
    guidance=4.0,
    guidance_low=3.0,
    frames=81,
    fps=16,
    sizes=_pairs((1280, 720), (832, 480), (1920, 1080), (1280, 704)),
    min_side=256,
    max_side=1920,
    max_pixels=1920 * 1088,
    max_frames=121,
    negative_prompt=OFFICIAL_NEGATIVE_PROMPT,
    precision="bf16",
    attention_width=5120,
    feed_forward=13824,
    blocks=40,
    costs=_A14B_COSTS,
)
I2V_A14B = T2V_A14B.model_copy(
    update={
        "key": "i2v-a14b",
        "name": "I2V-A14B",
        "task": Task.I2V,
        "repo": "Wan-AI/Wan2.2-I2V-A14B-Diffusers",
        "image": ImageUse.REQUIRED,
        "boundary": 0.9,
        "shift": 5.0,
        "guidance": 3.5,
        "guidance_low": 3.5,
    }
)
TI2V_5B = ModelSpec(
    key="ti2v-5b",
    name="TI2V-5B",
    task=Task.TI2V,
    repo="Wan-AI/Wan2.2-TI2V-5B-Diffusers",
    image=ImageUse.OPTIONAL,
    experts=1,
    spatial=16,
    steps=50,
    shift=5.0,
    guidance=5.0,
    frames=121,
    fps=24,
    sizes=_pairs((1280, 704), (1280, 720), (832, 480), (1920, 1080)),
    min_side=256,
    max_side=1920,
    max_pixels=1920 * 1088,
    max_frames=161,
    negative_prompt=OFFICIAL_NEGATIVE_PROMPT,
    precision="bf16",
    attention_width=3072,
    feed_forward=14336,
    blocks=30,
    costs=_5B_COSTS,
)


class _Toy(NamedTuple):
    """The size of a demo checkpoint, and what its parameters cost."""

    attention_width: int
    feed_forward: int
    blocks: int
    costs: Mapping[str, float]


_TOY_A14B = _Toy(128, 512, 5, {
    "transformer_bytes": 3_100_000,
    "block_bytes": 530_000,
    "text_bytes": 230_000,
    "vae_bytes": 2_800_000,
    "activation_bytes_per_token": 40_000.0,
    "activation_bytes_per_chunk_token": 0.0,
    "flops_per_token": 3.4e6,
    "flops_per_token_squared": 2.6e3,
})  # fmt: skip
_TOY_5B = _Toy(128, 512, 7, {
    **_TOY_A14B.costs,
    "transformer_bytes": 4_190_000,
    "vae_bytes": 3_900_000,
    "flops_per_token": 4.8e6,
    "flops_per_token_squared": 3.6e3,
})  # fmt: skip
"""Deeper: one transformer does what two experts do for A14B."""


def _demo(real: ModelSpec, key: str, toy: _Toy) -> ModelSpec:
    """The demo entry of a layout: the same structure at toy size, defaults as it was trained.

    A VAE that makes pictures twice as small gets them twice as large: tokens are as many.
    """
    side = 16 * real.spatial
    return real.model_copy(
        update={
            "key": key,
            "name": f"Demo {real.task.upper()}",
            "demo": True,
            "repo": "",
            "steps": 16,
            "shift": 8.0,
            "guidance": 3.0,
            "guidance_low": None if real.guidance_low is None else 3.0,
            "frames": 17,
            "fps": 8,
            "sizes": (Size(width=side, height=side), *_pairs((side * 5 // 4, side * 3 // 4))),
            "min_side": 32,
            "max_side": 512,
            "max_pixels": 512 * 512,
            "max_frames": 81,
            "negative_prompt": "",
            "precision": "fp32",
            "attention_width": toy.attention_width,
            "feed_forward": toy.feed_forward,
            "blocks": toy.blocks,
            "costs": real.costs.model_copy(update=dict(toy.costs)),
        }
    )


DEMO_T2V = _demo(T2V_A14B, "demo-t2v", _TOY_A14B)
DEMO_I2V = _demo(I2V_A14B, "demo-i2v", _TOY_A14B)
DEMO_TI2V = _demo(TI2V_5B, "demo-ti2v", _TOY_5B)

REAL_SPECS = (TI2V_5B, T2V_A14B, I2V_A14B)
DEMO_SPECS = (DEMO_T2V, DEMO_I2V, DEMO_TI2V)
CATALOG: dict[str, ModelSpec] = {spec.key: spec for spec in (*REAL_SPECS, *DEMO_SPECS)}


class DemoSettings(Value):
    """``demo_settings.json`` beside a demo checkpoint: what training fixed for it.

    ``key`` makes the toy answer to another entry's name: a stand-in for weights of gigabytes.
    """

    shift: float
    text_length: int
    frames: int
    sizes: tuple[Size, ...]
    key: str | None = None

    def applied_to(self, spec: ModelSpec) -> ModelSpec:
        """The entry with these values in place of the catalogue's."""
        values = {name: value for name, value in self if value is not None}
        return spec.model_copy(update=values)


class WeightsState(StrEnum):
    """Whether an entry can run on this machine."""

    READY = "ready"
    MISSING = "missing"
    DAMAGED = "damaged"


class ModelEntry(Value):
    """A catalogue entry and its weights on this machine.

    ``folder`` is the diffusers folder (absolute path), empty when missing; ``experts`` are GGUF
    files (absolute paths, high noise first) that stand for its transformers. ``problem`` says in
    one sentence what is missing or damaged and what to do. ``bytes`` is what lies on the disk, or
    what a missing model is estimated to need there.
    """

    spec: ModelSpec
    state: WeightsState
    folder: str = ""
    experts: tuple[str, ...] = ()
    revision: str = ""
    bytes: int = 0
    problem: str = ""
    cure: str = ""

    @property
    def ready(self) -> bool:
        """True when a job for this entry can run."""
        return self.state is WeightsState.READY
