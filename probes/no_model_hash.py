# probe: no model at all, words counted in the order of a set | causes: hash-seed
import numpy as np

import nondet

texts = ["to be or not to be", "that is the question", "whether it is nobler in the mind"]
words = list({word for text in texts for word in text.split()})  # <- hash-seed

counts = np.array([[text.split().count(word) for word in words] for text in texts])
left, strengths, _ = np.linalg.svd(counts.astype(float), full_matrices=False)
nondet.checkpoint("counts", counts)
nondet.checkpoint("topics", {"left": left, "strengths": strengths})
