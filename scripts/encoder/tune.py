"""Tunes the sentence encoder by contrast, and stores it as Planwarden reads it. Needs PyTorch and transformers.

python scripts/encoder/tune.py MINILM build/pairs.json src/planwarden/planning/ranking/weights/minilm

MINILM is a folder with all-MiniLM-L6-v2 as published (config.json, model.safetensors, tokenizer.json).
"""

from __future__ import annotations

import json
import random
import sys
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional
from transformers import BertModel, PreTrainedTokenizerFast

RATE = 3e-5
EPOCHS = 1.2
BATCH = 32
WARM_UP = 0.1
"""Share of the steps until the rate is reached; then it falls by a cosine."""
SHARPNESS = 20.0
"""By which cosines are multiplied."""
WRONG, WRONG_OF_WORLDS = 3, 6
"""Tools of the same catalog that do not do a request, drawn anew each time; those of the other requests of the batch come to them."""
MOST_TOKENS = 64
TOGETHER = 40
"""Texts that are worked on at once."""
SEED = 1


class Encoder(torch.nn.Module):
    """Mean of all tokens, of length 1."""

    def __init__(self, folder: Path) -> None:
        """Read the model."""
        super().__init__()
        self.cut = PreTrainedTokenizerFast(
            tokenizer_file=str(folder / "tokenizer.json"),
            pad_token="[PAD]", unk_token="[UNK]", cls_token="[CLS]", sep_token="[SEP]", mask_token="[MASK]",
        )  # fmt: skip
        self.bert = BertModel.from_pretrained(folder, add_pooling_layer=False)

    def forward(self, texts: list[str]) -> torch.Tensor:
        """Embed texts, shape (texts, 384); those of like length together."""
        order = sorted(range(len(texts)), key=lambda at: len(texts[at]))
        made = [
            self.embedded([texts[at] for at in order[first : first + TOGETHER]])
            for first in range(0, len(order), TOGETHER)
        ]
        return torch.cat(made)[torch.tensor(order).argsort()]

    def embedded(self, texts: list[str]) -> torch.Tensor:
        """Embed texts at once."""
        cut = self.cut(texts, truncation=True, max_length=MOST_TOKENS, padding=True, return_tensors="pt")
        with torch.autocast("cpu", dtype=torch.bfloat16):
            seen = self.bert(cut["input_ids"], attention_mask=cut["attention_mask"]).last_hidden_state
        real = cut["attention_mask"].unsqueeze(-1).float()
        return functional.normalize((seen.float() * real).sum(1) / real.sum(1), dim=-1)


def loss_of(encoder: Encoder, batch: list[dict], rng: random.Random) -> torch.Tensor:
    """Give the mean loss: each right tool against all wrong ones (softmax), a tool's score being its best over the parts."""
    tools: dict[str, int] = {}
    heard: list[str] = []
    owner: list[int] = []
    for at, each in enumerate(batch):
        parts = each["parts"]
        views = [each["request"], *(rng.sample(parts, min(3, len(parts))) if len(parts) > 1 else [])]
        heard += views
        owner += [at] * len(views)
        wrong = WRONG_OF_WORLDS if each["source"] == "worlds" else WRONG
        for text in (*each["right"][:3], *rng.sample(each["wrong"], min(wrong, len(each["wrong"])))):
            tools.setdefault(text, len(tools))
    right = torch.zeros(len(batch), len(tools), dtype=torch.bool)
    for at, each in enumerate(batch):
        right[at, [tools[text] for text in each["right"] if text in tools]] = True
    made = encoder([*heard, *tools])
    likeness = made[: len(heard)] @ made[len(heard) :].T * SHARPNESS
    rows = torch.tensor(owner)[:, None].expand(-1, len(tools))
    best = torch.full(right.shape, -1e4).scatter_reduce(0, rows, likeness, "amax")
    against = torch.logsumexp(best.masked_fill(right, -1e4), 1, keepdim=True)
    each = functional.softplus(against - best) * right
    return (each.sum(1) / right.sum(1)).mean()


def tune(encoder: Encoder, pairs: list[dict]) -> None:
    """Train in place."""
    rng = random.Random(SEED)
    steps = int(len(pairs) * EPOCHS / BATCH)
    optimizer = torch.optim.AdamW(encoder.parameters(), lr=RATE, weight_decay=0.01)
    rate = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, total_steps=steps + 1, pct_start=WARM_UP)
    encoder.train()
    order: list[int] = []
    for step in range(steps):
        while len(order) < BATCH:
            order += rng.sample(range(len(pairs)), len(pairs))
        loss = loss_of(encoder, [pairs[order.pop()] for _ in range(BATCH)], rng)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(encoder.parameters(), 1.0)
        optimizer.step()
        rate.step()
        if step % 25 == 0:
            print(f"step {step} of {steps}, loss {float(loss.detach()):.3f}", flush=True)
    encoder.eval()


def store(bert: BertModel, folder: Path) -> None:
    """Write the weights in 8 bits: each row of a matrix by its own largest value."""
    own = {name: value.detach().float().numpy() for name, value in bert.state_dict().items()}

    def rounded(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        scale = np.maximum(np.abs(rows).max(1), 1e-12).astype(np.float32) / 127
        return np.rint(rows / scale[:, None]).astype(np.int8), scale

    words, scales = rounded(own["embeddings.word_embeddings.weight"])
    np.save(folder / "words.npy", words)
    stored = {
        "words_scale": scales,
        "positions": own["embeddings.position_embeddings.weight"].astype(np.float16),
        "type0": own["embeddings.token_type_embeddings.weight"][0],
        "norm_w": own["embeddings.LayerNorm.weight"],
        "norm_b": own["embeddings.LayerNorm.bias"],
    }
    for at in range(bert.config.num_hidden_layers):
        layer = f"encoder.layer.{at}"
        parts = [f"{layer}.attention.self.{part}" for part in ("query", "key", "value")]
        matrices = {
            "qkv": [np.concatenate([own[f"{part}.{kind}"] for part in parts]) for kind in ("weight", "bias")],
            "out": [own[f"{layer}.attention.output.dense.{kind}"] for kind in ("weight", "bias")],
            "up": [own[f"{layer}.intermediate.dense.{kind}"] for kind in ("weight", "bias")],
            "down": [own[f"{layer}.output.dense.{kind}"] for kind in ("weight", "bias")],
        }
        for name, (weight, bias) in matrices.items():
            stored[f"{at}_{name}_q"], stored[f"{at}_{name}_s"] = rounded(weight)
            stored[f"{at}_{name}_b"] = bias
        for name, part in (("n1", "attention.output"), ("n2", "output")):
            stored[f"{at}_{name}_w"] = own[f"{layer}.{part}.LayerNorm.weight"]
            stored[f"{at}_{name}_b"] = own[f"{layer}.{part}.LayerNorm.bias"]
    np.savez_compressed(folder / "layers.npz", allow_pickle=False, **stored)


def main(minilm: Path, pairs: Path, out: Path) -> None:
    """Tune and store."""
    torch.manual_seed(SEED)
    encoder = Encoder(minilm)
    tune(encoder, json.loads(pairs.read_text("utf-8")))
    store(encoder.bert, out)


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    main(*map(Path, sys.argv[1:]))
