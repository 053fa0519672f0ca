# probe: a running sum and a weighted count, by atomics on a GPU | causes: device
# | needs: gpu | packages: torch
import torch

import nondet

torch.manual_seed(1)
device = "cuda" if torch.cuda.is_available() else "cpu"
steps = torch.randn(4, 500_000, device=device)
bins = torch.randint(0, 50, (500_000,), device=device)
weight = torch.nn.Parameter(torch.ones(50, device=device))
optimizer = torch.optim.SGD([weight], lr=0.01)

for epoch in range(8):
    walk = torch.cumsum(steps, dim=1)[:, -1].mean()  # <- device
    shares = torch.bincount(bins, weights=steps[epoch % 4], minlength=50) / 500  # <- device
    loss = ((weight * shares).sum() - walk / 1000) ** 2
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    nondet.checkpoint("epoch", weight)
