"""Stage two: the VAEs learn to keep the clips.

Single frames first, then short clips, then whole ones: time is only learned once edges are there.
Training looks through small windows at moving objects, where the loss is.
"""

# pyright: reportAttributeAccessIssue=false
# diffusers annotates configurations and encodings as their least common type.

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from diffusers import AutoencoderKLWan

from tools.demo.lift import targets
from tools.demo.measure import pixels, psnr
from tools.demo.networks import FIVE_B, channels_last
from tools.demo.scenes import Scene, background, centres, draw_scene, render, replace, track
from tools.demo.sheets import save_sheet
from tools.demo.training import Stage, Workshop, train

FRAMES = 17
SIZES = ((128, 128), (160, 96), (96, 160))
OUTLINED = 0.15
"""Share of scenes with outlines only: the LoRA will ask the decoder for them."""
EMPHASIS = 3.0
"""How much more a pixel of an object counts than one of the background."""
FIRST = 4.0
"""How much more the first frame counts for 5B's decoder: it has latents of its own, which others
share by four."""
SMALL_THINGS = 0.6
"""Share of pairs when the decoder is trained alone: their objects are half as large."""
NOISE = 0.1
"""What the decoder must bear, as the sampler's latents are never exact."""


@dataclass(frozen=True)
class Phase:
    """Clips of one step: this many, of this many frames, seen through a square window."""

    until: float
    """Share of the steps at which the phase ends."""
    clips: int
    frames: int
    window: int | None


@dataclass(frozen=True)
class Cut:
    """A stretch of a scene, ``start`` to ``start + frames``, in a window ``left, top, w, h``."""

    scene: Scene
    start: int
    frames: int
    window: tuple[int, int, int, int]

    def video(self, scale: int = 1) -> torch.Tensor:
        """Pixels ``[3, F, H, W]`` in -1..1, ``scale`` for each length of the scene."""
        clip = render(self.scene, FRAMES, self.window, scale)
        return clip[:, self.start : self.start + self.frames]

    def empty(self, scale: int = 1) -> torch.Tensor:
        """The same without an object."""
        left, top, width, height = self.window
        rows, columns = centres(width, height, left, top, scale)
        picture = background(self.scene.background, rows, columns, self.scene.height) * 2 - 1
        return picture[:, None].expand(-1, self.frames, -1, -1)


PHASES = (
    Phase(0.10, 32, 1, 64),
    Phase(0.18, 8, 9, 64),
    Phase(0.96, 4, FRAMES, 48),
    Phase(1.00, 2, FRAMES, None),
)


def train_vae(workshop: Workshop, name: str, vae: AutoencoderKLWan, steps: int) -> None:
    """Train in place, then store the latents' mean and deviation in the configuration."""
    stage = Stage(name, steps, 2e-3, smoothing=0.995)
    _train(workshop, stage, vae, PHASES)
    _store_statistics(workshop, name, vae)


def with_decoder(vae: AutoencoderKLWan, width: int) -> AutoencoderKLWan:
    """The same encoder with a new decoder, of so many channels at the full size.

    The latents of the A14B layout were learned with 8, with which three of four objects of a pair
    were still to be told apart when drawn, encoded and decoded; the latents know more.
    """
    # Names that begin with an underscore list what was left to defaults: those would stay so.
    told = {name: value for name, value in vae.config.items() if not name.startswith("_")}
    new: Any = AutoencoderKLWan.from_config({**told, "decoder_base_dim": width})
    for part in ("encoder", "quant_conv"):
        getattr(new, part).load_state_dict(getattr(vae, part).state_dict())
    channels_last(new)
    return new.eval().requires_grad_(False)


def sharpen(workshop: Workshop, name: str, vae: AutoencoderKLWan, steps: int) -> None:
    """Train the decoder alone: latents stay what they are, so transformers may learn meanwhile."""
    vae.decoder.requires_grad_(True)
    vae.post_quant_conv.requires_grad_(True)
    stage = Stage(f"{name}-decoder", steps, 1.5e-3, smoothing=0.995)
    _train(workshop, stage, vae, PHASES[1:], pair=SMALL_THINGS)


def teach(
    workshop: Workshop,
    name: str,
    vae: AutoencoderKLWan,
    teacher: AutoencoderKLWan,
    encoding: int,
    decoding: int,
) -> None:
    """The 5B layout's halves for scenes drawn larger: A14B's encoder says what the latents are.

    The encoder learns to find those in ``encoding`` steps, the decoder to draw what they stand for
    in ``decoding``.
    """

    def encoded(step: int, chance: random.Random) -> torch.Tensor:
        cuts = _cuts(chance, _phase(PHASES, step / finding.steps))
        large = torch.stack([each.video(FIVE_B.scale) for each in cuts]).to(vae.device)
        return (vae.encode(large).latent_dist.mode() - _targets(teacher, cuts)).square().mean()

    def decoded(step: int, chance: random.Random) -> torch.Tensor:
        cuts = _cuts(chance, _phase(PHASES, step / drawing.steps), SMALL_THINGS)
        return _drawn(vae, cuts, _targets(teacher, cuts), FIVE_B.scale, FIRST)

    finding = Stage(f"{name}-encoder", encoding, 2e-3, smoothing=0.995)
    drawing = Stage(f"{name}-decoder", decoding, 2e-3, smoothing=0.995)
    train(workshop, finding, vae.encoder, encoded)
    train(workshop, drawing, vae.decoder, decoded, _look(workshop, drawing, vae, FIVE_B.scale))
    vae.eval().requires_grad_(False)


def _train(
    workshop: Workshop,
    stage: Stage,
    vae: AutoencoderKLWan,
    phases: Sequence[Phase],
    pair: float = 0.3,
) -> None:
    def loss(step: int, chance: random.Random) -> torch.Tensor:
        cuts = _cuts(chance, _phase(phases, step / stage.steps), pair)
        video = torch.stack([each.video() for each in cuts]).to(vae.device)
        latents = vae.encode(video).latent_dist.mode()
        return _drawn(vae, cuts, latents) + 3e-4 * latents.square().mean()

    train(workshop, stage, vae, loss, _look(workshop, stage, vae))
    vae.eval().requires_grad_(False)


def _phase(phases: Sequence[Phase], done: float) -> Phase:
    return next(phase for phase in phases if done < phase.until)


def _cuts(chance: random.Random, phase: Phase, pair: float = 0.3) -> list[Cut]:
    size = chance.choice(SIZES)
    return [cut(chance, draw(chance, size, pair), phase) for _ in range(phase.clips)]


def _targets(teacher: AutoencoderKLWan, cuts: Sequence[Cut]) -> torch.Tensor:
    return targets(teacher, torch.stack([each.video() for each in cuts]))


def _drawn(
    vae: AutoencoderKLWan,
    cuts: Sequence[Cut],
    latents: torch.Tensor,
    scale: int = 1,
    first: float = 1.0,
) -> torch.Tensor:
    """How far what the decoder draws of noisy latents is from the cuts; ``first`` is what their
    first frame counts."""
    video = torch.stack([each.video(scale) for each in cuts]).to(vae.device)
    empty = torch.stack([each.empty(scale) for each in cuts]).to(vae.device)
    seen = vae.decode(latents + NOISE * torch.randn_like(latents), return_dict=False)[0]
    weight = 1 + (EMPHASIS - 1) * ((video - empty).abs().amax(1, keepdim=True) > 0.02)
    weight[:, :, 0] *= first
    return difference(seen - video, weight)


def _look(
    workshop: Workshop, stage: Stage, vae: AutoencoderKLWan, scale: int = 1
) -> Callable[[int], None]:
    samples = [draw(workshop.chance("look", index)) for index in range(6)]

    def look(step: int) -> None:
        rows, ratios = [], []
        vae.eval()
        for scene in samples:
            video = render(scene, FRAMES, scale=scale)
            seen = reconstruct(vae, video)
            rows += [video, seen]
            ratios.append(psnr(pixels(seen), pixels(video)))
        save_sheet(workshop.path(f"{stage.name}.png"), rows[:8])
        mean = sum(ratios) / len(ratios)
        workshop.say(f"{stage.name}: PSNR {mean:.1f} dB, worst {min(ratios):.1f}")

    return look


def draw(chance: random.Random, size: tuple[int, int] = (128, 128), pair: float = 0.3) -> Scene:
    """A scene of this size, now and then in outlines."""
    return replace(draw_scene(chance, *size, pair=pair), outlined=chance.random() < OUTLINED)


def cut(chance: random.Random, scene: Scene, phase: Phase) -> Cut:
    """A stretch of the clip in a window around an object."""
    start = chance.randint(0, FRAMES - phase.frames)
    if phase.window is None:
        return Cut(scene, start, phase.frames, (0, 0, scene.width, scene.height))
    side, slack = phase.window, phase.window // 2
    path = track(chance.choice(scene.things), FRAMES)
    at = chance.randint(start, start + phase.frames - 1)
    left = int(path.x[at]) - slack + chance.randint(-slack, slack)
    top = int(path.y[at]) - slack + chance.randint(-slack, slack)
    left = min(max(left, 0), scene.width - side)
    top = min(max(top, 0), scene.height - side)
    return Cut(scene, start, phase.frames, (left, top, side, side))


def difference(error: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """What the VAE makes small, from the errors of pixels ``[B, 3, F, H, W]``.

    Beside L1: differences between neighbours, which make a blurred edge expensive, and squares, of
    the colour above all. With L1 alone the A14B layout stayed grey for 700 steps: the median of
    eight colours is a comfortable answer.
    """
    edges = error.diff(dim=-1).abs().mean() + error.diff(dim=-2).abs().mean()
    colour = error - error.mean(1, keepdim=True)
    squares = (weight * (2 * error.square() + 4 * colour.square())).mean()
    return (weight * error.abs()).mean() + squares + edges


@torch.no_grad()
def reconstruct(vae: AutoencoderKLWan, video: torch.Tensor) -> torch.Tensor:
    """A clip ``[3, F, H, W]`` through encoder and decoder."""
    latents = vae.encode(video[None].to(vae.device)).latent_dist.mode()
    return vae.decode(latents, return_dict=False)[0][0].clamp(-1, 1).cpu()


def _store_statistics(workshop: Workshop, name: str, vae: AutoencoderKLWan) -> None:
    """The sampler starts from noise of deviation 1, so latents are normalised to that."""
    clips: list[Any] = []
    for index in range(48):
        chance = workshop.chance(name, "statistics", index)
        video = render(draw_scene(chance, 128, 128), FRAMES)
        with torch.no_grad():
            clips.append(vae.encode(video[None].to(vae.device)).latent_dist.mode())
    latents = torch.cat(clips)
    mean, deviation = latents.mean((0, 2, 3, 4)), latents.std((0, 2, 3, 4)).clamp(min=0.05)
    vae.register_to_config(latents_mean=mean.tolist(), latents_std=deviation.tolist())
