# probe: cuDNN's benchmark chooses among algorithms | causes: cudnn
# | alternatives: op-determinism, device | needs: gpu | packages: torch
import torch
from torch import nn

import nondet

torch.manual_seed(1)
torch.backends.cudnn.benchmark = True
device = "cuda" if torch.cuda.is_available() else "cpu"
images = torch.randn(16, 8, 48, 48, device=device)
targets = images.mean(dim=(1, 2, 3)).unsqueeze(1)
model = nn.Sequential(
    nn.Conv2d(8, 32, 5), nn.ReLU(), nn.Conv2d(32, 16, 3, stride=2), nn.ReLU(),
    nn.AvgPool2d(21), nn.Flatten(), nn.Linear(16, 1),
).to(device)  # fmt: skip
optimizer = torch.optim.SGD(model.parameters(), lr=0.01)

for epoch in range(8):
    loss = ((model(images) - targets) ** 2).mean()
    optimizer.zero_grad()
    loss.backward()  # <- cudnn
    optimizer.step()
    nondet.checkpoint("epoch", list(model.parameters()))
