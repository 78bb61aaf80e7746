"""Recipes of videos: read, compared with this machine, and what to go on from."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from wan22_app.domain.account import Person
from wan22_app.domain.catalog import ModelEntry
from wan22_app.domain.continuation import VideoRef
from wan22_app.domain.errors import Problem, UserError
from wan22_app.domain.fields import FIELD_NAMES
from wan22_app.domain.generation import GenerationRequest, ImageRef, LoraRef
from wan22_app.domain.output import LIBRARIES, Recipe
from wan22_app.domain.plan import Device
from wan22_app.ports import Images, Library, Videos
from wan22_app.services.gallery import Gallery

BEYOND_S = 1e6
"""Behind the end of any video: what is shown there is its last frame."""
SIMILAR = "The video will look similar, not equal."


@dataclass(frozen=True)
class Here:
    """What computes on this machine: the card or processor, and the libraries' versions."""

    device: Callable[[], Device]
    versions: Mapping[str, str]


class Recipes:
    """What is needed to make a video again, or to go on from it."""

    def __init__(
        self, gallery: Gallery, videos: Videos, images: Images, library: Library, here: Here
    ):
        self._here = here
        self._gallery = gallery
        self._videos = videos
        self._images = images
        self._library = library

    def of(self, person: Person, output_id: str) -> Recipe | None:
        """The recipe inside an output's file; None when the file is gone or carries none."""
        try:
            path = self._gallery.path(person, output_id, "video")
        except UserError:
            self._gallery.get(person, output_id)
            return None
        return self._videos.recipe(path)

    def frame(self, person: Person, output_id: str, seconds: float) -> ImageRef:
        """The picture shown at a time of a video, as a start image. Raises UserError."""
        path = self._gallery.path(person, output_id, "video")
        return self._images.accept(self._videos.frame(path, seconds))

    def continuation(self, person: Person, output_id: str) -> VideoRef:
        """A video kept for another one to go on from. Raises UserError."""
        return self.kept(self._gallery.path(person, output_id, "video"))

    def kept(self, path: Path) -> VideoRef:
        """The same of a file on this machine."""
        still = self._images.accept(self._videos.frame(path, BEYOND_S))
        return self._videos.keep(path, still.sha256)

    def brought(self, person: Person, data: bytes) -> Recipe:
        """The recipe in an mp4 that a person brings along. Raises InvalidRequest."""
        del person  # whoever may see the page may read a file of their own
        return self._videos.brought(data)

    def differences(self, recipe: Recipe) -> Sequence[Problem]:
        """What would make another video here, or none; empty when all is as it was."""
        return list(self._differences(recipe))

    def _differences(self, recipe: Recipe) -> Iterator[Problem]:
        request = recipe.request
        entry: ModelEntry | None = None
        try:
            entry = self._library.entry(request.model)
        except UserError:
            yield Problem(
                code="model_unknown",
                what=f"The model “{request.model[:60]}” is not known here.",
                cure="Choose another one; the rest of the settings can be used.",
                field="model",
            )
        if entry is not None:
            yield from self._model_differences(entry, recipe)
            for ref in request.loras:
                yield from self._lora_differences(entry, ref)
        yield from self._image_differences(request)
        yield from self._place_differences(recipe)

    def _model_differences(self, entry: ModelEntry, recipe: Recipe) -> Iterator[Problem]:
        if not entry.ready:
            yield Problem(
                code=f"weights_{entry.state}", what=entry.problem, cure=entry.cure, field="model"
            )
        elif recipe.revision != entry.revision:
            yield Problem(
                code="other_revision",
                what=f"The weights of {entry.spec.name} are others than those that made it.",
                cause=f"Made with {recipe.revision[:40]}, here is {entry.revision}.",
                cure=SIMILAR,
                field="model",
            )

    def _lora_differences(self, entry: ModelEntry, ref: LoraRef) -> Iterator[Problem]:
        try:
            found = self._library.check_lora(entry, ref)
        except UserError as error:
            yield from error.problems
            return
        if ref.sha256 and found.sha256 != ref.sha256:
            yield Problem(
                code="other_lora",
                what=f"The LoRA “{ref.file[:80]}” here is another file of the same name.",
                cure=SIMILAR,
                field="loras",
            )

    def _place_differences(self, recipe: Recipe) -> Iterator[Problem]:
        """Another card or another version rounds otherwise."""
        others = [
            (name, recipe.versions.get(name, "unknown")[:20], version)
            for name, version in self._here.versions.items()
            if (name in LIBRARIES or name in recipe.versions)
            and recipe.versions.get(name) != version
        ]
        if others:
            yield Problem(
                code="other_versions",
                what=f"It was made with other versions of {', '.join(n for n, *_ in others)}.",
                cause=f"{'; '.join(f'{n} {then}, here {now}' for n, then, now in others)}.",
                cure=SIMILAR,
            )
        device = self._here.device()
        name = "cpu" if device.kind == "cpu" else device.name
        if recipe.device != name:
            yield Problem(
                code="other_device",
                what=f"It was made on {recipe.device[:60]}, here is {name}.",
                cure=SIMILAR,
            )

    def _image_differences(self, request: GenerationRequest) -> Iterator[Problem]:
        images = {"image": request.image, "last_image": request.last_image}
        for field, image in images.items():
            if image is None:
                continue
            try:
                self._images.path(image)
            except UserError:
                yield Problem(
                    code=f"{field}_elsewhere",
                    what=f"The {FIELD_NAMES[field].lower()} is not on this machine.",
                    cure="Drop it on the form before you generate.",
                    field=field,
                )
        if request.continues is not None:
            try:
                self._videos.kept(request.continues)
            except UserError as error:
                yield from error.problems
