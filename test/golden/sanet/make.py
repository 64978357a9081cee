"""Writes the module goldens: python make.py [net2d] [sam] [losses] [full]"""
import os
import sys

import torch

import cases_full
import cases_losses
import cases_net2d
import cases_sam
from golden import Writer

if __name__ == "__main__":
    torch.set_num_threads(1)
    os.chdir(os.path.dirname(os.path.abspath(__file__)))
    wanted = sys.argv[1:] or ["net2d", "sam", "losses", "full"]
    for name, cases in (("net2d", cases_net2d), ("sam", cases_sam), ("losses", cases_losses), ("full", cases_full)):
        if name in wanted:
            writer = Writer()
            cases.write(writer)
            writer.save(name)
