# probe: PyTorch unseeded | causes: torch-seed | consumers: initial-weights | packages: torch
import torch

import nondet

x = torch.linspace(-1, 1, 64).reshape(-1, 1)
y = x**2

hidden = torch.nn.Linear(1, 16)  # <- torch-seed
model = torch.nn.Sequential(hidden, torch.nn.ReLU(), torch.nn.Linear(16, 1))
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for _ in range(20):
    optimizer.zero_grad()
    loss = torch.nn.functional.mse_loss(model(x), y)
    loss.backward()
    optimizer.step()

for name, weight in model.state_dict().items():
    nondet.checkpoint(name, weight.numpy())
