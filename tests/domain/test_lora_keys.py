"""What the names in a LoRA file mean."""

import pytest

from wan22_app.domain.lora_keys import Pair, block_of, module_of, read

Q = "blocks.3.attn1.to_q"


@pytest.mark.parametrize(
    ("name", "module"),
    [
        ("transformer.blocks.3.attn1.to_q", Q),
        ("base_model.model.blocks.3.attn1.to_q", Q),
        ("diffusion_model.blocks.3.self_attn.q", Q),
        ("model.diffusion_model.blocks.3.self_attn.q", Q),
        ("blocks.3.self_attn.q", Q),
        ("lora_unet_blocks_3_self_attn_q", Q),
        ("lora_unet_blocks_39_cross_attn_o", "blocks.39.attn2.to_out.0"),
        ("lora_unet_blocks_0_ffn_2", "blocks.0.ffn.net.2"),
        ("transformer.blocks.0.ffn.net.0.proj", "blocks.0.ffn.net.0.proj"),
        ("diffusion_model.head.head", "proj_out"),
        ("diffusion_model.time_projection.1", "condition_embedder.time_proj"),
        ("lora_unet_text_embedding_0", "condition_embedder.text_embedder.linear_1"),
        # Of Wan2.1's image branch, of another family, and no module at all.
        ("diffusion_model.blocks.3.cross_attn.k_img", None),
        ("lora_unet_double_blocks_3_img_attn_qkv", None),
        ("lora_te_text_model_encoder_layers_0_mlp_fc1", None),
        ("diffusion_model.blocks.3", None),
        ("diffusion_model.patch_embedding", None),
        ("", None),
    ],
)
def test_every_spelling_of_a_module(name: str, module: str | None) -> None:
    assert module_of(name) == module


def test_a_file_is_sorted_by_module() -> None:
    key = "lora_unet_blocks_3_self_attn_q"
    names = [f"{key}.lora_up.weight", f"{key}.alpha", f"{key}.lora_down.weight", f"{key}.diff_b"]
    found = read(names)
    assert found.pairs == {Q: Pair(names[2], names[0], names[1])}
    assert found.unknown == (names[3],)
    assert block_of(Q) == 3
    assert block_of("proj_out") is None


def test_half_a_pair_is_no_pair() -> None:
    found = read(["diffusion_model.blocks.3.self_attn.q.lora_A.weight"])
    assert not found.pairs[Q].whole


def test_two_tensors_for_one_place_do_not_win_over_each_other_in_silence() -> None:
    names = ["blocks.3.self_attn.q.lora_A.weight", "transformer.blocks.3.attn1.to_q.lora_A.weight"]
    found = read(names)
    assert found.pairs[Q].down == names[0]
    assert found.unknown == (names[1],)
