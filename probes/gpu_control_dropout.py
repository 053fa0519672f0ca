# probe: control, dropout on a GPU from a seeded generator | causes: none
# | needs: gpu | packages: torch
import torch
from torch import nn

import nondet

torch.manual_seed(1)
device = "cuda" if torch.cuda.is_available() else "cpu"
rows = torch.randn(256, 32, device=device)
targets = rows.sum(dim=1, keepdim=True)
model = nn.Sequential(nn.Linear(32, 64), nn.ReLU(), nn.Dropout(0.5), nn.Linear(64, 1)).to(device)
optimizer = torch.optim.Adam(model.parameters(), lr=0.01)

for epoch in range(8):
    optimizer.zero_grad()
    ((model(rows) - targets) ** 2).mean().backward()
    optimizer.step()
    nondet.checkpoint("epoch", list(model.parameters()))
