"""Votes against a count pixel by pixel."""

from collections import Counter

import numpy as np

from mmseg_tsf.active_learning.exchange.answers import ImageLabels
from mmseg_tsf.active_learning.exchange.votes import Agreement, join_votes

SIZE = (9, 11)


def vote(rng) -> ImageLabels:
    found = ImageLabels(SIZE)
    found.labels = rng.choice(np.array([0, 1, 2, 255], np.uint8), SIZE)
    found.labelled = rng.random(SIZE) < 0.7
    found.labels[~found.labelled] = 255
    return found


def test_each_pixel_gets_the_label_of_most():
    rng = np.random.default_rng(0)
    for num in (2, 3, 5):
        votes = [vote(rng) for _ in range(num)]
        votes[0].broken['mask'], votes[1].unread['line'] = 1, 2
        asked, agreement = rng.random(SIZE) < 0.8, Agreement()
        joined = join_votes(votes, asked, agreement)
        expected = Agreement()
        for place in np.ndindex(SIZE):
            given = [int(v.labels[place]) for v in votes if v.labelled[place]]
            assert joined.labelled[place] == bool(given)
            ranked = Counter(given).most_common(2)
            tied = len(ranked) == 2 and ranked[0][1] == ranked[1][1]
            assert joined.labels[place] == (ranked[0][0] if given and not tied else 255)
            if asked[place] and len(given) > 1:
                expected.compared += 1
                expected.unanimous += len(set(given)) == 1
                expected.undecided += tied
        assert agreement == expected and 0 < expected.undecided < expected.compared
        assert joined.broken == dict(mask=1) and joined.unread == dict(line=2)
