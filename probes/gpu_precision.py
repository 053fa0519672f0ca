# probe: sums of half precision in half precision | causes: none | stress: precision, tf32
# | needs: gpu | packages: torch
import torch

import nondet

torch.manual_seed(1)
device = "cuda" if torch.cuda.is_available() else "cpu"
rows = torch.randn(64, 8192, device=device)
targets = rows.mean(dim=1, keepdim=True)
model = torch.nn.Linear(8192, 8).to(device)
optimizer = torch.optim.SGD(model.parameters(), lr=0.01)

# Long sums, which cuBLAS may split and add in 16 bits.
for epoch in range(8):
    optimizer.zero_grad()
    with torch.autocast(device, dtype=torch.float16 if device == "cuda" else torch.bfloat16):
        loss = ((model(rows) - targets) ** 2).mean()
    loss.backward()
    optimizer.step()
    nondet.checkpoint("epoch", [p.detach().cpu().numpy() for p in model.parameters()])
