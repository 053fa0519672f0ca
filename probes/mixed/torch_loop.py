# probe: plain PyTorch loop with a dataset and augmentation
# | causes: python-random, torch-seed | packages: scikit-learn, torch
import argparse
import random
import time

import numpy as np
import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.utils.data import DataLoader, Dataset

import nondet


class Digits(Dataset):
    """Digits, each moved by up to a pixel when `augment` is on."""

    def __init__(self, images, labels, augment):
        self.images = torch.tensor(images, dtype=torch.float32)[:, None] / 16
        self.labels = torch.tensor(labels, dtype=torch.long)
        self.augment = augment

    def __len__(self):
        return len(self.labels)

    def __getitem__(self, index):
        image = self.images[index]
        if self.augment and random.random() < 0.7:  # <- python-random
            steps = random.choice([(-1, 0), (1, 0), (0, -1), (0, 1)])
            image = torch.roll(image, steps, dims=(1, 2))
        return image, self.labels[index]


class Net(nn.Module):
    def __init__(self, width, classes):
        super().__init__()
        self.conv = nn.Conv2d(1, width, 3, padding=1)  # <- torch-seed
        self.pool = nn.MaxPool2d(2)
        self.drop = nn.Dropout(0.2)
        self.head = nn.Linear(width * 16, classes)

    def forward(self, x):
        x = self.pool(torch.relu(self.conv(x)))
        return self.head(self.drop(x.flatten(1)))


def split(seed):
    """Seeded, so that the test set stays the same for all experiments."""
    images, labels = load_digits(return_X_y=True)
    order = np.random.default_rng(seed).permutation(len(images))[:700]
    images, labels = images[order].reshape(-1, 8, 8), labels[order]
    return Digits(images[:560], labels[:560], True), Digits(images[560:], labels[560:], False)


def train_epoch(model, loader, optimizer, loss_function):
    model.train()
    total = 0.0
    for images, labels in loader:
        optimizer.zero_grad()
        loss = loss_function(model(images), labels)
        loss.backward()
        optimizer.step()
        total += loss.item() * len(labels)
    return total / len(loader.dataset)


@torch.no_grad()
def accuracy(model, loader):
    model.eval()
    right = sum((model(x).argmax(1) == y).sum().item() for x, y in loader)
    return right / len(loader.dataset)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--width", type=int, default=8)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()

    train, test = split(args.seed)
    train_loader = DataLoader(train, batch_size=args.batch_size, shuffle=True)
    test_loader = DataLoader(test, batch_size=256)

    model = Net(args.width, classes=10)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    loss_function = nn.CrossEntropyLoss()
    for epoch in range(1, args.epochs + 1):
        started = time.time()
        loss = train_epoch(model, train_loader, optimizer, loss_function)
        nondet.checkpoint("weights", {k: v.numpy() for k, v in model.state_dict().items()})
        seconds = time.time() - started
        print(f"epoch {epoch}: loss {loss:.4f}, {seconds:.2f} s")
    print(f"test accuracy {accuracy(model, test_loader):.4f}")


if __name__ == "__main__":
    main()
