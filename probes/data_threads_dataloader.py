# probe: a DataLoader that takes what is ready | causes: data-threads | packages: torch
import time

import torch
from torch.utils.data import DataLoader, Dataset

import nondet

torch.manual_seed(1)
torch.set_num_threads(1)


class Rows(Dataset):
    def __init__(self):
        self.x = torch.randn(256, 4)

    def __len__(self):
        return len(self.x)

    def __getitem__(self, index):
        time.sleep(0.001)  # as long as decoding an image takes
        return self.x[index], self.x[index].sum()


rows = DataLoader(Rows(), batch_size=8, num_workers=4, in_order=False)  # <- data-threads
model = torch.nn.Linear(4, 1)
optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
for _epoch in range(2):
    for x, y in rows:
        optimizer.zero_grad()
        torch.nn.functional.mse_loss(model(x)[:, 0], y).backward()
        optimizer.step()
nondet.checkpoint("weight", model.weight.detach().numpy())
