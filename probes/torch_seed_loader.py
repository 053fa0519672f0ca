# probe: a DataLoader shuffles | causes: torch-seed | consumers: shuffle | packages: torch
import torch
from torch.utils.data import DataLoader, TensorDataset

import nondet

# The weights have a generator of their own, so that only the order of the rows varies.
generator = torch.Generator().manual_seed(1)
weights = torch.randn(4, 1, generator=generator).requires_grad_()
x = torch.randn(64, 4, generator=generator)
loader = DataLoader(TensorDataset(x, x.sum(dim=1, keepdim=True)), batch_size=8, shuffle=True)

for _ in range(3):
    for rows, wanted in loader:  # <- torch-seed
        loss = ((rows @ weights - wanted) ** 2).mean()
        loss.backward()
        with torch.no_grad():
            weights -= 0.05 * weights.grad
            weights.grad.zero_()

nondet.checkpoint("weights", weights.detach().numpy())
