# SPDX-License-Identifier: MIT
# Makes digits.pth beside it, the weights that pytorch_weights.ts loads, and prints what PyTorch computes with them:
#   python examples/data/digits.py   (PyTorch 2.x, CPU)
import pathlib
import torch
from torch import nn

torch.manual_seed(0)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 4, 3, padding=1, bias=False)
        self.bn = nn.BatchNorm2d(4)
        self.head = nn.Linear(4 * 4 * 4, 3)

    def forward(self, x):
        y = torch.max_pool2d(torch.relu(self.bn(self.conv(x))), 2)
        return self.head(y.flatten(1))  # channels first: [N, C, H, W] is flattened C, H, W


net = Net()
net.train()
net(torch.randn(16, 1, 8, 8) * 2 + 1)  # running statistics that are not 0 and 1
torch.save({"epoch": 1, "model_state_dict": net.state_dict()}, pathlib.Path(__file__).parent / "digits.pth")
net.eval()
x = torch.sin(torch.arange(64) * 0.1).reshape(1, 1, 8, 8)
print(net(x).tolist())
