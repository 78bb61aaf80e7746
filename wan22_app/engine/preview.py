"""What a run is going to show, seen at every step: the predicted clean latents in colours.

Latents become colours by a map that is linear and fitted to the very VAE: pictures are encoded, and
least squares find the colours of a cell from its channels. The first latent frame has a map of its
own, since it stands for one frame and the others for four.
"""

import contextlib
import io
import logging
import queue
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch.nn.functional import adaptive_avg_pool2d, interpolate

from wan22_app.engine.shelf import Shelf, files_of, key_of

log = logging.getLogger(__name__)

CELLS = 12
"""Of the latents, along a side of the pictures that colours are fitted to."""
CLIPS = 24
FRAMES = 9
"""Three latent frames: the first, and two like all the others."""
SAYS_NOTHING = 1e-3
"""Share of the greatest singular value below which a combination of channels is rounding: a map
that makes colours of it would make them of noise."""
QUALITY = 60
MILLISECONDS = 250
"""A latent frame is shown for so long: four frames of a video at 16 a second."""
Colours = torch.Tensor
"""``[2, C + 1, 3]``: for the first latent frame and for the others, the last row is the offset."""
Fitting = Callable[[], Colours]


def kept_colours(shelf: Shelf, folder: Path, fitting: Fitting) -> Colours | None:
    """The colours for a checkpoint's VAE, fitted once and kept; None where fitting fails.

    A preview is no reason to lose a run, whatever the card says.
    """
    key = key_of({"what": "colours of latents", "files": files_of(folder, "vae")})
    if (kept := shelf.get(key)) is not None:
        return kept
    try:
        colours = fitting()
    except RuntimeError as error:
        log.warning("no previews: %s", error)
        return None
    shelf.put(key, colours)
    return colours


def fit_colours(vae: Any, device: torch.device) -> Colours:
    """Least squares over clips that move, encoded on the device.

    Raises RuntimeError when the device does.
    """
    chance = torch.Generator().manual_seed(0)
    seen: tuple[list[torch.Tensor], ...] = [], []
    wanted: tuple[list[torch.Tensor], ...] = [], []
    for _ in range(CLIPS):
        clip = _clip(chance, CELLS * vae.config.scale_factor_spatial)
        latents = _encoded(vae, clip.to(device))
        pictures = torch.stack([clip[:, 0], *clip[:, 1:].unflatten(1, (-1, 4)).mean(2).unbind(1)])
        _, _, height, width = latents.shape
        colours = adaptive_avg_pool2d(pictures, (height, width)).flatten(2).mT
        cells = latents.permute(1, 2, 3, 0).flatten(1, 2)
        cells = torch.cat([cells, torch.ones(*cells.shape[:2], 1)], dim=2)
        for index, part in enumerate((slice(1), slice(1, None))):
            seen[index].append(cells[part].flatten(0, 1))
            wanted[index].append(colours[part].flatten(0, 1))
    maps = [
        torch.linalg.lstsq(torch.cat(cells), torch.cat(colours), rcond=SAYS_NOTHING).solution
        for cells, colours in zip(seen, wanted, strict=True)
    ]
    return torch.stack(maps)


def _encoded(vae: Any, clip: torch.Tensor) -> torch.Tensor:
    """Normalised latents ``[C, T, h, w]`` of a clip ``[3, F, H, W]``, on the CPU."""
    latents = vae.encode(clip[None]).latent_dist.mode()[0].float().cpu()
    mean, deviation = (
        torch.tensor(numbers).view(-1, 1, 1, 1)
        for numbers in (vae.config.latents_mean, vae.config.latents_std)
    )
    return (latents - mean) / deviation


def _clip(chance: torch.Generator, side: int) -> torch.Tensor:
    """Soft colours with discs and boxes that move over them, ``[3, F, H, W]`` in -1..1.

    Edges and flat places, greys and colours: real pictures have all of them, and the demo models'
    VAE knows nothing but flat things on plain grounds.
    """

    def drawn(*shape: int) -> torch.Tensor:
        return torch.rand(*shape, generator=chance) * 2 - 1

    ground = drawn(1, 1, 1) if drawn(1) < 0.6 else drawn(3, 1, 1)
    ground = ground.sign() * ground.abs().sqrt()  # light and dark more often than between
    detail = 2 + int(4 * drawn(1).abs())
    soft = interpolate(drawn(1, 3, detail, detail), (side, side), mode="bilinear")[0]
    still = (ground + (drawn(1, 1, 1) - 0.4).relu() * soft).clamp(-1, 1)
    video = still[:, None].repeat(1, FRAMES, 1, 1)
    rows, columns = torch.meshgrid(*2 * [torch.linspace(-1, 1, side)], indexing="ij")
    for round_thing in (True, False, True, False):
        paint, size = drawn(3, 1), 0.15 + 0.25 * drawn(1).abs()
        at, way = 0.8 * drawn(2), 0.04 * drawn(2)
        for frame in range(FRAMES):
            y, x = at + frame * way
            down, across = rows - y, columns - x
            away = (
                torch.hypot(down, across)
                if round_thing
                else torch.maximum(down.abs(), across.abs())
            )
            video[:, frame, away < size] = paint
    return video


def coloured(latents: torch.Tensor, colours: Colours) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """Pictures ``[T, h, w, 3]`` of normalised latents ``[1, C, T, h, w]``, one pixel for a cell."""
    cells = latents[0].float()
    maps = colours.to(cells.device).mT
    parts = [
        (each[:, :-1] @ part.flatten(1) + each[:, -1:]).unflatten(1, part.shape[1:])
        for each, part in zip(maps, (cells[:, :1], cells[:, 1:]), strict=True)
    ]
    shown = torch.cat(parts, dim=1).add(1).mul(127.5).clamp(0, 255).round().to(torch.uint8)
    return shown.permute(1, 2, 3, 0).cpu().contiguous().numpy()


class Previews:
    """Writes one small moving picture after the other to the same file, on a thread of its own.

    The newest wins: a slow disk must not hold a run up. Faults are told to the log alone. The file
    stays when the block ends: it is shown while the video is decoded.
    """

    def __init__(self, path: Path, colours: Colours | None):
        self._path = path
        self._colours = colours
        self._newest: queue.Queue[Any] = queue.Queue(1)
        self._thread = threading.Thread(target=self._run, name="previews", daemon=True)

    def __enter__(self) -> "Previews":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._newest.put(None)  # behind the last picture, which is the best
        self._thread.join()

    def show(self, predicted: torch.Tensor) -> None:
        """The clean latents that the sampler foresees, ``[1, C, T, h, w]``, normalised."""
        if self._colours is not None:
            pictures = coloured(predicted, self._colours)
            with contextlib.suppress(queue.Empty):
                self._newest.get_nowait()
            self._newest.put(pictures)

    def _run(self) -> None:
        while (pictures := self._newest.get()) is not None:
            try:
                write(self._path, pictures)
            except Exception as error:
                # Whatever it is: a thread that has died would never take the end from the queue.
                log.warning("no preview: %s", error)


def write_grey(path: Path) -> None:
    """Where nothing better could be made."""
    write(path, np.full((1, 9, 16, 3), 128, np.uint8))


def write(path: Path, pictures: np.ndarray[Any, np.dtype[np.uint8]]) -> None:
    """Whole or not at all: a browser may be reading the one before."""
    first, *others = [Image.fromarray(picture) for picture in pictures]
    webp = io.BytesIO()
    first.save(
        webp, "WEBP", save_all=True, append_images=others, duration=MILLISECONDS, loop=0,
        quality=QUALITY, method=0,
    )  # fmt: skip
    new = path.with_name(path.name.replace(".preview.", ".next."))
    new.write_bytes(webp.getvalue())
    new.replace(path)
