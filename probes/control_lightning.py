# probe: control, Lightning seeded first, with callbacks | causes: none | packages: lightning
import lightning
import torch
from lightning.pytorch.callbacks import EarlyStopping
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

lightning.seed_everything(1, workers=True)

x = torch.randn(96, 4)
rows = TensorDataset(x, x.sum(dim=1, keepdim=True))


class Regressor(lightning.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(4, 16), nn.Dropout(0.2), nn.Linear(16, 1))

    def training_step(self, batch, index):
        return nn.functional.mse_loss(self.net(batch[0]), batch[1])

    def validation_step(self, batch, index):
        self.log("val_loss", nn.functional.mse_loss(self.net(batch[0]), batch[1]))

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=0.01)


trainer = lightning.Trainer(
    max_epochs=3,
    accelerator="cpu",
    enable_progress_bar=False,
    callbacks=[EarlyStopping("val_loss")],
)
trainer.fit(Regressor(), DataLoader(rows, batch_size=16, shuffle=True), DataLoader(rows, 32))
