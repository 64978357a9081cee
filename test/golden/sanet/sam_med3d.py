"""SAM-Med3D: image encoder with decomposed relative positions, prompt encoder, two-way mask decoder."""
import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import nn

from blocks import ChannelNorm, resize3d

PROMPT = 384


@dataclass(frozen=True)
class Config:
    size: int = 128
    dim: int = 768
    depth: int = 12
    heads: int = 12
    window: int = 0
    global_blocks: tuple = (2, 5, 8, 11)
    official: bool = False

    @property
    def grid(self):
        return self.size // 16


PRESETS = {
    "sam-b128-w14": Config(window=14),
    "sam-b128": Config(),
    "sam-s128": Config(dim=384, heads=6),
    "sam-s96": Config(size=96, dim=384, heads=6),
    "sam-t64": Config(size=64, dim=192, depth=6, heads=3),
}


def relative_rows(table, n):
    """[n, n, dh]: row of offset t - u, the table linearly resampled when it belongs to another length."""
    if len(table) != 2 * n - 1:
        table = F.interpolate(table.T[None], size=2 * n - 1, mode="linear", align_corners=False)[0].T
    at = torch.arange(n)
    return table[at[:, None] - at[None, :] + n - 1]


class Attention(nn.Module):
    def __init__(self, dim, heads, n, official=False):
        super().__init__()
        self.heads, self.official = heads, official
        self.qkv, self.proj = nn.Linear(dim, 3 * dim), nn.Linear(dim, dim)
        for axis in "dhw":
            setattr(self, f"rel_pos_{axis}", nn.Parameter(torch.zeros(2 * n - 1, dim // heads)))

    def forward(self, x):
        b, td, th, tw, dim = x.shape
        q, k, v = self.qkv(x).view(b, td * th * tw, 3, self.heads, -1).permute(2, 0, 3, 1, 4)  # [B, nh, T, dh]
        scores = (q * q.shape[-1] ** -0.5) @ k.transpose(2, 3)
        grid_q = q.unflatten(2, (td, th, tw))
        rd = torch.einsum("bndhwc,dkc->bndhwk", grid_q, relative_rows(self.rel_pos_d, td))
        rh = torch.einsum("bndhwc,hkc->bndhwk", grid_q, relative_rows(self.rel_pos_h, th))
        rw = torch.einsum("bndhwc,wkc->bndhwk", grid_q, relative_rows(self.rel_pos_w, tw))
        if self.official:
            # As published: the axes that are left out are put in elsewhere, so a term's own axes meet other axes of the scores.
            position = rd[:, :, :, :, :, None, None] + rh[:, :, :, :, None, :, None] + rw[:, :, :, :, None, None, :]
        else:
            position = rd[..., :, None, None] + rh[..., None, :, None] + rw[..., None, None, :]
        scores = scores + position.reshape(scores.shape)
        out = (scores.softmax(-1) @ v).transpose(1, 2).reshape(b, td, th, tw, dim)
        return self.proj(out)


def windowed(attention, x, window):
    """Zero-pads to whole windows after norm1, attends inside each window, crops."""
    b, *sizes, c = x.shape
    pad = [-s % window for s in sizes]
    x = F.pad(x, (0, 0, 0, pad[2], 0, pad[1], 0, pad[0]))
    nd, nh, nw = (s // window for s in x.shape[1:4])
    x = x.view(b, nd, window, nh, window, nw, window, c).permute(0, 1, 3, 5, 2, 4, 6, 7)
    y = attention(x.reshape(-1, window, window, window, c))
    y = y.view(b, nd, nh, nw, window, window, window, c).permute(0, 1, 4, 2, 5, 3, 6, 7)
    y = y.reshape(b, nd * window, nh * window, nw * window, c)
    return y[:, :sizes[0], :sizes[1], :sizes[2]]


class MlpBlock(nn.Module):
    def __init__(self, dim, hidden, act):
        super().__init__()
        self.lin1, self.lin2, self.act = nn.Linear(dim, hidden), nn.Linear(hidden, dim), act

    def forward(self, x):
        return self.lin2(self.act(self.lin1(x)))


class Block(nn.Module):
    def __init__(self, dim, heads, grid, window, official=False):
        super().__init__()
        self.window = window
        self.norm1, self.norm2 = nn.LayerNorm(dim, eps=1e-6), nn.LayerNorm(dim, eps=1e-6)
        self.attn = Attention(dim, heads, window or grid, official)
        self.mlp = MlpBlock(dim, 4 * dim, F.gelu)

    def forward(self, x):
        y = self.norm1(x)
        y = windowed(self.attn, y, self.window) if self.window else self.attn(y)
        x = x + y
        return x + self.mlp(self.norm2(x))


class PatchEmbed(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.proj = nn.Conv3d(1, dim, 16, 16)

    def forward(self, x):
        return self.proj(x).movedim(1, -1)


def neck(dim):
    return nn.Sequential(nn.Conv3d(dim, PROMPT, 1, bias=False), ChannelNorm(PROMPT, 1e-6),
                         nn.Conv3d(PROMPT, PROMPT, 3, padding=1, bias=False), ChannelNorm(PROMPT, 1e-6))


class ImageEncoder(nn.Module):
    def __init__(self, cfg):
        super().__init__()
        self.patch_embed = PatchEmbed(cfg.dim)
        self.pos_embed = nn.Parameter(torch.zeros(1, cfg.grid, cfg.grid, cfg.grid, cfg.dim))
        self.blocks = nn.ModuleList(
            Block(cfg.dim, cfg.heads, cfg.grid, 0 if i in cfg.global_blocks else cfg.window, cfg.official)
            for i in range(cfg.depth))
        self.neck = neck(cfg.dim)

    def forward(self, x):
        x = self.patch_embed(x) + self.pos_embed
        for block in self.blocks:
            x = block(x)
        return self.neck(x.movedim(-1, 1))


class PositionEncoding(nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("positional_encoding_gaussian_matrix", torch.zeros(3, PROMPT // 3))

    def forward(self, coords):
        """coords [..., 3] in [0, 1], axes D, H, W"""
        v = 2 * math.pi * ((2 * coords - 1) @ self.positional_encoding_gaussian_matrix)
        return torch.cat([v.sin(), v.cos(), v.sin()], -1)


class PromptEncoder(nn.Module):
    def __init__(self, cfg):
        super().__init__()
        self.grid, self.official = cfg.grid, cfg.official
        self.pe_layer = PositionEncoding()
        self.point_embeddings = nn.ModuleList(nn.Embedding(1, PROMPT) for _ in range(2))
        self.not_a_point_embed, self.no_mask_embed = nn.Embedding(1, PROMPT), nn.Embedding(1, PROMPT)
        self.mask_downscaling = nn.Sequential(
            nn.Conv3d(1, 4, 2, 2), ChannelNorm(4, 1e-6), nn.GELU(),
            nn.Conv3d(4, 16, 2, 2), ChannelNorm(16, 1e-6), nn.GELU(), nn.Conv3d(16, PROMPT, 1))

    def dense_pe(self):
        like = self.no_mask_embed.weight
        c = (torch.arange(self.grid, dtype=like.dtype) + 0.5) / self.grid
        grid = torch.stack(torch.meshgrid(c, c, c, indexing="ij"), -1)
        if self.official:  # as published: the first two coordinates have changed places
            grid = grid[..., [1, 0, 2]]
        return self.pe_layer(grid).movedim(-1, 0)[None]

    def sparse(self, coords, labels):
        """coords [B, n, 3] in [0, 1], labels [B, n] of 0 and 1 -> [B, n + 1, 384], the padding point last"""
        table = torch.cat([e.weight for e in self.point_embeddings])
        tokens = self.pe_layer(coords) + table[labels]
        pad = self.not_a_point_embed.weight.expand(len(coords), 1, -1)
        return torch.cat([tokens, pad], 1)

    def dense(self, mask, batch):
        if mask is None:
            return self.no_mask_embed.weight[:, :, None, None, None].expand(batch, -1, self.grid, self.grid, self.grid)
        return self.mask_downscaling(mask)

    def forward(self, coords, labels, mask=None):
        return self.sparse(coords, labels), self.dense(mask, len(coords))


class TokenAttention(nn.Module):
    def __init__(self, dim, heads, inner):
        super().__init__()
        self.heads = heads
        self.q_proj, self.k_proj, self.v_proj = (nn.Linear(dim, inner) for _ in range(3))
        self.out_proj = nn.Linear(inner, dim)

    def forward(self, q, k, v):
        q, k, v = (f(x).unflatten(2, (self.heads, -1)).transpose(1, 2)
                   for f, x in ((self.q_proj, q), (self.k_proj, k), (self.v_proj, v)))
        a = ((q @ k.transpose(2, 3)) / math.sqrt(q.shape[-1])).softmax(-1)
        return self.out_proj((a @ v).transpose(1, 2).flatten(2))


class TwoWayLayer(nn.Module):
    def __init__(self, first, dim=PROMPT, heads=8, hidden=2048):
        super().__init__()
        self.first = first
        self.self_attn = TokenAttention(dim, heads, dim)
        self.cross_attn_token_to_image = TokenAttention(dim, heads, dim // 2)
        self.mlp = MlpBlock(dim, hidden, F.relu)
        self.cross_attn_image_to_token = TokenAttention(dim, heads, dim // 2)
        self.norm1, self.norm2, self.norm3, self.norm4 = (nn.LayerNorm(dim) for _ in range(4))

    def forward(self, tokens, image, token_pe, image_pe):
        if self.first:
            tokens = self.self_attn(tokens, tokens, tokens)
        else:
            q = tokens + token_pe
            tokens = tokens + self.self_attn(q, q, tokens)
        tokens = self.norm1(tokens)
        tokens = self.norm2(tokens + self.cross_attn_token_to_image(tokens + token_pe, image + image_pe, image))
        tokens = self.norm3(tokens + self.mlp(tokens))
        image = self.norm4(image + self.cross_attn_image_to_token(image + image_pe, tokens + token_pe, tokens))
        return tokens, image


class TwoWayTransformer(nn.Module):
    def __init__(self, dim=PROMPT, heads=8):
        super().__init__()
        self.layers = nn.ModuleList(TwoWayLayer(first=i == 0) for i in range(2))
        self.final_attn_token_to_image = TokenAttention(dim, heads, dim // 2)
        self.norm_final_attn = nn.LayerNorm(dim)

    def forward(self, image, image_pe, tokens):
        """image, image_pe [B, T, 384], tokens [B, n, 384]"""
        token_pe = tokens
        for layer in self.layers:
            tokens, image = layer(tokens, image, token_pe, image_pe)
        tokens = tokens + self.final_attn_token_to_image(tokens + token_pe, image + image_pe, image)
        return self.norm_final_attn(tokens), image


class Mlp(nn.Module):
    def __init__(self, *widths):
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(a, b) for a, b in zip(widths, widths[1:]))

    def forward(self, x):
        for layer in self.layers[:-1]:
            x = F.relu(layer(x))
        return self.layers[-1](x)


class MaskDecoder(nn.Module):
    def __init__(self, dim=PROMPT):
        super().__init__()
        self.transformer = TwoWayTransformer()
        self.iou_token, self.mask_tokens = nn.Embedding(1, dim), nn.Embedding(4, dim)
        self.output_upscaling = nn.Sequential(
            nn.ConvTranspose3d(dim, dim // 4, 2, 2), ChannelNorm(dim // 4, 1e-6), nn.GELU(),
            nn.ConvTranspose3d(dim // 4, dim // 8, 2, 2), nn.GELU())
        self.output_hypernetworks_mlps = nn.ModuleList(Mlp(dim, dim, dim, dim // 8) for _ in range(4))
        self.iou_prediction_head = Mlp(dim, 256, 256, 4)  # in the state dict only; the method never runs it

    def forward(self, embedding, dense_pe, sparse, dense):
        """-> mask 0 as logits [B, 1, 4g, 4g, 4g]"""
        fixed = torch.cat([self.iou_token.weight, self.mask_tokens.weight])
        tokens = torch.cat([fixed.expand(len(sparse), -1, -1), sparse], 1)
        src = embedding + dense
        image = src.flatten(2).transpose(1, 2)
        pe = dense_pe.flatten(2).transpose(1, 2).expand_as(image)
        tokens, image = self.transformer(image, pe, tokens)
        up = self.output_upscaling(image.transpose(1, 2).reshape(src.shape))
        hyper = self.output_hypernetworks_mlps[0](tokens[:, 1])
        return torch.einsum("bc,bcdhw->bdhw", hyper, up)[:, None]


def above_zero(hu):
    """Mean 0 and deviation 1 over the voxels above 0 HU of each volume, [B, 1, ...], within -1000..1000."""
    hu = hu.clamp(-1000, 1000)
    return torch.stack([(v - v[v > 0].mean()) / v[v > 0].std() for v in hu])


class SamMed3D(nn.Module):
    def __init__(self, cfg):
        super().__init__()
        self.cfg = cfg
        self.image_encoder = ImageEncoder(cfg)
        self.prompt_encoder = PromptEncoder(cfg)
        self.mask_decoder = MaskDecoder()

    def decode(self, embedding, coords, labels, mask):
        sparse, dense = self.prompt_encoder(coords, labels, mask)
        return self.mask_decoder(embedding, self.prompt_encoder.dense_pe(), sparse, dense)

    def forward(self, volume, clicks, labels, mask=None):
        """volume [B, 1, D, H, W] of any size; clicks [B, n, 3] voxel indices in it -> logits of its size, low-res logits.
        mask: low-res logits of the previous click, zeros at the first."""
        s, size = self.cfg.size, volume.shape[2:]
        cube = resize3d(volume, (s, s, s))
        coords = (clicks + 0.5) / torch.tensor(size, dtype=volume.dtype)
        if self.cfg.official:  # volumes in the order x, y, z; intensities normalised by what is above 0 HU
            cube, coords = above_zero(cube * 1000).transpose(2, 4), coords.flip(-1)
        embedding = self.image_encoder(cube)
        if mask is None:
            mask = volume.new_zeros(len(volume), 1, s // 4, s // 4, s // 4)
        low = self.decode(embedding, coords, labels, mask)
        seen = resize3d(low, (s, s, s))
        return resize3d(seen.transpose(2, 4) if self.cfg.official else seen, size), low
