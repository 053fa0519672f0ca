# probe: index_add adds up by atomics on a GPU | causes: op-determinism | alternatives: device
# | needs: gpu | packages: torch
import torch

import nondet

torch.manual_seed(1)
device = "cuda" if torch.cuda.is_available() else "cpu"

# Edges of a graph: every node gets the sum of its neighbours.
nodes, edges = 200, 200_000
sources, targets = torch.randint(0, nodes, (2, edges), device=device)
features = torch.randn(nodes, 16, device=device)
labels = torch.randn(nodes, 1, device=device)
encode, decode = torch.nn.Linear(16, 16).to(device), torch.nn.Linear(16, 1).to(device)
parameters = [*encode.parameters(), *decode.parameters()]
optimizer = torch.optim.Adam(parameters, lr=0.01)

for epoch in range(5):
    messages = encode(features)[sources]
    sums = torch.zeros(nodes, 16, device=device).index_add(0, targets, messages)
    loss = ((decode(sums / edges * nodes) - labels) ** 2).mean()
    optimizer.zero_grad()
    loss.backward()  # <- op-determinism
    optimizer.step()
    nondet.checkpoint("epoch", parameters)
