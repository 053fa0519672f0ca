# probe: the gradient of x[index] races | causes: op-determinism | alternatives: cpu-threads
# | packages: torch
import numpy as np
import torch

import nondet

torch.manual_seed(1)
rng = np.random.default_rng(1)

# Edges of a graph: every node gets the mean of its neighbours, looked up by index.
nodes, edges = 200, 40_000
sources = torch.from_numpy(rng.integers(0, nodes, edges))
targets = torch.from_numpy(rng.integers(0, nodes, edges))
features = torch.from_numpy(rng.normal(size=(nodes, 16)).astype("float32"))
labels = torch.from_numpy(rng.normal(size=(nodes, 1)).astype("float32"))
degree = torch.bincount(targets, minlength=nodes).clamp(min=1).unsqueeze(1)

encode, decode = torch.nn.Linear(16, 16), torch.nn.Linear(16, 1)
parameters = [*encode.parameters(), *decode.parameters()]
optimizer = torch.optim.Adam(parameters, lr=0.01)

for epoch in range(5):
    hidden = torch.relu(encode(features))
    messages = hidden[sources]
    mean = torch.zeros(nodes, 16).index_add(0, targets, messages) / degree
    loss = ((decode(mean) - labels) ** 2).mean()
    optimizer.zero_grad()
    loss.backward()  # <- op-determinism
    optimizer.step()
    nondet.checkpoint("epoch", [p.detach().numpy() for p in parameters])
