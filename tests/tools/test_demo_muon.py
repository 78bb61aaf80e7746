"""Our Muon is torch's, in another precision."""

import torch
from torch import nn

from tools.demo.muon import Muon, orthogonal


def test_singular_values_come_near_one_and_vectors_stay() -> None:
    torch.manual_seed(1)
    left, _ = torch.linalg.qr(torch.randn(40, 24))
    right, _ = torch.linalg.qr(torch.randn(24, 24))
    matrix = left @ torch.diag(torch.logspace(-1, 1, 24)) @ right.T
    for given in (matrix, matrix.T.contiguous()):
        found = orthogonal(given[None])[0]
        assert found.shape == given.shape
        values = torch.linalg.svdvals(found)
        assert values.min() > 0.5 and values.max() < 1.4
    inner = left.T @ orthogonal(matrix[None])[0] @ right
    assert (inner - torch.diag(inner.diag())).abs().max() < 1e-4


def test_its_steps_are_torchs_own() -> None:
    torch.manual_seed(2)
    start = [torch.randn(shape) * 0.05 for shape in ((32, 32), (32, 64), (64, 32), (32, 32))]
    ours, theirs = ([nn.Parameter(each.clone()) for each in start] for _ in range(2))
    one = Muon(ours, 1e-2)
    other = torch.optim.Muon(theirs, 1e-2, weight_decay=0.01, adjust_lr_fn="match_rms_adamw")
    for _ in range(4):
        for mine, its in zip(ours, theirs, strict=True):
            mine.grad = torch.randn_like(mine)
            its.grad = mine.grad.clone()
        one.step()
        other.step()
    for mine, its, was in zip(ours, theirs, start, strict=True):
        assert (mine - its).norm() < 0.02 * (its - was).norm()
        assert (its - was).norm() > 0.1
    other.load_state_dict(one.state_dict())


def test_what_has_no_gradient_stays() -> None:
    still, moved = (nn.Parameter(torch.ones(4, 4)) for _ in range(2))
    moved.grad = torch.eye(4)
    Muon([still, moved], 0.0).step()
    assert torch.equal(still, torch.ones(4, 4))
