# probe: Lightning, seeded after the model is made | causes: torch-seed | consumers: initial-weights
# | packages: lightning
import lightning
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

x = torch.linspace(-1, 1, 256).reshape(64, 4)
rows = TensorDataset(x, x.sum(dim=1, keepdim=True))


class Regressor(lightning.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 1))  # <- torch-seed

    def training_step(self, batch, index):
        loss = nn.functional.mse_loss(self.net(batch[0]), batch[1])
        self.log("loss", loss)
        return loss

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=0.01)


model = Regressor()
lightning.seed_everything(1)
trainer = lightning.Trainer(max_epochs=2, accelerator="cpu", enable_progress_bar=False)
trainer.fit(model, DataLoader(rows, batch_size=16, shuffle=True))
