# probe: PyTorch, unseeded, in a compiled step | causes: torch-seed | consumers: initial-weights
# | packages: torch
import torch
from torch import nn

x = torch.linspace(-1, 1, 256).reshape(64, 4)
y = x.sum(dim=1, keepdim=True)

model = nn.Sequential(
    nn.Linear(4, 16),  # <- torch-seed
    nn.BatchNorm1d(16),
    nn.ReLU(),
    nn.Linear(16, 1),
)
optimizer = torch.optim.Adam(model.parameters(), lr=0.01)


# Without a C++ compiler; the default backend wants one.
@torch.compile(backend="aot_eager")
def step(x, y):
    optimizer.zero_grad()
    loss = nn.functional.mse_loss(model(x), y)
    loss.backward()
    optimizer.step()
    return loss


for _ in range(10):
    step(x, y)
