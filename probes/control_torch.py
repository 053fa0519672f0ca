# probe: control, PyTorch with workers, autocast and two optimizers | causes: none | packages: torch
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(1)
x = torch.randn(128, 4)
rows = TensorDataset(x, x.sum(dim=1, keepdim=True))


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.hidden = nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Dropout(0.2))
        self.out = nn.Linear(16, 1)

    def forward(self, x):
        return self.out(self.hidden(x))


if __name__ == "__main__":
    model = Net()
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)
    for _ in range(2):
        for batch, target in DataLoader(rows, batch_size=32, shuffle=True, num_workers=2):
            optimizer.zero_grad()
            with torch.autocast("cpu", dtype=torch.bfloat16):
                loss = nn.functional.mse_loss(model(batch), target)
            loss.backward()
            optimizer.step()

    tuner = torch.optim.LBFGS(model.out.parameters(), max_iter=4)

    def closure():
        tuner.zero_grad()
        (loss := nn.functional.mse_loss(model.eval()(x), rows.tensors[1])).backward()
        return loss

    tuner.step(closure)
