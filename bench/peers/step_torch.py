"""step_torch.py NET [--compile]: a training step (forward, backward, Adam) of a net of nets.py in PyTorch,
eager or through torch.compile; on one thread or two, whichever is faster."""
import sys
import time

import torch
from torch import nn
from torch.nn import functional as F

from nets import GPT, GRID, GRU, MLP, blocks, report


def perceptron(sizes):
    layers = []
    for i, o in zip(sizes, sizes[1:]):
        layers += [nn.Linear(i, o), nn.Tanh()]
    return layers[:-1]


class Recurrent(nn.Module):
    def __init__(self):
        super().__init__()
        self.cell = nn.GRU(GRU["inputs"], GRU["hidden"])
        self.out = nn.Linear(GRU["hidden"], GRU["classes"], bias=False)

    def forward(self, x):
        return self.out(self.cell(x)[0])


class Block(nn.Module):
    def __init__(self, d):
        super().__init__()
        self.one, self.two = nn.RMSNorm(d), nn.RMSNorm(d)
        self.qkv, self.out = nn.Linear(d, 3 * d, bias=False), nn.Linear(d, d, bias=False)
        self.up, self.down = nn.Linear(d, 4 * d, bias=False), nn.Linear(4 * d, d, bias=False)

    def forward(self, x):
        batch, length, d = x.shape
        q, k, v = (a.view(batch, length, GPT["heads"], -1).transpose(1, 2) for a in self.qkv(self.one(x)).chunk(3, -1))
        seen = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.out(seen.transpose(1, 2).reshape(batch, length, d))
        return x + self.down(F.gelu(self.up(self.two(x)), approximate="tanh"))


class Language(nn.Module):
    def __init__(self):
        super().__init__()
        d = GPT["width"]
        self.embed = nn.Embedding(GPT["tokens"], d)
        self.at = nn.Parameter(0.02 * torch.randn(GPT["length"], d))
        self.blocks = nn.ModuleList(Block(d) for _ in range(GPT["blocks"]))
        self.norm = nn.RMSNorm(d)

    def forward(self, t):
        x = self.embed(t) + self.at
        for block in self.blocks:
            x = block(x)
        return self.norm(x) @ self.embed.weight.T


def build(name):
    if name in MLP:
        batch, sizes = MLP[name]
        return nn.Sequential(*perceptron(sizes)), torch.randn(batch, sizes[0]), torch.randint(0, sizes[-1], (batch,))
    if name == "minatar":
        g, (one, two) = GRID, GRID["filters"]
        top = perceptron([(g["size"] - 4) ** 2 * two, g["hidden"], g["classes"]])
        model = nn.Sequential(nn.Conv2d(g["channels"], one, 3), nn.ReLU(), nn.Conv2d(one, two, 3), nn.ReLU(), nn.Flatten(), *top)
        return model, torch.rand(g["batch"], g["channels"], g["size"], g["size"]), torch.randint(0, g["classes"], (g["batch"],))
    if name == "gru":
        shape = GRU["length"], GRU["batch"]
        return Recurrent(), torch.randn(*shape, GRU["inputs"]), torch.randint(0, GRU["classes"], shape)
    shape = GPT["batch"], GPT["length"]
    return Language(), torch.randint(0, GPT["tokens"], shape), torch.randint(0, GPT["tokens"], shape)


def main(name, compiled):
    torch.manual_seed(0)
    model, x, y = build(name)
    optimizer = torch.optim.Adam(model.parameters(), 1e-3, fused=True)

    def loss():
        logits = model(x)
        return F.cross_entropy(logits.reshape(-1, logits.shape[-1]), y.reshape(-1))

    forward = torch.compile(loss) if compiled else loss

    def step():
        optimizer.zero_grad()
        forward().backward()
        optimizer.step()

    start = time.perf_counter()
    step()
    first = time.perf_counter() - start
    took = []
    for threads in (1, 2):
        torch.set_num_threads(threads)
        took.append(blocks(step))
    report(samples=min(took, key=min), compile_s=first)


main(sys.argv[1], "--compile" in sys.argv)
