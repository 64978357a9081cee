# SPDX-License-Identifier: MIT
# Prints the values that statistics.test.ts and edt.test.ts hold as literals.
# Made with Python 3.11, numpy 1.26.4, scipy 1.13.1: python test/metrics/scipy_goldens.py
import itertools
import numpy as np
from scipy import ndimage, special, stats

x8 = [78.1, 80.2, 75.3, 79.9, 81.0, 77.7, 76.5, 82.2]
y8 = [76.0, 78.9, 75.1, 77.0, 80.5, 75.0, 76.9, 79.8]
r = stats.wilcoxon(x8, y8)
print("wilcoxon 8", r.statistic, repr(r.pvalue))
r = stats.ttest_rel(x8, y8)
print("paired t 8", repr(r.statistic), repr(r.pvalue))

# 25 pairs without ties or zeros: exact
k = np.arange(25)
a25, b25 = (k * 37 % 101) * 100 + k * k + 7, (k * 53 % 97) * 100
d = np.abs(a25 - b25)
assert len(set(d)) == 25 and d.min() > 0
r = stats.wilcoxon(a25, b25, mode="exact")
print("wilcoxon 25", r.statistic, repr(r.pvalue))

# 40 pairs with ties and zeros: normal approximation with both corrections
k = np.arange(40)
a40, b40 = k * 7 % 11, k * 5 % 13
r = stats.wilcoxon(a40, b40, zero_method="wilcox", correction=True, mode="approx")
print("wilcoxon 40", r.statistic, repr(r.pvalue), "zeros", int((a40 == b40).sum()))
r = stats.ttest_rel(a40, b40)
print("paired t 40", repr(r.statistic), repr(r.pvalue))

# 9 pairs with ties: every sign pattern enumerated (scipy 1.13 has no exact test with ties)
d = np.array([1, 1, 2, 2, 2, -1, 3, -4, 5.0])
ranks = stats.rankdata(np.abs(d))
w = min(ranks[d > 0].sum(), ranks[d < 0].sum())
count = sum(np.dot(s, ranks) <= w for s in itertools.product([0, 1], repeat=9))
print("wilcoxon ties 9", w, 2 * count / 2**9)

p = [0.01, 0.04, 0.03, 0.005, 0.2, 0.02]
order = np.argsort(p)
adjusted = np.empty(6)
adjusted[order] = np.minimum(1, np.maximum.accumulate((6 - np.arange(6)) * np.array(p)[order]))
print("holm", adjusted.tolist())
print("erfc", [repr(special.erfc(v)) for v in (0, 0.5, 2, 2.5, 3, 6)])
print("betainc", [repr(special.betainc(*v)) for v in ((3.5, 0.5, 0.2), (3.5, 0.5, 0.97), (50, 0.5, 0.9))])
print("quantile", [float(np.quantile([1, 2, 4, 8, 16], q)) for q in (0, 0.1, 0.5, 0.95, 1)])

# sites on a 4 x 5 x 6 grid with unequal spacing
i = np.arange(120).reshape(4, 5, 6)
sites = (i * 29 % 31) == 3
distances = ndimage.distance_transform_edt(~sites, sampling=(2.5, 0.7, 0.9))
print("edt", int(sites.sum()), repr((distances ** 2).sum()), repr(distances.max()))
