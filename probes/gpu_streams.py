# probe: two streams of a GPU, and neither waits | causes: cuda-streams | alternatives: device
# | needs: gpu | packages: torch
import torch

import nondet

torch.manual_seed(1)
device = "cuda" if torch.cuda.is_available() else "cpu"
model = torch.nn.Linear(512, 1).to(device)
optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
rows = torch.randn(64, 256, 512)
batch = torch.zeros(256, 512, device=device)
beside = torch.cuda.Stream() if device == "cuda" else None

for step in range(64):
    # The copy goes on while the step below reads what was there before, or half of either.
    with torch.cuda.stream(beside):
        work = torch.randn(2048, 2048, device=device)
        work = work @ work
        batch.copy_(rows[step], non_blocking=True)  # <- cuda-streams
    optimizer.zero_grad()
    loss = (model(batch) ** 2).mean()
    loss.backward()
    optimizer.step()

nondet.checkpoint("weights", [p.detach().cpu().numpy() for p in model.parameters()])
