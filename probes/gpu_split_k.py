# probe: control, a long product that cuBLAS may split | causes: none | stress: tf32
# | needs: gpu | packages: torch
import torch

import nondet

torch.manual_seed(1)
device = "cuda" if torch.cuda.is_available() else "cpu"
# Few rows and columns and a long sum between them: each part of it may go to another block.
left = torch.randn(16, 200_000, device=device)
right = torch.nn.Parameter(torch.randn(200_000, 16, device=device) / 500)
optimizer = torch.optim.SGD([right], lr=0.1)

for epoch in range(8):
    optimizer.zero_grad()
    ((left @ right) ** 2).mean().backward()
    optimizer.step()
    nondet.checkpoint("epoch", right)
