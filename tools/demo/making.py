"""The stages in their order, and what each hands to the next."""

# pyright: reportArgumentType=false

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any, ClassVar

import torch
from diffusers import (
    AutoencoderKLWan,
    WanImageToVideoPipeline,
    WanPipeline,
    WanTransformer3DModel,
)
from transformers import PreTrainedTokenizerFast, UMT5EncoderModel

from tools.demo import flow, scenes
from tools.demo.beside import beside
from tools.demo.blocks import folding, prepared
from tools.demo.clips import BATCH, FULL, SMALL, Format
from tools.demo.export import SETTINGS, export, replace_vae
from tools.demo.language import tell
from tools.demo.lift import lifted, only_turned
from tools.demo.lora import save_lora, with_lora
from tools.demo.measure import shrunk
from tools.demo.networks import (
    A14B,
    DEEPER,
    FIVE_B,
    Layout,
    build_scheduler,
    build_text_encoder,
    build_tokenizer,
    build_transformer,
    build_vae,
    channels_last,
)
from tools.demo.sampling import Settings, sample
from tools.demo.score import Score
from tools.demo.sheets import save_sheet
from tools.demo.stock import Stock, make_stock
from tools.demo.text import embed, train_text
from tools.demo.training import Stage, Workshop
from tools.demo.vae import sharpen, teach, train_vae, with_decoder
from wan22_app.domain.catalog import DEMO_I2V, DEMO_SPECS, DEMO_T2V, DEMO_TI2V, ModelSpec

LOOKED_AT = 12
"""Prompts on a sample sheet."""
EXPERTS = {"high": "transformer", "low": "transformer_2"}
"""Of a pair, by the noise that each is for, and the folders of their weights."""
LAYOUTS = tuple(str(spec.task) for spec in DEMO_SPECS)
"""Folders of the checkpoints."""
NOTE = "outlines only; for the demo T2V of wan22_app, {} noise expert"
DECODER = 12
"""Channels of the A14B layouts' last decoder at the full size."""
FLOW = "flow matching in the latents of a small VAE of the same layout"
FROM_T2V = """what the experts of the demo T2V say, and flow matching where a first frame is given;
  latents are those of T2V, turned into 48 channels of which they fill 16 dimensions"""
LORA = "demo-outlines_{}_noise.safetensors"


@dataclass
class Making:
    """One run. Parts are made when they are first asked for, and kept in the workshop.

    What lies in ``models`` is finished and taken from there: a folder that is gone is made again.
    """

    PRODUCTS: ClassVar = ("t2v", "ti2v", "i2v", "outlines", "decoders")

    workshop: Workshop
    models: Path
    loras: Path
    effort: float
    device: str = "cpu"
    """Of the networks; clips are drawn and put together by the processor."""

    def t2v(self) -> None:
        """Two experts from one trunk, 16 channels."""
        if self._is_there(DEMO_T2V):
            return
        if not self._has_experts():
            self._teach_both("t2v", self.t2v_expert, self._t2v_clips)
        pipeline = WanPipeline(
            **self._common(self.vae_a14b),
            transformer=self.t2v_expert("high"),
            transformer_2=self.t2v_expert("low"),
            boundary_ratio=DEMO_T2V.boundary,
        )
        self._look("t2v", pipeline)
        self._export(pipeline, DEMO_T2V, "T2V-A14B")

    def i2v(self) -> None:
        """Two experts, 36 channels in: noise, mask and the encoded frames that are given."""
        if self._is_there(DEMO_I2V):
            return
        self._teach_both("i2v", self.i2v_expert, self._i2v_clips)
        pipeline = WanImageToVideoPipeline(
            **self._common(self.vae_a14b),
            transformer=self.i2v_expert("high"),
            transformer_2=self.i2v_expert("low"),
            image_encoder=None,
            image_processor=None,
            boundary_ratio=DEMO_I2V.boundary,
        )
        self._export(pipeline, DEMO_I2V, "I2V-A14B")

    def ti2v(self) -> None:
        """One expert, 48 channels, a timestep for each token."""
        if self._is_there(DEMO_TI2V):
            return
        high, low = (folding(self.t2v_expert(name)) for name in EXPERTS)
        learned = self._placed(flow.deepened(low, build_transformer(16, 16, DEEPER)))
        condition = flow.FromFrame(high, low, DEMO_T2V.boundary or 0.0)
        clips = partial(self._clips, "a14b", self.vae_a14b, A14B, share=0.3)
        self._train(self._stage("ti2v", 1200, 1e-3), learned, clips, condition, batch=16)
        pipeline = WanPipeline(
            **self._common(self.vae_5b),
            transformer=self._placed(lifted(learned)),
            transformer_2=None,
            expand_timesteps=True,
        )
        self._look("ti2v", pipeline, FIVE_B.scale)
        self._export(pipeline, DEMO_TI2V, "TI2V-5B", FROM_T2V)

    def decoders(self) -> None:
        """Sharper edges for all: latents stay what they are, so the transformers fit as before."""
        wide = self._seeded("vae-a14b-decoder", lambda: with_decoder(self.vae_a14b, DECODER))
        sharpen(self.workshop, "vae-a14b", wide, self._steps(3000))
        for folder in ("t2v", "i2v"):
            replace_vae(self.models / folder, wide)

    def outlines(self) -> None:
        """A LoRA for each of T2V's experts."""
        self._teach_both("lora", self.outline, self._outlined_clips)
        for name in EXPERTS:
            self.outline(name)

    def t2v_expert(self, name: str) -> WanTransformer3DModel:
        """The trunk, taught for this noise alone."""
        if finished := self._finished(EXPERTS[name], "t2v"):
            return self._placed(
                WanTransformer3DModel.from_pretrained(finished, torch_dtype=torch.float32)
            )
        expert = self._placed(WanTransformer3DModel.from_config(self.trunk.config))
        expert.load_state_dict(self.trunk.state_dict())
        stage = self._stage(f"t2v-{name}", {"high": 19000, "low": 16000}[name], 1.5e-3)
        self._train(stage, expert, self._t2v_clips, flow.from_text, batch=24,
                    sigmas=self._sigmas(name, DEMO_T2V))  # fmt: skip
        return expert

    def i2v_expert(self, name: str) -> WanTransformer3DModel:
        """T2V's expert for the same noise, taught to look at the given frames."""
        expert = self._placed(flow.widened(self.t2v_expert(name), build_transformer(36, 16)))
        stage = self._stage(f"i2v-{name}", 1000, 1e-3)
        self._train(stage, expert, self._i2v_clips, flow.from_channels, batch=24,
                    sigmas=self._sigmas(name, DEMO_I2V))  # fmt: skip
        return expert

    def outline(self, name: str) -> None:
        """The LoRA for T2V's expert for this noise."""
        expert = self.t2v_expert(name)
        stage = self._stage(f"lora-{name}", 1500, 2e-3)
        self._train(stage, with_lora(expert), self._outlined_clips, flow.from_text, batch=24,
                    sigmas=self._sigmas(name, DEMO_T2V))  # fmt: skip
        save_lora(expert, self.loras / LORA.format(name), NOTE.format(name))

    @cached_property
    def tokenizer(self) -> PreTrainedTokenizerFast:
        """Words of the vocabulary."""
        return build_tokenizer()

    @cached_property
    def text_encoder(self) -> UMT5EncoderModel:
        """One for all three checkpoints."""
        if finished := self._finished("text_encoder"):
            return self._placed(UMT5EncoderModel.from_pretrained(finished, dtype=torch.float32))
        encoder = self._seeded("text", lambda: build_text_encoder(len(self.tokenizer)))
        train_text(self.workshop, self.tokenizer, encoder, self._steps(1500))
        return encoder

    @cached_property
    def vae_a14b(self) -> AutoencoderKLWan:
        """One for both A14B layouts."""
        return self._vae("vae-a14b", "t2v", A14B, partial(train_vae, steps=self._steps(2200)))

    @cached_property
    def vae_5b(self) -> AutoencoderKLWan:
        """The residual one, see ``lift``."""

        def learn(workshop: Workshop, name: str, vae: AutoencoderKLWan) -> None:
            only_turned(vae)
            teach(workshop, name, vae, self.vae_a14b, self._steps(700), self._steps(1400))

        return self._vae("vae-5b", "ti2v", FIVE_B, learn)

    @cached_property
    def trunk(self) -> WanTransformer3DModel:
        """T2V at every noise level: what the experts start from."""
        transformer = self._seeded("trunk", lambda: build_transformer(16, 16))
        pipeline = WanPipeline(
            **self._common(self.vae_a14b), transformer=transformer, transformer_2=None
        )
        stage = self._stage("trunk", 3000, 2e-3)
        clips = partial(self._clips, "a14b", self.vae_a14b, A14B, (*FULL, SMALL))
        self._train(stage, transformer, clips, flow.from_text, batch=24,
                    look=lambda step: self._look("trunk", pipeline))  # fmt: skip
        return transformer

    def _teach_both(
        self, kind: str, teach: Callable[[str], object], clips: Callable[[], object]
    ) -> None:
        """Do the stages of both experts beside each other, if they are not done.

        What both need is made before: each would make it for itself.
        """
        if all(self.workshop.path(f"{kind}-{name}.pt").exists() for name in EXPERTS):
            return
        if not self._has_experts():
            _ = self.trunk
        clips()
        beside(teach, list(EXPERTS))

    def _t2v_clips(self) -> list[Stock]:
        return self._clips("a14b", self.vae_a14b, A14B)

    def _i2v_clips(self) -> list[Stock]:
        return self._clips("a14b-given", self.vae_a14b, A14B, share=0.1, conditioned=True)

    def _outlined_clips(self) -> list[Stock]:
        return self._clips("a14b-outlined", self.vae_a14b, A14B, share=0.1, outlined=True)

    def __getstate__(self) -> dict[str, Any]:
        """Without the parts: another process reads them where they are kept."""
        return {each.name: getattr(self, each.name) for each in fields(self)}

    def _clips(
        self,
        name: str,
        vae: AutoencoderKLWan,
        layout: Layout,
        formats: Sequence[Format] = FULL,
        *,
        share: float = 1.0,
        **more: bool,
    ) -> list[Stock]:
        """``share`` of the clips of these formats."""
        fewer = [
            replace(each, batches=max(1, round(each.batches * share * self.effort)))
            for each in formats
        ]
        return make_stock(self.workshop, name, vae, layout, fewer, **more)

    def _vae(
        self,
        name: str,
        product: str,
        layout: Layout,
        learn: Callable[[Workshop, str, AutoencoderKLWan], None],
    ) -> AutoencoderKLWan:
        if finished := self._finished("vae", product):
            vae = self._placed(
                AutoencoderKLWan.from_pretrained(finished, torch_dtype=torch.float32)
            )
            channels_last(vae)
            return vae.eval().requires_grad_(False)
        vae = self._seeded(name, lambda: build_vae(layout))
        channels_last(vae)
        learn(self.workshop, name, vae)
        return vae

    def _has_experts(self) -> bool:
        """Whether T2V's are finished, though perhaps not all around them."""
        return all(self._finished(part, "t2v") for part in EXPERTS.values())

    def _is_there(self, spec: ModelSpec) -> bool:
        return (self.models / str(spec.task) / SETTINGS).is_file()

    def _finished(self, part: str, product: str | None = None) -> Path | None:
        """Folder of a part that an earlier run has exported, of any product or of this one."""
        folders = [self.models / name / part for name in ([product] if product else LAYOUTS)]
        return next((folder for folder in folders if folder.is_dir()), None)

    def _sigmas(self, expert: str, spec: ModelSpec) -> tuple[float, float]:
        boundary = spec.boundary or 0.0
        return (boundary, 1.0) if expert == "high" else (0.0, boundary)

    def _train(
        self,
        stage: Stage,
        transformer: WanTransformer3DModel,
        clips: Callable[[], Sequence[Stock]],
        condition: flow.Condition,
        *,
        batch: int,
        sigmas: tuple[float, float] = (0.0, 1.0),
        look: Callable[[int], None] = lambda step: None,
    ) -> None:
        encoder, tokenizer = self.text_encoder, self.tokenizer
        flow.train_flow(
            self.workshop, stage, prepared(transformer), clips, condition,
            lambda prompts: embed(tokenizer, encoder, prompts),
            batch=batch, sigmas=sigmas, look=look,
        )  # fmt: skip

    def _look(self, name: str, pipeline: WanPipeline, scale: int = 1) -> None:
        """Draw a few prompts, keep the sheet, and say how much of them is right."""
        chance = self.workshop.chance(name, "look")
        drawn = [scenes.draw_scene(chance, 128, 128) for _ in range(LOOKED_AT)]
        told = [tell(chance, scene, omit=0) for scene in drawn]
        settings = Settings(width=128 * scale, height=128 * scale)
        with torch.compiler.set_stance("force_eager"):
            videos = sample(pipeline, [text for text, _ in told], range(LOOKED_AT), settings)
        score = Score()
        for video, (_, said) in zip(videos, told, strict=True):
            score.add(shrunk(video, scale), said)
        self.workshop.say(f"{name}: {score}")
        clips = [torch.from_numpy(video).permute(3, 0, 1, 2) * 2 - 1 for video in videos]
        save_sheet(self.workshop.path(f"{name}.png"), clips)
        self.workshop.path(f"{name}.txt").write_text(
            "\n".join(text for text, _ in told), encoding="utf-8"
        )

    def _export(self, pipeline: Any, spec: ModelSpec, layout: str, how: str = FLOW) -> None:
        card = {
            "how": how,
            "layout": f"Wan2.2's {layout}",
            "colours": ", ".join(scenes.COLOURS),
            "shapes": ", ".join(scenes.SHAPES),
            "motions": ", ".join(scenes.MOTIONS),
            "backgrounds": ", ".join(scenes.BACKGROUNDS),
            "clips": BATCH * sum(each.batches for each in (*FULL, SMALL)),
        }
        export(pipeline, self.models / str(spec.task), spec, card)
        self.workshop.say(f"wrote {self.models / str(spec.task)}")

    def _common(self, vae: AutoencoderKLWan) -> dict[str, Any]:
        return {
            "tokenizer": self.tokenizer,
            "text_encoder": self.text_encoder,
            "vae": vae,
            "scheduler": build_scheduler(flow.SHIFT),
        }

    def _seeded(self, name: str, build: Callable[[], Any]) -> Any:
        """Build with random weights that depend on the seed and the name alone."""
        self.workshop.chance(name, "weights")
        return self._placed(build())

    def _placed(self, part: Any) -> Any:
        return part.to(self.device)

    def _stage(self, name: str, steps: int, rate: float) -> Stage:
        return Stage(name, self._steps(steps), rate)

    def _steps(self, usual: int) -> int:
        return max(2, round(usual * self.effort))
