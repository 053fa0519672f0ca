# probe: the gradient of PyTorch's CTC loss on a GPU | causes: device
# | needs: gpu | packages: torch
import torch
from torch import nn

import nondet

torch.manual_seed(1)
device = "cuda" if torch.cuda.is_available() else "cpu"
sounds = torch.randn(100, 16, 20, device=device)
# Of 64 bits, cuDNN's own loss does not apply.
letters = torch.randint(1, 28, (16, 30), device=device)
heard, written = torch.full((16,), 100), torch.full((16,), 30)
model = nn.Linear(20, 28).to(device)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)

for epoch in range(8):
    scores = model(sounds).log_softmax(dim=2)
    loss = nn.functional.ctc_loss(scores, letters, heard, written)
    optimizer.zero_grad()
    loss.backward()  # <- device
    optimizer.step()
    nondet.checkpoint("epoch", list(model.parameters()))
