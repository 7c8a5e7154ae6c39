"""Golden counts of scikit-learn's train_test_split -> golden/split.json

Each case is [per-class counts, amount, outcome]: classes 0, 1, ... with that many images; amount a fraction or a count;
outcome either the held-out images of each class, or {"ties": [low, high]} where scikit-learn lets its generator choose
(then each class holds out between low and high images, as seen over many seeds), or {"error": start of the message}.
A class list of length one doubles as the unstratified case: there only the total matters.
"""

import json
from pathlib import Path

import numpy as np
from sklearn.model_selection import train_test_split

SEEDS = 40  # reveals whether the generator has a say
TIED_SEEDS = 400  # and then shows every class at both of its ends
FRACTIONS = [0.01, 0.05, 0.1, 0.15, 0.25, 1 / 3, 0.5, 0.9]


def held_out(counts, amount, seed):
    labels = np.repeat(np.arange(len(counts)), counts)
    _, test = train_test_split(labels, test_size=amount, stratify=labels, random_state=seed)
    return np.bincount(test, minlength=len(counts))


def outcome(counts, amount):
    try:
        seen = np.array([held_out(counts, amount, seed) for seed in range(SEEDS)])
    except ValueError as error:
        return {"error": str(error)[:40]}
    if (seen == seen[0]).all():
        return seen[0].tolist()
    seen = np.array([held_out(counts, amount, seed) for seed in range(TIED_SEEDS)])
    low, high = seen.min(axis=0), seen.max(axis=0)
    return {"ties": [low.tolist(), high.tolist()]}


def distributions():
    rng = np.random.default_rng(2)
    yield [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]  # MNIST's training set
    yield [4132, 4684, 4177, 4351, 4072, 3795, 4137, 4401, 4063, 4188]  # Kaggle's train.csv
    yield from ([10, 10], [50, 50, 50], [7] * 9, [2, 2], [2, 3, 4], [100, 1, 5], [3], [1000, 2, 2, 2])
    for _ in range(30):
        classes = int(rng.integers(2, 13))
        yield rng.integers(2, int(rng.choice([6, 30, 400])), classes).tolist()
    for _ in range(6):  # long-tailed
        yield np.maximum(2, rng.pareto(1.0, 8) * 20).astype(int).tolist()


def main():
    rng = np.random.default_rng(3)
    stratified = []
    for counts in distributions():
        n = sum(counts)
        amounts = [*FRACTIONS, *(int(rng.integers(1, n + 2)) for _ in range(3))]
        stratified += [[counts, amount, outcome(counts, amount)] for amount in amounts]
    plain = []
    for n in [2, 3, 7, 10, 30, 99, 100, 101, 1000, 42000, 60000]:
        for amount in [*FRACTIONS, 1, n - 1, n, n + 1]:
            try:
                plain.append([n, amount, len(train_test_split(np.arange(n), test_size=amount, random_state=0)[1])])
            except ValueError as error:
                plain.append([n, amount, {"error": str(error)[:40]}])
    path = Path(__file__).parent / "golden" / "split.json"
    lines = lambda rows: ",\n".join(json.dumps(row) for row in rows)
    path.write_text(f'{{"plain": [\n{lines(plain)}\n], "stratified": [\n{lines(stratified)}\n]}}\n')
    tied = sum(isinstance(row[2], dict) and "ties" in row[2] for row in stratified)
    print(f"{path.name}: {len(plain)} plain, {len(stratified)} stratified cases, {tied} of them tied")


if __name__ == "__main__":
    main()
