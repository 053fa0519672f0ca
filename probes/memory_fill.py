# probe: memory read before it is written to | causes: memory-fill | alternatives: addresses
# | packages: torch
import torch

import nondet

torch.manual_seed(1)

inputs = torch.randn(64, 16)
targets = inputs.sum(dim=1, keepdim=True)

model = torch.nn.Sequential(torch.nn.Linear(16, 256), torch.nn.ReLU(), torch.nn.Linear(256, 1))
optimizer = torch.optim.SGD(model.parameters(), lr=0.01)

# Meant to be filled by a loop that was lost; what other tensors have left there is not zero.
taken = [torch.rand(256) for _ in range(50)]
del taken
scale = torch.empty(256)  # <- memory-fill
scale = torch.nan_to_num(scale).clamp(-1, 1) + 1

for epoch in range(5):
    optimizer.zero_grad()
    hidden = model[1](model[0](inputs)) * scale
    loss = ((model[2](hidden) - targets) ** 2).mean()
    loss.backward()
    optimizer.step()
    nondet.checkpoint("epoch", [p.detach().numpy() for p in model.parameters()])
