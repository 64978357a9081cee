"""Philox4x32-10 numbers: key = (seed, stream), counter = (step, op id, element / 4, 0)."""
import numpy as np

INIT, ORDER, AUGMENT, CLICK, DROPOUT = range(5)
LOW = np.uint64(0xFFFFFFFF)


def philox4x32(counter, key):
    """counter: four uint32 arrays, key: two ints -> four uint32 arrays (Random123's 10 rounds)."""
    c = [np.asarray(x, dtype=np.uint64) & LOW for x in counter]
    k0, k1 = (np.uint64(k & 0xFFFFFFFF) for k in key)
    for _ in range(10):
        p0, p1 = c[0] * np.uint64(0xD2511F53), c[2] * np.uint64(0xCD9E8D57)
        c = [(p1 >> np.uint64(32)) ^ c[1] ^ k0, p1 & LOW, (p0 >> np.uint64(32)) ^ c[3] ^ k1, p0 & LOW]
        k0, k1 = (k0 + np.uint64(0x9E3779B9)) & LOW, (k1 + np.uint64(0xBB67AE85)) & LOW
    return c


def lanes(n, seed, op, step, stream):
    quads = np.arange((n + 3) // 4)
    const = np.zeros_like(quads)
    return philox4x32((const + step, const + op, quads, const), (seed, stream))


def uniform(n, seed, op, step=0, stream=INIT):
    """n float64 values in [0, 1), multiples of 2^-24."""
    x = np.stack(lanes(n, seed, op, step, stream), axis=1).reshape(-1)[:n]
    return (x >> np.uint64(8)).astype(np.float64) * 2.0 ** -24


def normal(n, seed, op, step=0, stream=INIT):
    """n float64 values: Box-Muller of lanes (0,1) and (2,3), radius from 1 - uniform so that log stays finite."""
    u = uniform((n + 3) // 4 * 4, seed, op, step, stream).reshape(-1, 2, 2)
    r = np.sqrt(-2.0 * np.log(1.0 - u[..., 0]))
    a = 2.0 * np.pi * u[..., 1]
    return np.stack([r * np.cos(a), r * np.sin(a)], axis=-1).reshape(-1)[:n]
