# probe: bilinear upsampling has no deterministic gradient on a GPU | causes: device
# | needs: gpu | packages: torch
import torch
from torch import nn

import nondet

torch.manual_seed(1)
device = "cuda" if torch.cuda.is_available() else "cpu"
images = torch.randn(8, 3, 32, 32, device=device)
masks = images.mean(dim=1, keepdim=True)
model = nn.Sequential(
    nn.Conv2d(3, 16, 3, stride=2, padding=1),
    nn.ReLU(),
    nn.Upsample(scale_factor=2, mode="bilinear"),
    nn.Conv2d(16, 1, 3, padding=1),
).to(device)
optimizer = torch.optim.SGD(model.parameters(), lr=0.01)

for epoch in range(8):
    loss = ((model(images) - masks) ** 2).mean()
    optimizer.zero_grad()
    loss.backward()  # <- device
    optimizer.step()
    nondet.checkpoint("epoch", list(model.parameters()))
