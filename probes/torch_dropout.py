# probe: PyTorch's dropout | causes: torch-seed | consumers: dropout | packages: torch
import torch
from torch import nn

import nondet

x = torch.linspace(-1, 1, 256).reshape(64, 4)
y = x.sum(dim=1, keepdim=True)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        # Starting at fixed values leaves dropout as the only draw.
        self.weight = nn.Parameter(torch.full((4, 8), 0.1))
        self.drop = nn.Dropout(0.5)
        self.out = nn.Parameter(torch.linspace(-1, 1, 8).reshape(8, 1))

    def forward(self, x):
        return self.drop(torch.relu(x @ self.weight)) @ self.out  # <- torch-seed


model = Net()
optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
for _ in range(10):
    optimizer.zero_grad()
    ((model(x) - y) ** 2).mean().backward()
    optimizer.step()

nondet.checkpoint("weights", [p.detach().numpy() for p in model.parameters()])
